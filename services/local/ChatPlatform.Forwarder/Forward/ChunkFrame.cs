using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace ChatPlatform.Forwarder.Forward;

/// <summary>The body of a frame on disk: the tag's length in bytes (uint16, little endian), the tag in UTF-8, then the entries.</summary>
internal static class ChunkFrame
{
    public static void Write(ArrayBufferWriter<byte> target, string tag, ReadOnlySpan<byte> entries)
    {
        var tagBytes = Encoding.UTF8.GetByteCount(tag);
        var span = target.GetSpan(2 + tagBytes + entries.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(span, (ushort)tagBytes);
        Encoding.UTF8.GetBytes(tag, span[2..]);
        entries.CopyTo(span[(2 + tagBytes)..]);
        target.Advance(2 + tagBytes + entries.Length);
    }

    public static (string Tag, ReadOnlyMemory<byte> Entries) Read(ReadOnlyMemory<byte> frame)
    {
        var tagBytes = BinaryPrimitives.ReadUInt16LittleEndian(frame.Span);
        return (Encoding.UTF8.GetString(frame.Span.Slice(2, tagBytes)), frame[(2 + tagBytes)..]);
    }
}
