using System.Text.Json;
using Amazon.DynamoDBv2.Model;
using ChatPlatform.Api.Tables;
using ChatPlatform.Contracts.Rooms;

namespace ChatPlatform.Api.Rooms.Log;

/// <summary>
/// Items of <c>chat-log</c>. An item is an entry; the item of a <c>message.created</c> entry is also where the message's current state lives:
/// map <c>message</c>, and the string set <c>reactions</c> whose elements are <c>EMOJI USERID</c>, so that a reaction is one atomic <c>ADD</c> or <c>DELETE</c>.
/// <c>messageCount</c> on every item is the number of messages up to and including it: a read position's ordinal is one GetItem.
/// </summary>
internal static class EntryItems
{
    public const string Reactions = "reactions";

    public static Dictionary<string, AttributeValue> ToItem(Entry entry, long messageCount)
    {
        var item = new Dictionary<string, AttributeValue>
        {
            ["roomId"] = Attributes.S(entry.RoomId),
            ["seq"] = Attributes.N(entry.Seq),
            ["type"] = Attributes.S(entry.Type),
            ["at"] = Attributes.Time(entry.At),
            ["actorId"] = Attributes.S(entry.ActorId),
            ["messageCount"] = Attributes.N(messageCount),
        };
        if (entry.Message is { } message)
            item["message"] = new AttributeValue { M = ToMap(message) };
        if (entry.TargetSeq is { } target)
            item["targetSeq"] = Attributes.N(target);
        if (entry.Text is not null)
            item["text"] = Attributes.S(entry.Text);
        if (entry.Emoji is not null)
            item["emoji"] = Attributes.S(entry.Emoji);
        if (entry.UserIds is not null)
            item["userIds"] = new AttributeValue { L = entry.UserIds.Select(Attributes.S).ToList() };
        if (entry.Title is not null)
            item["title"] = Attributes.S(entry.Title);
        return item;
    }

    /// <summary>The entry as <paramref name="readerId"/> sees it.</summary>
    public static Entry ToEntry(IReadOnlyDictionary<string, AttributeValue> item, string? readerId) =>
        new(item.Text("roomId"), item.Number("seq"), item.Text("type"), item.Time("at"), item.Text("actorId"))
        {
            Message = item.ContainsKey("message") ? ToMessage(item, readerId) : null,
            TargetSeq = item.ContainsKey("targetSeq") ? item.Number("targetSeq") : null,
            Text = item.TextOrNull("text"),
            Emoji = item.TextOrNull("emoji"),
            UserIds = item.TryGetValue("userIds", out var users) ? users.L.Select(user => user.S).ToList() : null,
            Title = item.TextOrNull("title"),
        };

    /// <summary>The message of a <c>message.created</c> item in its current state.</summary>
    public static Message ToMessage(IReadOnlyDictionary<string, AttributeValue> item, string? readerId)
    {
        var map = item["message"].M;
        return new Message(
            item.Text("roomId"),
            item.Number("seq"),
            map.Number("ordinal"),
            map.Text("senderId"),
            Enum.Parse<MessageKind>(map.Text("kind"), ignoreCase: true),
            map.TextOrNull("text"),
            map.Text("clientMessageId"),
            map.Time("createdAt"))
        {
            Attachments = map.TryGetValue("attachments", out var attachments) ? attachments.L.Select(attachment => ToAttachment(attachment.M)).ToList() : [],
            Payload = map.TextOrNull("payload") is { } payload ? JsonElement.Parse(payload) : null,
            EditedAt = map.TimeOrNull("editedAt"),
            DeletedAt = map.TimeOrNull("deletedAt"),
            Reactions = item.TryGetValue(Reactions, out var set) ? ToReactions(set.SS ?? [], readerId) : [],
        };
    }

    /// <summary>An entry of a view that is nobody's own, as one reader sees it.</summary>
    public static Entry SeenBy(this Entry entry, string readerId) => entry.Message is { Reactions: { Count: > 0 } reactions } message
        ? entry with
        {
            Message = message with
            {
                Reactions = reactions.Select(reaction => reaction.UserIds is { } users ? reaction with { Mine = users.Contains(readerId), UserIds = null } : reaction).ToList(),
            },
        }
        : entry;

    /// <summary>An element of the set <see cref="Reactions"/>.</summary>
    public static string ReactionElement(string emoji, string userId) => $"{emoji} {userId}";

    private static Dictionary<string, AttributeValue> ToMap(Message message)
    {
        var map = new Dictionary<string, AttributeValue>
        {
            ["ordinal"] = Attributes.N(message.Ordinal),
            ["senderId"] = Attributes.S(message.SenderId),
            ["kind"] = Attributes.S(message.Kind.ToString().ToLowerInvariant()),
            ["clientMessageId"] = Attributes.S(message.ClientMessageId),
            ["createdAt"] = Attributes.Time(message.CreatedAt),
        };
        if (message.Text is not null)
            map["text"] = Attributes.S(message.Text);
        if (message.Payload is { } payload)
            map["payload"] = Attributes.S(payload.GetRawText());
        if (message.Attachments.Count > 0)
            map["attachments"] = new AttributeValue { L = message.Attachments.Select(attachment => new AttributeValue { M = ToMap(attachment) }).ToList() };
        return map;
    }

    private static Dictionary<string, AttributeValue> ToMap(MessageAttachment attachment)
    {
        var map = new Dictionary<string, AttributeValue>
        {
            ["attachmentId"] = Attributes.S(attachment.AttachmentId),
            ["contentType"] = Attributes.S(attachment.ContentType),
            ["size"] = Attributes.N(attachment.Size),
        };
        if (attachment.FileName is not null)
            map["fileName"] = Attributes.S(attachment.FileName);
        return map;
    }

    private static MessageAttachment ToAttachment(IReadOnlyDictionary<string, AttributeValue> map) =>
        new(map.Text("attachmentId"), map.Text("contentType"), map.Number("size")) { FileName = map.TextOrNull("fileName") };

    private static List<Reaction> ToReactions(IEnumerable<string> elements, string? readerId) =>
        elements.Select(element => (Emoji: element[..element.IndexOf(' ')], UserId: element[(element.IndexOf(' ') + 1)..]))
            .GroupBy(reaction => reaction.Emoji, StringComparer.Ordinal)
            .OrderBy(group => group.Key, StringComparer.Ordinal)
            .Select(group => new Reaction(group.Key, group.Count(), group.Any(reaction => reaction.UserId == readerId))
            {
                UserIds = readerId is null ? group.Select(reaction => reaction.UserId).ToList() : null,
            })
            .ToList();
}
