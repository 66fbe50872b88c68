using System.Text;
using System.Text.Json;

namespace ChatPlatform.Smoke.Conversations;

/// <summary>
/// Reads a conversation file: one JSON object a line, told apart by <c>type</c>: <c>user</c> (<c>userId</c>, <c>name</c>, optional <c>connected</c>),
/// <c>room</c>
/// (<c>room</c>, <c>kind</c>, <c>articleId</c> or <c>title</c>, <c>members</c>) and <c>message</c> (<c>room</c>, <c>from</c>, <c>clientMessageId</c>,
/// <c>text</c>).
/// </summary>
public static class ConversationLoader
{
    private const int MaxTextLength = 5_000;

    /// <exception cref="FormatException">The file is not what it should be; the message names the line and what was expected there.</exception>
    public static Conversation Load(string path)
    {
        using var stream = File.OpenRead(path);
        return Load(stream);
    }

    /// <inheritdoc cref="Load(string)"/>
    public static Conversation Load(Stream stream)
    {
        var users = new Dictionary<string, ConversationUser>();
        var rooms = new Dictionary<string, ConversationRoom>();
        var messages = new List<ConversationMessage>();
        var ids = new HashSet<string>();
        // Lines end in LF only: a text may hold every other line separator. Invalid UTF-8 is an error, not a question mark.
        using var reader = new StreamReader(stream, new UTF8Encoding(false, throwOnInvalidBytes: true), detectEncodingFromByteOrderMarks: false);
        var lines = reader.ReadToEnd().Split('\n');
        for (var i = 0; i < lines.Length; i++)
        {
            if (lines[i].Length == 0)
                continue;
            try
            {
                using var json = JsonDocument.Parse(lines[i]);
                var line = json.RootElement;
                switch (Text(line, "type"))
                {
                    case "user":
                        var user = new ConversationUser(Text(line, "userId"), Text(line, "name"), !line.TryGetProperty("connected", out var connected) || connected.GetBoolean());
                        Expect(users.TryAdd(user.UserId, user), $"a user id not used before; '{user.UserId}' is");
                        break;
                    case "room":
                        var room = Room(line);
                        Expect(room.Members.Distinct().Count() == room.Members.Count, "each member once");
                        Expect(room.Members.All(users.ContainsKey), "members that are users of the file");
                        Expect(room.IsGroup ? room.Title is not null : room.Members.Count == 2, "a title for a group, two members for a direct room");
                        Expect(rooms.TryAdd(room.Room, room), $"a room name not used before; '{room.Room}' is");
                        break;
                    case "message":
                        var message = new ConversationMessage(Text(line, "room"), Text(line, "from"), Text(line, "clientMessageId"), Text(line, "text"));
                        Expect(rooms.TryGetValue(message.Room, out var where) && where.Members.Contains(message.From), $"a message from a member of a room; '{message.From}' in '{message.Room}' is none");
                        Expect(ids.Add(message.ClientMessageId), $"a clientMessageId not used before; '{message.ClientMessageId}' is");
                        Expect(message.Text.Length is > 0 and <= MaxTextLength, $"a text of 1 to {MaxTextLength} UTF-16 units; it has {message.Text.Length}");
                        messages.Add(message);
                        break;
                    case var other:
                        throw new FormatException($"expected type user, room or message; it is '{other}'");
                }
            }
            catch (Exception error) when (error is JsonException or FormatException or InvalidOperationException)
            {
                throw new FormatException($"line {i + 1}: {error.Message}", error);
            }
        }

        return new Conversation([.. users.Values], [.. rooms.Values], messages);
    }

    private static ConversationRoom Room(JsonElement line)
    {
        var kind = Text(line, "kind");
        Expect(kind is "direct" or "group", $"kind direct or group; it is '{kind}'");
        return new ConversationRoom(
            Text(line, "room"), kind == "group", OptionalText(line, "title"), OptionalText(line, "articleId"),
            [.. line.GetProperty("members").EnumerateArray().Select(member => member.GetString()!)]);
    }

    private static string Text(JsonElement line, string name) =>
        OptionalText(line, name) ?? throw new FormatException($"expected a string in '{name}'");

    private static string? OptionalText(JsonElement line, string name) =>
        line.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static void Expect(bool holds, string what)
    {
        if (!holds)
            throw new FormatException($"expected {what}");
    }
}
