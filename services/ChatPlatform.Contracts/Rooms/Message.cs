using System.Text.Json;
using System.Text.Json.Serialization;
using ChatPlatform.Contracts.Json;

namespace ChatPlatform.Contracts.Rooms;

/// <summary>What a message is. On the wire in lower case; any other value is refused.</summary>
[JsonConverter(typeof(MessageKindConverter))]
public enum MessageKind
{
    Text,
    Image,
    Sticker,
    Location,

    /// <summary>Posted by another service only.</summary>
    Transfer,

    /// <summary>Posted by another service only.</summary>
    System,
}

/// <summary>A message in its current state. All its members are always written, so that its shape is one.</summary>
/// <param name="RoomId">The room.</param>
/// <param name="Seq">The seq of its <c>message.created</c> entry.</param>
/// <param name="Ordinal">Counts the room's messages only, dense from 1.</param>
/// <param name="SenderId">A user id, or a service's name.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Text">At most 5,000 Unicode code points; null once deleted.</param>
/// <param name="ClientMessageId">The sender's own id of the message: a retry with the same one is the same message.</param>
/// <param name="CreatedAt">When it was committed.</param>
public sealed record Message(
    string RoomId,
    long Seq,
    long Ordinal,
    string SenderId,
    MessageKind Kind,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? Text,
    string ClientMessageId,
    DateTimeOffset CreatedAt)
{
    /// <summary>What the message carries besides text; empty for most.</summary>
    public IReadOnlyList<MessageAttachment> Attachments { get; init; } = [];

    /// <summary>A JSON object that belongs to the kind, e.g. a location's coordinates.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public JsonElement? Payload { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public DateTimeOffset? EditedAt { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public DateTimeOffset? DeletedAt { get; init; }

    /// <summary>One per emoji, by code point order; <see cref="Reaction.Mine"/> is the reader's own view and false in frames that several readers share.</summary>
    public IReadOnlyList<Reaction> Reactions { get; init; } = [];
}

/// <summary>A file in S3 that a message names.</summary>
/// <param name="AttachmentId">As the upload call gave it.</param>
/// <param name="ContentType">E.g. <c>image/jpeg</c>.</param>
/// <param name="Size">In bytes.</param>
public sealed record MessageAttachment(string AttachmentId, string ContentType, long Size)
{
    public string? FileName { get; init; }

    /// <summary>A presigned GET, where the reader may fetch it.</summary>
    public string? Url { get; init; }
}

/// <summary>How many members reacted with one emoji.</summary>
public sealed record Reaction(string Emoji, int Count, bool Mine)
{
    /// <summary>Whose they are, where the view is nobody's own; never on the wire.</summary>
    [JsonIgnore]
    public IReadOnlyList<string>? UserIds { get; init; }
}
