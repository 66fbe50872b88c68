using System.Buffers.Binary;
using System.IO.Hashing;

namespace ChatPlatform.Spool;

/// <summary>
/// A frame in a segment file, all integers little endian: body length (uint32), CRC-32 over time and body (uint32), time of the append (int64, Unix milliseconds), body.
/// </summary>
internal static class SpoolFrame
{
    public const int HeaderBytes = 16;

    /// <summary>A length beyond this is damage, not a frame.</summary>
    public const int MaxBodyBytes = 128 * 1024 * 1024;

    public static void Write(Span<byte> target, long unixMilliseconds, ReadOnlySpan<byte> body)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(target, (uint)body.Length);
        BinaryPrimitives.WriteInt64LittleEndian(target[8..], unixMilliseconds);
        body.CopyTo(target[HeaderBytes..]);
        BinaryPrimitives.WriteUInt32LittleEndian(target[4..], Crc32.HashToUInt32(target.Slice(8, 8 + body.Length)));
    }

    /// <summary>The body length that a header announces; -1 when it can be no header.</summary>
    public static int BodyLength(ReadOnlySpan<byte> header)
    {
        var length = BinaryPrimitives.ReadUInt32LittleEndian(header);
        return length <= MaxBodyBytes ? (int)length : -1;
    }

    /// <summary>When the frame was appended; null in a header that is damaged.</summary>
    public static DateTimeOffset? Time(ReadOnlySpan<byte> header) =>
        HasTime(header) ? DateTimeOffset.FromUnixTimeMilliseconds(BinaryPrimitives.ReadInt64LittleEndian(header[8..])) : null;

    /// <summary>Whether a header's time lies between the years 2000 and 2100: what random bytes seldom do.</summary>
    public static bool HasTime(ReadOnlySpan<byte> header) => BinaryPrimitives.ReadInt64LittleEndian(header[8..]) is > 946_684_800_000 and < 4_102_444_800_000;

    /// <summary>Whether <paramref name="frame"/>, header and body, is what was written.</summary>
    public static bool IsIntact(ReadOnlySpan<byte> frame) =>
        BinaryPrimitives.ReadUInt32LittleEndian(frame[4..]) == Crc32.HashToUInt32(frame[8..]);
}
