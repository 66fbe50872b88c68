using System.Globalization;
using System.Text;
using System.Text.Json;

namespace ChatPlatform.Notifier.Delivery;

/// <summary>A <c>chat.delivery.missed.v1</c> event: a message that members with no live connection did not get.</summary>
/// <param name="EventId">The CloudEvent's id: the same in every redelivery.</param>
/// <param name="Preview">What a notification shows; message text, so never logged.</param>
/// <param name="Ordinal">The message's number among the messages of its room; null from a producer that does not say.</param>
internal sealed record MissedDelivery(string EventId, string RoomId, long Seq, long? Ordinal, IReadOnlyList<string> UserIds, string SenderId, string Preview)
{
    public const string Type = "chat.delivery.missed.v1";

    /// <summary>FCM takes 4,096 bytes in all.</summary>
    private const int MaxPreviewBytes = 1_000;

    /// <returns>Null for an event of another type.</returns>
    /// <exception cref="JsonException">The value is no such CloudEvent; the message names the field, never a value.</exception>
    public static MissedDelivery? Parse(ReadOnlyMemory<byte> value)
    {
        using var document = JsonDocument.Parse(value);
        var root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object || Text(root, "type") != Type)
            return null;
        var data = Required(root, "data", JsonValueKind.Object);
        var message = Required(data, "message", JsonValueKind.Object);
        var users = Required(data, "userIds", JsonValueKind.Array);
        if (!Required(data, "seq", JsonValueKind.Number).TryGetInt64(out var seq))
            throw new JsonException("'seq' is no integer.");
        return new MissedDelivery(
            RequiredText(root, "id"),
            RequiredText(data, "roomId"),
            seq,
            message.TryGetProperty("ordinal", out var ordinal) && ordinal.ValueKind == JsonValueKind.Number && ordinal.TryGetInt64(out var number) ? number : null,
            [.. users.EnumerateArray().Select(user => user.ValueKind == JsonValueKind.String ? user.GetString()! : throw new JsonException("'userIds' holds something that is no string."))],
            RequiredText(message, "senderId"),
            Shorten(Text(message, "text") is { Length: > 0 } text ? text : $"[{Text(message, "kind") ?? "message"}]"));
    }

    /// <summary>Cuts between grapheme clusters, so that no emoji or syllable is torn.</summary>
    internal static string Shorten(string text)
    {
        if (Encoding.UTF8.GetByteCount(text) <= MaxPreviewBytes)
            return text;
        var bytes = 0;
        var end = 0;
        while (end < text.Length)
        {
            var cluster = StringInfo.GetNextTextElementLength(text, end);
            bytes += Encoding.UTF8.GetByteCount(text.AsSpan(end, cluster));
            if (bytes > MaxPreviewBytes - 3)
                break;
            end += cluster;
        }

        return string.Concat(text.AsSpan(0, end), "…");
    }

    private static JsonElement Required(JsonElement parent, string name, JsonValueKind kind) =>
        parent.TryGetProperty(name, out var value) && value.ValueKind == kind ? value : throw new JsonException($"'{name}' is missing or no {kind}.");

    private static string RequiredText(JsonElement parent, string name) => Text(parent, name) is { Length: > 0 } text ? text : throw new JsonException($"'{name}' is missing.");

    private static string? Text(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
