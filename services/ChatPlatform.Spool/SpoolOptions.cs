namespace ChatPlatform.Spool;

/// <summary>What happens to an append when the undelivered bytes have reached <see cref="SpoolOptions.LimitBytes"/>.</summary>
public enum WhenSpoolIsFull
{
    /// <summary>The append fails with <see cref="SpoolFullException"/>.</summary>
    Reject,

    /// <summary>The append waits for room: back-pressure for whoever awaits it.</summary>
    Wait,
}

/// <summary>Sizes are bytes on disk, frame headers included.</summary>
public sealed record SpoolOptions
{
    /// <summary>A segment file is closed when it has grown to this size, and deleted when every cursor has passed it.</summary>
    public int SegmentBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>The most that may lie undelivered. One frame is always accepted by an empty spool.</summary>
    public long LimitBytes { get; init; } = 256L * 1024 * 1024;

    public WhenSpoolIsFull WhenFull { get; init; } = WhenSpoolIsFull.Reject;

    /// <summary>
    /// True: an append returns after <c>fsync</c> and survives a power cut. False: it returns when the kernel has the bytes, and survives the end of this process, <c>kill -9</c> included.
    /// </summary>
    public bool FlushToDisk { get; init; }
}

/// <summary>The spool holds <see cref="SpoolOptions.LimitBytes"/> of undelivered frames; nothing of the append was kept.</summary>
public sealed class SpoolFullException(long pendingBytes, long limitBytes)
    : IOException($"The spool holds {pendingBytes} undelivered bytes of at most {limitBytes}.");

/// <summary>The disk refused the append (full, read-only, …); nothing of it was kept.</summary>
public sealed class SpoolWriteException(string folder, IOException cause)
    : IOException($"The spool in {folder} could not be written: {cause.Message}", cause);
