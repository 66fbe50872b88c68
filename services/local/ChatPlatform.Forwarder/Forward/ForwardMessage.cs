using System.Buffers;
using System.IO.Compression;
using MessagePack;

namespace ChatPlatform.Forwarder.Forward;

/// <summary>
/// A message of any of the four modes (https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1#message-modes), brought to one form: a tag and its entries, concatenated
/// <c>[time, record]</c> values as PackedForward has them.
/// </summary>
/// <param name="Tag">As the sender gave it.</param>
/// <param name="Entries">Whole entries, checked in shape.</param>
/// <param name="Count">How many.</param>
/// <param name="Chunk">The id to acknowledge; null when the sender asks for none.</param>
internal sealed record ForwardMessage(string Tag, ReadOnlyMemory<byte> Entries, int Count, string? Chunk)
{
    private const int MaxTagBytes = 1024;
    private const sbyte EventTime = 0;

    /// <param name="message">One whole MessagePack value, framed.</param>
    /// <param name="maxBytes">The most a compressed message may become.</param>
    /// <returns>Null for a heartbeat (<c>nil</c>).</returns>
    /// <exception cref="MalformedMessageException">It is no Forward message.</exception>
    public static ForwardMessage? Read(in ReadOnlySequence<byte> message, long maxBytes)
    {
        try
        {
            return ReadMessage(new MessagePackReader(message), maxBytes);
        }
        catch (Exception error) when (error is MessagePackSerializationException or EndOfStreamException or InvalidDataException or OverflowException)
        {
            throw new MalformedMessageException("the message is not what the protocol allows: " + error.Message, error);
        }
    }

    private static ForwardMessage? ReadMessage(MessagePackReader reader, long maxBytes)
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
                return Forward(ref reader, tag, parts);
            case MessagePackType.Binary or MessagePackType.String:
                return PackedForward(ref reader, tag, parts, maxBytes);
            default:
                return Message(ref reader, tag, parts);
        }
    }

    /// <summary><c>[tag, time, record, option?]</c></summary>
    private static ForwardMessage Message(ref MessagePackReader reader, string tag, int parts)
    {
        Require(parts >= 3, "a message has no record");
        var time = Raw(ref reader);
        var record = Raw(ref reader);
        var entry = new ArrayBufferWriter<byte>((int)(time.Length + record.Length + 1));
        var writer = new MessagePackWriter(entry);
        writer.WriteArrayHeader(2);
        writer.WriteRaw(time);
        writer.WriteRaw(record);
        writer.Flush();
        return new ForwardMessage(tag, entry.WrittenMemory, CheckEntries(entry.WrittenMemory), Options(ref reader, parts - 3).Chunk);
    }

    /// <summary><c>[tag, [[time, record], …], option?]</c></summary>
    private static ForwardMessage Forward(ref MessagePackReader reader, string tag, int parts)
    {
        var count = reader.ReadArrayHeader();
        var start = reader.Position;
        for (var i = 0; i < count; i++)
            reader.Skip();
        var entries = reader.Sequence.Slice(start, reader.Position).ToArray();
        Require(CheckEntries(entries) == count, "an entry is no [time, record]");
        return new ForwardMessage(tag, entries, count, Options(ref reader, parts - 2).Chunk);
    }

    /// <summary><c>[tag, bin, option?]</c>, the binary being entries, or gzip of entries where the option says <c>"compressed": "gzip"</c>.</summary>
    private static ForwardMessage PackedForward(ref MessagePackReader reader, string tag, int parts, long maxBytes)
    {
        // Old senders pack the entries as a string.
        var packed = (reader.NextMessagePackType == MessagePackType.Binary ? reader.ReadBytes() : reader.ReadStringSequence())!.Value;
        var (chunk, compressed) = Options(ref reader, parts - 2);
        ReadOnlyMemory<byte> entries = compressed ? Decompress(packed.ToArray(), maxBytes) : packed.ToArray();
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

    private static byte[] Decompress(byte[] packed, long maxBytes)
    {
        using var gzip = new GZipStream(new MemoryStream(packed), CompressionMode.Decompress);
        using var result = new MemoryStream();
        var buffer = ArrayPool<byte>.Shared.Rent(64 * 1024);
        try
        {
            for (int read; (read = gzip.Read(buffer)) > 0;)
            {
                Require(result.Length + read <= maxBytes, $"the message decompresses to more than {maxBytes} bytes");
                result.Write(buffer, 0, read);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        return result.ToArray();
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
