using System.Net;
using System.Text.Json;

namespace ChatPlatform.Smoke.Clients;

/// <summary>A message as a sender was answered.</summary>
/// <param name="Status">201 for a new one, 200 for a retry; 201 for an <c>ack</c>, which does not say.</param>
public sealed record StoredMessage(long Seq, long Ordinal, string? ClientMessageId, string? Text, HttpStatusCode Status)
{
    public static StoredMessage Read(JsonElement message, HttpStatusCode status) => new(
        message.GetProperty("seq").GetInt64(),
        message.GetProperty("ordinal").GetInt64(),
        EntryJson.Text(message, "clientMessageId"),
        EntryJson.Text(message, "text"),
        status);
}

/// <summary>
/// Reads an entry of contracts §2, from a frame, the log or a line of the lake. Invalid UTF-8 or a lone surrogate in a text is an <see
/// cref="InvalidOperationException"/>.
/// </summary>
internal static class EntryJson
{
    public static SeenEntry Read(JsonElement entry)
    {
        var message = entry.TryGetProperty("message", out var found) && found.ValueKind == JsonValueKind.Object ? found : default;
        var has = message.ValueKind == JsonValueKind.Object;
        return new SeenEntry(
            entry.GetProperty("roomId").GetString()!,
            entry.GetProperty("seq").GetInt64(),
            entry.GetProperty("type").GetString()!,
            has ? Text(message, "clientMessageId") : null,
            has ? Text(message, "senderId") : null,
            has ? Text(message, "text") : null);
    }

    public static string? Text(JsonElement json, string name) =>
        json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
