using System.Text.Json;

namespace ChatPlatform.Insights.Events;

/// <summary>What this service takes from an event of the chat: it reads the fields it needs and minds no others, so that the chat may add to them.</summary>
/// <param name="RoomId">The room.</param>
/// <param name="Seq">The place in the room's log; 0 for the room's creation. Grows within a room, whatever is delivered twice.</param>
/// <param name="ArticleId">With a creation: what the room is about; null for a room about no article.</param>
/// <param name="IsMessage">A message was sent.</param>
/// <param name="At">When.</param>
internal readonly record struct ChatEvent(string RoomId, long Seq, string? ArticleId, bool IsMessage, DateTimeOffset At)
{
    private const string RoomCreated = "chat.room.created.v1";
    private const string MessageCreated = "chat.message.created.v1";

    /// <returns>Null for an event that counts nothing.</returns>
    /// <exception cref="JsonException">The value is no CloudEvent of its type; the message names the field, never a value.</exception>
    public static ChatEvent? Parse(ReadOnlyMemory<byte> value)
    {
        using var document = JsonDocument.Parse(value);
        var root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object || Text(root, "type") is not (RoomCreated or MessageCreated))
            return null;
        if (!root.TryGetProperty("data", out var data) || data.ValueKind != JsonValueKind.Object)
            throw new JsonException("'data' is missing or no object.");
        if (!root.TryGetProperty("time", out var time) || time.ValueKind != JsonValueKind.String || !time.TryGetDateTimeOffset(out var at))
            throw new JsonException("'time' is missing or no time.");
        var room = Text(data, "roomId") is { Length: > 0 } id ? id : throw new JsonException("'data.roomId' is missing.");
        if (Text(root, "type") == RoomCreated)
            return new ChatEvent(room, 0, Text(data, "articleId"), IsMessage: false, at);
        if (!data.TryGetProperty("seq", out var seq) || seq.ValueKind != JsonValueKind.Number || !seq.TryGetInt64(out var number) || number <= 0)
            throw new JsonException("'data.seq' is missing or no place in a log.");
        return new ChatEvent(room, number, null, IsMessage: true, at);
    }

    private static string? Text(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
