using System.Buffers;
using System.Buffers.Binary;
using System.IO.Hashing;
using Microsoft.Win32.SafeHandles;

namespace ChatPlatform.Spool;

/// <summary>
/// One reader's place in a <see cref="SpoolLog"/>. Reading does not move it; <see cref="Advance"/> does, and writes the place down, so that after a restart the frames since the last
/// <see cref="Advance"/> come again. One caller reads at a time; <see cref="PendingBytes"/> and <see cref="OldestPending"/> may be asked from any thread.
/// </summary>
public sealed class SpoolCursor
{
    private readonly SpoolLog _log;
    private readonly SafeFileHandle _file;
    private long _position;

    private SpoolCursor(SpoolLog log, SafeFileHandle file, long position)
    {
        _log = log;
        _file = file;
        _position = position;
    }

    /// <summary>Everything before is delivered.</summary>
    public long Position
    {
        get => Volatile.Read(ref _position);
        internal set => Volatile.Write(ref _position, value);
    }

    public long PendingBytes => Math.Max(0, _log.End - Position);

    /// <summary>How long the oldest frame that this cursor has not passed has been waiting; zero when there is none.</summary>
    public TimeSpan OldestPending
    {
        get
        {
            if (_log.Locate(Position) is not { } place)
                return TimeSpan.Zero;
            try
            {
                Span<byte> header = stackalloc byte[SpoolFrame.HeaderBytes];
                SpoolSegment.ReadFully(place.Segment.Handle, header, place.Offset);
                return _log.Time.GetUtcNow() - SpoolFrame.Time(header) is { } age && age > TimeSpan.Zero ? age : TimeSpan.Zero;
            }
            catch (ObjectDisposedException)
            {
                // The segment was delivered and deleted between the two steps.
                return TimeSpan.Zero;
            }
        }
    }

    /// <summary>
    /// Waits for frames at or after <paramref name="from"/> and gives as many as fit <paramref name="maxBytes"/>, at least one. Damaged ones are kept aside and passed over: their neighbours
    /// are not harmed. Dispose the batch when done with its memory.
    /// </summary>
    /// <exception cref="IOException">The disk does not give what was written.</exception>
    public async ValueTask<SpoolBatch> ReadAsync(long from, int maxBytes, CancellationToken cancellationToken)
    {
        while (true)
        {
            await _log.WaitForFrameAsync(from, cancellationToken);
            var batch = Read(from, maxBytes);
            if (batch.Frames.Count > 0)
                return batch;
            batch.Dispose();
            from = batch.End;
        }
    }

    /// <summary>Everything before <paramref name="position"/> is delivered and need not be kept for this cursor.</summary>
    public void Advance(long position)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(position, Position);
        WritePlace(_file, position);
        _log.CursorMoved(this, position);
    }

    internal static SpoolCursor Open(SpoolLog log, string path, long oldest, long end)
    {
        var file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        Span<byte> place = stackalloc byte[12];
        var known = RandomAccess.Read(file, place, 0) == place.Length
            && BinaryPrimitives.ReadUInt32LittleEndian(place[8..]) == Crc32.HashToUInt32(place[..8]);
        // An unreadable place means everything again, never something less.
        var position = known ? Math.Clamp(BinaryPrimitives.ReadInt64LittleEndian(place), oldest, end) : oldest;
        // Now, so that a disk which is full later has room for it: what is delivered then must still be written down, or nothing would ever be deleted.
        WritePlace(file, position);
        return new SpoolCursor(log, file, position);
    }

    private static void WritePlace(SafeFileHandle file, long position)
    {
        Span<byte> place = stackalloc byte[12];
        BinaryPrimitives.WriteInt64LittleEndian(place, position);
        BinaryPrimitives.WriteUInt32LittleEndian(place[8..], Crc32.HashToUInt32(place[..8]));
        RandomAccess.Write(file, place, 0);
    }

    internal void Close() => _file.Dispose();

    /// <summary>The frames at <paramref name="from"/>; none, with the place to go on from, where everything up to the segment's end is damaged.</summary>
    private SpoolBatch Read(long from, int maxBytes)
    {
        var (segment, offset, readable) = _log.Locate(from) ?? throw new InvalidOperationException("There is no frame to read.");
        while (offset < readable)
        {
            var batch = Read(segment, offset, readable, maxBytes);
            if (batch.Frames.Count > 0)
                return batch;
            batch.Dispose();
            offset = _log.SkipDamaged(segment, offset, readable);
        }

        return new SpoolBatch([], [], segment.Start + offset, segment.Start + offset);
    }

    /// <summary>The intact frames from <paramref name="offset"/> on.</summary>
    private static SpoolBatch Read(SpoolSegment segment, long offset, long readable, int maxBytes)
    {
        Span<byte> header = stackalloc byte[SpoolFrame.HeaderBytes];
        SpoolSegment.ReadFully(segment.Handle, header, offset);
        var first = Math.Max(0, SpoolFrame.BodyLength(header));
        var size = (int)Math.Min(readable - offset, Math.Max(maxBytes, SpoolFrame.HeaderBytes + first));
        var buffer = ArrayPool<byte>.Shared.Rent(size);
        var frames = new List<ReadOnlyMemory<byte>>();
        var at = 0;
        try
        {
            SpoolSegment.ReadFully(segment.Handle, buffer.AsSpan(0, size), offset);
            while (size - at >= SpoolFrame.HeaderBytes)
            {
                var body = SpoolFrame.BodyLength(buffer.AsSpan(at));
                var frame = SpoolFrame.HeaderBytes + body;
                if (body < 0 || size - at < frame || !SpoolFrame.IsIntact(buffer.AsSpan(at, frame)))
                    break;
                frames.Add(buffer.AsMemory(at + SpoolFrame.HeaderBytes, body));
                at += frame;
            }
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(buffer);
            throw;
        }

        return new SpoolBatch(buffer, frames, segment.Start + offset, segment.Start + offset + at);
    }
}

/// <summary>Frames in order, in pooled memory that is valid until the batch is disposed.</summary>
public sealed class SpoolBatch : IDisposable
{
    private byte[]? _buffer;

    internal SpoolBatch(byte[] buffer, IReadOnlyList<ReadOnlyMemory<byte>> frames, long start, long end)
    {
        _buffer = buffer;
        Frames = frames;
        Start = start;
        End = end;
    }

    /// <summary>The bodies.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Frames { get; }

    /// <summary>The position of the first frame.</summary>
    public long Start { get; }

    /// <summary>How much of the log this is.</summary>
    public long Bytes => End - Start;

    /// <summary>The position after the last frame: what to pass to <see cref="SpoolCursor.Advance"/>.</summary>
    public long End { get; }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _buffer, null) is { Length: > 0 } buffer)
            ArrayPool<byte>.Shared.Return(buffer);
    }
}
