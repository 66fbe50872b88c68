using System.Buffers;
using System.IO.Compression;
using MessagePack;

namespace ChatPlatform.Forwarder.Forward;

/// <summary>
/// A message of any of the four modes (https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1#message-modes), brought to one form: a tag and its entries, concatenated
/// <c>[time, record]</c> values as PackedForward has them.
/// </summary>
/// <param name="Tag">As the sender gave it.</param>
/// <param name="Entries">Whole entries, checked in shape. They lie in the message or in the scratch it was read with, and are valid as long as both.</param>
/// <param name="Count">How many.</param>
/// <param name="Chunk">The id to acknowledge; null when the sender asks for none.</param>
internal sealed record ForwardMessage(string Tag, ReadOnlyMemory<byte> Entries, int Count, string? Chunk)
{
    private const int MaxTagBytes = 1024;
    private const sbyte EventTime = 0;

    /// <param name="message">One whole MessagePack value, framed.</param>
    /// <param name="maxBytes">The most a compressed message may become.</param>
    /// <param name="scratch">Where entries go that do not lie in one piece in the message; overwritten.</param>
    /// <returns>Null for a heartbeat (<c>nil</c>).</returns>
    /// <exception cref="MalformedMessageException">It is no Forward message.</exception>
    public static ForwardMessage? Read(in ReadOnlySequence<byte> message, long maxBytes, ArrayBufferWriter<byte> scratch)
    {
        try
        {
            scratch.ResetWrittenCount();
            return ReadMessage(new MessagePackReader(message), maxBytes, scratch);
        }
        catch (Exception error) when (error is MessagePackSerializationException or EndOfStreamException or InvalidDataException or OverflowException)
        {
            throw new MalformedMessageException("the message is not what the protocol allows: " + error.Message, error);
        }
    }

    private static ForwardMessage? ReadMessage(MessagePackReader reader, long maxBytes, ArrayBufferWriter<byte> scratch)
    {
        if (reader.TryReadNil())
            return null;
        var parts = Require(reader.NextMessagePackType == MessagePackType.Array, "a message must be an array") ? reader.ReadArrayHeader() : 0;
        Require(parts is >= 2 and <= 4, $"a message has {parts} parts");
        Require(reader.NextMessagePackType == MessagePackType.String, "the tag must be a string");
        var tag = reader.ReadString()!;
        Require(tag.Length is > 0 and <= MaxTagBytes, "the tag is empty or too long");

        switch (reader.NextMessagePackType)
        {
            case MessagePackType.Array:
                return Forward(ref reader, tag, parts, scratch);
            case MessagePackType.Binary or MessagePackType.String:
                return PackedForward(ref reader, tag, parts, maxBytes, scratch);
            default:
                return Message(ref reader, tag, parts, scratch);
        }
    }

    /// <summary><c>[tag, time, record, option?]</c></summary>
    private static ForwardMessage Message(ref MessagePackReader reader, string tag, int parts, ArrayBufferWriter<byte> scratch)
    {
        Require(parts >= 3, "a message has no record");
        var time = Raw(ref reader);
        var record = Raw(ref reader);
        var writer = new MessagePackWriter(scratch);
        writer.WriteArrayHeader(2);
        writer.WriteRaw(time);
        writer.WriteRaw(record);
        writer.Flush();
        return new ForwardMessage(tag, scratch.WrittenMemory, CheckEntries(scratch.WrittenMemory), Options(ref reader, parts - 3).Chunk);
    }

    /// <summary><c>[tag, [[time, record], …], option?]</c></summary>
    private static ForwardMessage Forward(ref MessagePackReader reader, string tag, int parts, ArrayBufferWriter<byte> scratch)
    {
        var count = reader.ReadArrayHeader();
        var start = reader.Position;
        for (var i = 0; i < count; i++)
            reader.Skip();
        var entries = Contiguous(reader.Sequence.Slice(start, reader.Position), scratch);
        Require(CheckEntries(entries) == count, "an entry is no [time, record]");
        return new ForwardMessage(tag, entries, count, Options(ref reader, parts - 2).Chunk);
    }

    /// <summary><c>[tag, bin, option?]</c>, the binary being entries, or gzip of entries where the option says <c>"compressed": "gzip"</c>.</summary>
    private static ForwardMessage PackedForward(ref MessagePackReader reader, string tag, int parts, long maxBytes, ArrayBufferWriter<byte> scratch)
    {
        // Old senders pack the entries as a string.
        var packed = (reader.NextMessagePackType == MessagePackType.Binary ? reader.ReadBytes() : reader.ReadStringSequence())!.Value;
        var (chunk, compressed) = Options(ref reader, parts - 2);
        var entries = compressed ? Decompress(packed.ToArray(), maxBytes, scratch) : Contiguous(packed, scratch);
        return new ForwardMessage(tag, entries, CheckEntries(entries), chunk);
    }

    private static (string? Chunk, bool Compressed) Options(ref MessagePackReader reader, int left)
    {
        // Old Docker log drivers send nil.
        if (left <= 0 || reader.TryReadNil())
            return (null, false);
        Require(reader.NextMessagePackType == MessagePackType.Map, "the option must be a map");
        string? chunk = null;
        var compressed = false;
        for (var pairs = reader.ReadMapHeader(); pairs > 0; pairs--)
        {
            Require(reader.NextMessagePackType == MessagePackType.String, "an option's name must be a string");
            switch (reader.ReadString())
            {
                case "chunk":
                    Require(reader.NextMessagePackType == MessagePackType.String, "'chunk' must be a string");
                    chunk = reader.ReadString();
                    break;
                case "compressed":
                    Require(reader.NextMessagePackType == MessagePackType.String, "'compressed' must be a string");
                    var algorithm = reader.ReadString();
                    Require(algorithm is "gzip" or "text", $"'compressed' is '{algorithm}', not gzip");
                    compressed = algorithm == "gzip";
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        return (chunk, compressed);
    }

    private static ReadOnlyMemory<byte> Decompress(byte[] packed, long maxBytes, ArrayBufferWriter<byte> scratch)
    {
        using var gzip = new GZipStream(new MemoryStream(packed), CompressionMode.Decompress);
        for (int read; (read = gzip.Read(scratch.GetSpan(64 * 1024))) > 0;)
        {
            Require(scratch.WrittenCount + read <= maxBytes, $"the message decompresses to more than {maxBytes} bytes");
            scratch.Advance(read);
        }

        return scratch.WrittenMemory;
    }

    private static ReadOnlyMemory<byte> Contiguous(in ReadOnlySequence<byte> bytes, ArrayBufferWriter<byte> scratch)
    {
        if (bytes.IsSingleSegment)
            return bytes.First;
        foreach (var piece in bytes)
            scratch.Write(piece.Span);
        return scratch.WrittenMemory;
    }

    /// <summary>Counts the entries.</summary>
    /// <exception cref="MalformedMessageException">The bytes are not whole values, each <c>[time, map]</c> or <c>[[time, metadata], map]</c>.</exception>
    private static int CheckEntries(ReadOnlyMemory<byte> entries)
    {
        var framer = new MessageFramer(entries.Length);
        var count = 0;
        for (var rest = new ReadOnlySequence<byte>(entries); !rest.IsEmpty; count++)
        {
            if (!framer.TryFrame(rest, out var length))
                throw new MalformedMessageException("the entries end in the middle of one");
            CheckEntry(new MessagePackReader(rest.Slice(0, length)));
            rest = rest.Slice(length);
        }

        return count;
    }

    private static void CheckEntry(MessagePackReader reader)
    {
        Require(reader.NextMessagePackType == MessagePackType.Array && reader.ReadArrayHeader() == 2, "an entry is no [time, record]");
        if (reader.NextMessagePackType == MessagePackType.Array)
        {
            Require(reader.ReadArrayHeader() == 2, "an entry's head is no [time, metadata]");
            CheckTime(ref reader);
            reader.Skip();
        }
        else
        {
            CheckTime(ref reader);
        }

        Require(reader.NextMessagePackType == MessagePackType.Map, "a record must be a map");
    }

    private static void CheckTime(ref MessagePackReader reader)
    {
        switch (reader.NextMessagePackType)
        {
            case MessagePackType.Integer:
                reader.Skip();
                return;
            case MessagePackType.Extension:
                var extension = reader.ReadExtensionFormat();
                Require(extension.TypeCode == EventTime && extension.Data.Length == 8, "a time is no EventTime");
                return;
            default:
                throw new MalformedMessageException("a time must be an integer or an EventTime");
        }
    }

    private static ReadOnlySequence<byte> Raw(ref MessagePackReader reader)
    {
        var start = reader.Position;
        reader.Skip();
        return reader.Sequence.Slice(start, reader.Position);
    }

    private static bool Require(bool holds, string otherwise) => holds ? true : throw new MalformedMessageException(otherwise);
}
