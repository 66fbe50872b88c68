using System.Buffers.Binary;
using System.Numerics;

namespace ChatPlatform.LocalAws.Storage;

/// <summary>
/// The shape of log segments and snapshots: a header of 16 bytes (four letters, the format's number, the sequence number of the first frame or of the snapshot),
/// then frames: payload length (4 bytes), CRC-32C of length and payload (4 bytes), payload. All little-endian.
/// </summary>
internal static class LogFile
{
    public const int HeaderLength = 16;
    public const int FrameOverhead = 8;
    public const int MaxFrameLength = 256 * 1024 * 1024;
    private const int FirstBuffer = 64 * 1024;

    public static byte[] Header(ReadOnlySpan<byte> mark, long number)
    {
        var header = new byte[HeaderLength];
        mark.CopyTo(header);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(4), DataFolder.FormatVersion);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(8), number);
        return header;
    }

    /// <summary>Writes length and checksum before a payload.</summary>
    public static void WritePrefix(Span<byte> prefix, ReadOnlySpan<byte> payload)
    {
        BinaryPrimitives.WriteInt32LittleEndian(prefix, payload.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(prefix[4..], Checksum(payload));
    }

    /// <summary>
    /// Reads the frames of a file until its end or the first one that is not whole; <paramref name="intact"/> is the offset up to which everything was.
    /// A header that is cut short gives no frames and <paramref name="intact"/> 0. A frame's bytes are valid until the next one is asked for.
    /// </summary>
    /// <exception cref="DataFolderException">The file is of another kind, or of a newer format.</exception>
    public static IEnumerable<ReadOnlyMemory<byte>> Read(FileStream file, byte[] mark, StrongBox intact)
    {
        intact.Offset = 0;
        var header = new byte[HeaderLength];
        if (file.ReadAtLeast(header, HeaderLength, throwOnEndOfStream: false) < HeaderLength)
            yield break;
        if (!header.AsSpan(0, mark.Length).SequenceEqual(mark))
            throw new DataFolderException($"{file.Name} is not a file of this program.");
        var version = BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(4));
        if (version > DataFolder.FormatVersion)
            throw new DataFolderException($"{file.Name} has format {version}; this program reads formats up to {DataFolder.FormatVersion}.");
        intact.Number = BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(8));
        intact.Offset = HeaderLength;
        var prefix = new byte[FrameOverhead];
        var buffer = new byte[FirstBuffer];
        while (file.ReadAtLeast(prefix, FrameOverhead, throwOnEndOfStream: false) == FrameOverhead)
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(prefix);
            if (length is <= 0 or > MaxFrameLength || length > file.Length - file.Position)
                yield break;
            if (length > buffer.Length)
                buffer = new byte[Math.Max(length, buffer.Length * 2)];
            var payload = buffer.AsMemory(0, length);
            if (file.ReadAtLeast(payload.Span, length, throwOnEndOfStream: false) < length || Checksum(payload.Span) != BinaryPrimitives.ReadUInt32LittleEndian(prefix.AsSpan(4)))
                yield break;
            intact.Offset += FrameOverhead + length;
            yield return payload;
        }
    }

    /// <summary>CRC-32C over the length and the payload, so that a frame of zeros is no frame.</summary>
    private static uint Checksum(ReadOnlySpan<byte> payload)
    {
        var crc = BitOperations.Crc32C(~0u, (uint)payload.Length);
        while (payload.Length >= 8)
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(payload));
            payload = payload[8..];
        }

        foreach (var b in payload)
            crc = BitOperations.Crc32C(crc, b);
        return ~crc;
    }

    /// <summary>What a reading of frames found out beside them.</summary>
    public sealed class StrongBox
    {
        /// <summary>The number in the header.</summary>
        public long Number { get; set; }

        /// <summary>The bytes from the start that are whole.</summary>
        public long Offset { get; set; }
    }
}
