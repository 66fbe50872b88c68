namespace ChatPlatform.Api.Access;

/// <summary>A refusal that the caller is told: REST as problem+json, gRPC as a status with the same code. Its text holds no message text.</summary>
/// <param name="status">The HTTP status.</param>
/// <param name="code">The stable name, e.g. <c>room_not_found</c>.</param>
/// <param name="title">One sentence for a person.</param>
internal sealed class ChatException(int status, string code, string title) : Exception(title)
{
    public int Status { get; } = status;

    public string Code { get; } = code;

    /// <summary>When the caller may try again, for 429 and 503.</summary>
    public TimeSpan? RetryAfter { get; init; }
}

/// <summary>Every refusal there is, so that a code has one status and one wording.</summary>
internal static class Refusals
{
    /// <summary>Also for a room that exists and the caller is no member of: strangers learn nothing.</summary>
    public static ChatException RoomNotFound() => new(404, "room_not_found", "There is no such room among yours.");

    public static ChatException MessageNotFound() => new(404, "message_not_found", "There is no such message in the room.");

    public static ChatException MemberNotFound() => new(404, "member_not_found", "That user is no member of the room.");

    public static ChatException MessageDeleted() => new(409, "message_deleted", "The message was deleted.");

    /// <summary>Also for another user's: nobody names what they did not upload.</summary>
    public static ChatException AttachmentNotFound() => new(404, "attachment_not_found", "There is no such attachment of yours.");

    public static ChatException AttachmentNotUploaded() => new(409, "attachment_not_uploaded", "The attachment was not uploaded yet.");

    public static ChatException NotTheSender() => new(403, "not_the_sender", "Only its sender may change a message.");

    public static ChatException OnlyOneself() => new(403, "only_oneself", "Members leave by themselves; nobody else can be removed.");

    public static ChatException Blocked() => new(403, "blocked", "That user has blocked you.");

    public static ChatException NotAGroup() => new(400, "not_a_group", "That is possible in a group only.");

    public static ChatException TooManyMembers(int limit) => new(400, "too_many_members", $"A room has at most {limit} members.");

    public static ChatException Invalid(string field, string expected) => new(400, "invalid_" + field, $"{field} must be {expected}.");

    public static ChatException TextTooLong(int limit) => new(400, "text_too_long", $"text must be at most {limit} Unicode code points.");

    public static ChatException RateLimited(TimeSpan wait) => new(429, "rate_limited", "Too many calls; try again later.") { RetryAfter = wait };

    public static ChatException Overloaded() =>
        new(503, "overloaded", "The room has too many sends waiting.") { RetryAfter = TimeSpan.FromSeconds(1) };

    /// <summary>The events that other services are owed cannot be kept, so nothing more is taken on that would owe them some.</summary>
    public static ChatException EventsFull() =>
        new(503, "overloaded", "Events wait for delivery and no more can be kept.") { RetryAfter = TimeSpan.FromSeconds(5) };

    /// <summary>The store gave no certain answer in time. A send may be stored or not; a retry with the same <c>clientMessageId</c> is safe.</summary>
    public static ChatException Unavailable() =>
        new(503, "unavailable", "The store did not answer in time; try again.") { RetryAfter = TimeSpan.FromSeconds(1) };
}
