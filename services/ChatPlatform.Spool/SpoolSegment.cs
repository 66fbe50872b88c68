using System.Buffers;
using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace ChatPlatform.Spool;

/// <summary>One file of a spool, named after the position of its first byte. Guarded by the lock of <see cref="SpoolLog"/> except for reads below <see cref="Length"/>.</summary>
internal sealed class SpoolSegment : IDisposable
{
    public const string Extension = ".seg";

    private SpoolSegment(string path, long start, SafeFileHandle handle, long length)
    {
        Path = path;
        Start = start;
        Handle = handle;
        Length = length;
    }

    public string Path { get; }

    public long Start { get; }

    public SafeFileHandle Handle { get; }

    public long Length { get; set; }

    public long End => Start + Length;

    public static SpoolSegment Create(string folder, long start)
    {
        var path = System.IO.Path.Combine(folder, start.ToString("D20", CultureInfo.InvariantCulture) + Extension);
        return new SpoolSegment(path, start, Open(path, FileMode.CreateNew), 0);
    }

    /// <summary>Opens a segment left by an earlier process and cuts what follows its last intact frame. A damaged frame between intact ones stays: readers pass over it.</summary>
    /// <returns>The segment, and how many bytes were cut. Bytes that had been a whole frame once (a wrong checksum, not a torn write) are kept in a <c>.cut</c> file beside it.</returns>
    public static (SpoolSegment Segment, long CutBytes) Recover(string path, long start)
    {
        var handle = Open(path, FileMode.Open);
        var fileLength = RandomAccess.GetLength(handle);
        var (intact, damaged) = Scan(handle, 0, fileLength);
        while (intact < fileLength && FindIntact(handle, intact + 1, fileLength) is { } next)
            (intact, damaged) = Scan(handle, next, fileLength);
        var segment = new SpoolSegment(path, start, handle, intact);
        if (intact < fileLength)
        {
            if (damaged)
                segment.KeepAside(intact, fileLength);
            RandomAccess.SetLength(handle, intact);
        }

        return (segment, fileLength - intact);
    }

    /// <summary>Passes over what is no intact frame at <paramref name="offset"/> and keeps it in a <c>.cut</c> file.</summary>
    /// <returns>Where the next intact frame begins, or <paramref name="readable"/>.</returns>
    public long SkipDamaged(long offset, long readable)
    {
        var next = FindIntact(Handle, offset + 1, readable) ?? readable;
        KeepAside(offset, next);
        return next;
    }

    public void Delete()
    {
        Handle.Dispose();
        File.Delete(Path);
    }

    public void Dispose() => Handle.Dispose();

    private static SafeFileHandle Open(string path, FileMode mode) =>
        File.OpenHandle(path, mode, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete);

    private static (long Intact, bool Damaged) Scan(SafeFileHandle handle, long from, long fileLength)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(64 * 1024);
        try
        {
            var at = from;
            while (fileLength - at >= SpoolFrame.HeaderBytes)
            {
                RandomAccess.Read(handle, buffer.AsSpan(0, SpoolFrame.HeaderBytes), at);
                var body = SpoolFrame.BodyLength(buffer);
                if (body < 0)
                    return (at, true);
                var frame = SpoolFrame.HeaderBytes + body;
                if (fileLength - at < frame)
                    return (at, false);
                if (frame > buffer.Length)
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = ArrayPool<byte>.Shared.Rent(frame);
                }

                ReadFully(handle, buffer.AsSpan(0, frame), at);
                if (!SpoolFrame.IsIntact(buffer.AsSpan(0, frame)))
                    return (at, true);
                at += frame;
            }

            return (at, false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public static void ReadFully(SafeFileHandle handle, Span<byte> target, long offset)
    {
        while (!target.IsEmpty)
        {
            var read = RandomAccess.Read(handle, target, offset);
            if (read == 0)
                throw new EndOfStreamException("A spool segment is shorter than it was.");
            target = target[read..];
            offset += read;
        }
    }

    /// <summary>The first offset from <paramref name="from"/> on at which an intact frame begins. A header has to be plausible before its checksum is worth the reading.</summary>
    private static long? FindIntact(SafeFileHandle handle, long from, long to)
    {
        if (to - from < SpoolFrame.HeaderBytes)
            return null;
        var rest = new byte[to - from];
        ReadFully(handle, rest, from);
        for (var at = 0; at <= rest.Length - SpoolFrame.HeaderBytes; at++)
        {
            var candidate = rest.AsSpan(at);
            var body = SpoolFrame.BodyLength(candidate);
            if (body >= 0 && body <= candidate.Length - SpoolFrame.HeaderBytes && SpoolFrame.HasTime(candidate) && SpoolFrame.IsIntact(candidate[..(SpoolFrame.HeaderBytes + body)]))
                return from + at;
        }

        return null;
    }

    private void KeepAside(long from, long to)
    {
        var bytes = new byte[to - from];
        ReadFully(Handle, bytes, from);
        File.WriteAllBytes($"{Path}.{from}.cut", bytes);
    }
}
