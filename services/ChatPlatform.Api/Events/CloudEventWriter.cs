using System.Buffers;
using System.Text.Json;
using ChatPlatform.Contracts.Json;

namespace ChatPlatform.Api.Events;

/// <summary>
/// Writes a CloudEvent 1.0 in structured JSON (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md). Text stays readable UTF-8: the bytes go to Kafka, never
/// into HTML, so only what JSON itself demands is escaped. Stateless and thread-safe.
/// </summary>
internal static class CloudEventWriter
{
    private const string Source = "/chat/api";

    private static readonly JsonWriterOptions Readable = new() { Encoder = WireEncoder.Instance };

    /// <param name="id">Stable: the same happening has the same id however often it is written, because consumers deduplicate by it.</param>
    /// <param name="type">E.g. <c>chat.message.created.v1</c>.</param>
    /// <param name="roomId">Becomes the subject <c>rooms/ROOM</c>.</param>
    /// <param name="time">When it happened; written in UTC with milliseconds.</param>
    /// <param name="state">Handed to <paramref name="data"/>, so that the callback needs no closure.</param>
    /// <param name="data">Writes exactly one JSON value.</param>
    /// <returns>The UTF-8 bytes of one JSON object.</returns>
    /// <exception cref="InvalidOperationException"><paramref name="data"/> wrote no value, or more than one.</exception>
    public static byte[] Write<TState>(string id, string type, string roomId, DateTimeOffset time, TState state, Action<Utf8JsonWriter, TState> data)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        Write(buffer, id, type, $"rooms/{roomId}", time, state, data);
        return buffer.WrittenSpan.ToArray();
    }

    /// <inheritdoc cref="Write{TState}(string, string, string, DateTimeOffset, TState, Action{Utf8JsonWriter, TState})"/>
    public static void Write<TState>(
        IBufferWriter<byte> target, string id, string type, string subject, DateTimeOffset time, TState state, Action<Utf8JsonWriter, TState> data)
    {
        using var json = new Utf8JsonWriter(target, Readable);
        json.WriteStartObject();
        json.WriteString("specversion"u8, "1.0"u8);
        json.WriteString("id"u8, id);
        json.WriteString("source"u8, Source);
        json.WriteString("type"u8, type);
        json.WriteString("subject"u8, subject);
        json.WriteString("time"u8, time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", System.Globalization.CultureInfo.InvariantCulture));
        json.WriteString("datacontenttype"u8, "application/json"u8);
        json.WritePropertyName("data"u8);
        data(json, state);
        json.WriteEndObject();
        json.Flush();
    }
}
