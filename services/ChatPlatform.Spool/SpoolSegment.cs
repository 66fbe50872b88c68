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

    /// <summary>Opens a segment left by an earlier process and cuts what is no intact frame at its end.</summary>
    /// <returns>The segment, and how many bytes were cut. Bytes that had been a whole frame once (a wrong checksum, not a torn write) are kept in a <c>.cut</c> file beside it.</returns>
    public static (SpoolSegment Segment, long CutBytes) Recover(string path, long start)
    {
        var handle = Open(path, FileMode.Open);
        var fileLength = RandomAccess.GetLength(handle);
        var (intact, damaged) = Scan(handle, fileLength);
        if (intact < fileLength)
        {
            if (damaged)
                KeepCut(handle, intact, fileLength, $"{path}.{intact}.cut");
            RandomAccess.SetLength(handle, intact);
        }

        return (new SpoolSegment(path, start, handle, intact), fileLength - intact);
    }

    public void Delete()
    {
        Handle.Dispose();
        File.Delete(Path);
    }

    public void Dispose() => Handle.Dispose();

    private static SafeFileHandle Open(string path, FileMode mode) =>
        File.OpenHandle(path, mode, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete);

    private static (long Intact, bool Damaged) Scan(SafeFileHandle handle, long fileLength)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(64 * 1024);
        try
        {
            long at = 0;
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

    private static void KeepCut(SafeFileHandle handle, long from, long to, string path)
    {
        var rest = new byte[to - from];
        ReadFully(handle, rest, from);
        File.WriteAllBytes(path, rest);
    }
}
