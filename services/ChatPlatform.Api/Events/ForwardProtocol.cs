using System.Buffers;
using System.Buffers.Binary;
using MessagePack;

namespace ChatPlatform.Api.Events;

/// <summary>
/// The client's half of the Forward protocol v1 (https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1): entries, PackedForward messages and acknowledgements.
/// </summary>
internal static class ForwardProtocol
{
    private const sbyte EventTime = 0;

    /// <summary>
    /// One entry <c>[EventTime, {"key": roomId, "event": json}]</c>. Both values are MessagePack <c>str</c>: Fluent Bit's Kafka output looks for its message key and its raw log key among
    /// string values only.
    /// </summary>
    public static void WriteEntry(IBufferWriter<byte> target, DateTimeOffset time, string roomId, ReadOnlySpan<byte> cloudEventJson)
    {
        var writer = new MessagePackWriter(target);
        writer.WriteArrayHeader(2);
        writer.WriteExtensionFormatHeader(new ExtensionHeader(EventTime, 8));
        var stamp = writer.GetSpan(8);
        BinaryPrimitives.WriteUInt32BigEndian(stamp, (uint)time.ToUnixTimeSeconds());
        BinaryPrimitives.WriteUInt32BigEndian(stamp[4..], (uint)(time.UtcTicks % TimeSpan.TicksPerSecond * 100));
        writer.Advance(8);
        writer.WriteMapHeader(2);
        writer.WriteString("key"u8);
        writer.Write(roomId);
        writer.WriteString("event"u8);
        writer.WriteString(cloudEventJson);
        writer.Flush();
    }

    /// <summary>A PackedForward message of <paramref name="entries"/> that asks for an acknowledgement under the id <paramref name="chunk"/>.</summary>
    public static void WriteMessage(IBufferWriter<byte> target, string tag, IReadOnlyList<ReadOnlyMemory<byte>> entries, string chunk)
    {
        var writer = new MessagePackWriter(target);
        writer.WriteArrayHeader(3);
        writer.Write(tag);
        var length = 0;
        foreach (var entry in entries)
            length += entry.Length;
        writer.WriteBinHeader(length);
        foreach (var entry in entries)
            writer.WriteRaw(entry.Span);
        writer.WriteMapHeader(2);
        writer.WriteString("chunk"u8);
        writer.Write(chunk);
        writer.WriteString("size"u8);
        writer.Write(entries.Count);
        writer.Flush();
    }

    /// <summary>The chunk id of an acknowledgement <c>{"ack": id}</c>.</summary>
    /// <exception cref="InvalidDataException">The message is none.</exception>
    public static string ReadAck(ReadOnlySequence<byte> message)
    {
        try
        {
            var reader = new MessagePackReader(message);
            for (var left = reader.ReadMapHeader(); left > 0; left--)
            {
                if (reader.ReadString() == "ack" && reader.ReadString() is { } id)
                    return id;
            }
        }
        catch (Exception error) when (error is MessagePackSerializationException or EndOfStreamException)
        {
            throw new InvalidDataException("The agent answered with something that is no acknowledgement.", error);
        }

        throw new InvalidDataException("The agent answered with a map that has no 'ack'.");
    }
}
