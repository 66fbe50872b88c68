using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using ChatPlatform.LocalAws.S3.Objects;
using ChatPlatform.LocalAws.Storage;

namespace ChatPlatform.LocalAws.Firehose;

/// <summary>
/// The buffered records of one future object, append-only: a 24-byte head (<c>CHATREC1</c>, the object's id), then one frame a record:
/// length of the data (4 bytes), CRC-32C of what follows (4), arrival in milliseconds since 1970 (8), data; all numbers little-endian.
/// A record is in the file before its put is answered. What a crash left half-written fails its checksum and is cut off. Not thread-safe.
/// </summary>
internal sealed class RecordSegment : IDisposable
{
    private const int HeadLength = 24;
    private const int FrameHeadLength = 16;

    /// <summary>Firehose's largest record.</summary>
    public const int MaxRecordBytes = 1_000 * 1024;

    private readonly string? _path;
    private readonly bool _fsync;
    private readonly Stream _file;

    private RecordSegment(string? path, bool fsync, Stream file, Guid id) => (_path, _fsync, _file, Id) = (path, fsync, file, id);

    /// <summary>Names the object, so that a delivery repeated after a crash overwrites its first copy.</summary>
    public Guid Id { get; }

    public int Count { get; private set; }

    /// <summary>Bytes of data, without frames.</summary>
    public long Bytes { get; private set; }

    /// <summary>Arrival of the oldest record; meaningless while there is none.</summary>
    public DateTimeOffset OldestArrival { get; private set; } = DateTimeOffset.MaxValue;

    /// <summary>A new segment in a file, or in memory for a null <paramref name="path"/>.</summary>
    public static RecordSegment Create(string? path, bool fsync)
    {
        Stream file = path is null ? new MemoryStream() : OpenFile(path, FileMode.CreateNew);
        var id = Guid.NewGuid();
        Span<byte> head = stackalloc byte[HeadLength];
        "CHATREC1"u8.CopyTo(head);
        id.TryWriteBytes(head[8..]);
        file.Write(head);
        return new RecordSegment(path, fsync, file, id);
    }

    /// <summary>Reads a segment that an earlier process left and cuts off what is not whole. False, and the file is gone, when not even its head is.</summary>
    public static bool TryRecover(string path, bool fsync, [NotNullWhen(true)] out RecordSegment? segment)
    {
        var file = OpenFile(path, FileMode.Open);
        var head = new byte[HeadLength];
        if (file.ReadAtLeast(head, HeadLength, throwOnEndOfStream: false) < HeadLength || !head.AsSpan(0, 8).SequenceEqual("CHATREC1"u8))
        {
            file.Dispose();
            File.Delete(path);
            segment = null;
            return false;
        }

        segment = new RecordSegment(path, fsync, file, new Guid(head.AsSpan(8)));
        var whole = file.Position;
        foreach (var (arrival, data) in Frames(file))
        {
            segment.Include(arrival, data.Length);
            whole = file.Position;
        }

        file.SetLength(whole);
        file.Position = whole;
        return true;
    }

    /// <summary>Appends records with one write: all of them or, on an error, none.</summary>
    /// <exception cref="IOException">Nothing was kept, e.g. because the disk is full.</exception>
    public void Append(IReadOnlyList<ReadOnlyMemory<byte>> records, DateTimeOffset arrival)
    {
        var frames = new byte[records.Sum(r => FrameHeadLength + r.Length)];
        var at = 0;
        foreach (var record in records)
        {
            var frame = frames.AsSpan(at, FrameHeadLength + record.Length);
            BinaryPrimitives.WriteInt32LittleEndian(frame, record.Length);
            BinaryPrimitives.WriteInt64LittleEndian(frame[8..], arrival.ToUnixTimeMilliseconds());
            record.Span.CopyTo(frame[FrameHeadLength..]);
            BinaryPrimitives.WriteUInt32LittleEndian(frame[4..], (uint)ReflectedCrc.Crc32C.Append(0, frame[8..]));
            at += frame.Length;
        }

        var before = _file.Position;
        try
        {
            _file.Write(frames);
            if (_fsync && _file is FileStream file)
                file.Flush(flushToDisk: true);
        }
        catch (Exception error) when (DataFolder.IsRefusal(error))
        {
            _file.SetLength(before);
            _file.Position = before;
            throw;
        }

        foreach (var record in records)
            Include(DateTimeOffset.FromUnixTimeMilliseconds(arrival.ToUnixTimeMilliseconds()), record.Length);
    }

    /// <summary>Arrival and data of every record in order, read apart from the writer. The data is valid until the next one is read.</summary>
    public IEnumerable<(DateTimeOffset Arrival, ReadOnlyMemory<byte> Data)> Read()
    {
        using Stream copy = _path is null
            ? new MemoryStream(((MemoryStream)_file).GetBuffer(), 0, (int)_file.Length, writable: false)
            : new FileStream(_path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 128 * 1024);
        copy.Position = HeadLength;
        foreach (var frame in Frames(copy))
            yield return frame;
    }

    public void Delete()
    {
        Dispose();
        if (_path is not null)
            File.Delete(_path);
    }

    public void Dispose() => _file.Dispose();

    private void Include(DateTimeOffset arrival, int length)
    {
        Count++;
        Bytes += length;
        if (arrival < OldestArrival)
            OldestArrival = arrival;
    }

    // Stops at the end or at the first frame that is not whole.
    private static IEnumerable<(DateTimeOffset Arrival, ReadOnlyMemory<byte> Data)> Frames(Stream from)
    {
        var head = new byte[FrameHeadLength];
        var content = new byte[8 + MaxRecordBytes];
        while (from.ReadAtLeast(head, FrameHeadLength, throwOnEndOfStream: false) == FrameHeadLength)
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(head);
            if (length is < 0 or > MaxRecordBytes)
                yield break;
            head.AsSpan(8).CopyTo(content);
            if (from.ReadAtLeast(content.AsSpan(8, length), length, throwOnEndOfStream: false) < length
                || (uint)ReflectedCrc.Crc32C.Append(0, content.AsSpan(0, 8 + length)) != BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(4)))
                yield break;
            yield return (DateTimeOffset.FromUnixTimeMilliseconds(BinaryPrimitives.ReadInt64LittleEndian(content)), content.AsMemory(8, length));
        }
    }

    private static FileStream OpenFile(string path, FileMode mode) => new(path, mode, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete, bufferSize: 0);
}
