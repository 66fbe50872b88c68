using System.Text.Json.Serialization;
using ChatPlatform.Contracts.Json;

namespace ChatPlatform.Contracts.Rooms;

/// <summary>On the wire in lower case; any other value is refused.</summary>
[JsonConverter(typeof(RoomKindConverter))]
public enum RoomKind
{
    /// <summary>Two users, for one article at most once.</summary>
    Direct,

    /// <summary>Up to 1,000 members.</summary>
    Group,
}

/// <summary>A room as one of its members sees it.</summary>
public sealed record Room(string RoomId, RoomKind Kind, DateTimeOffset CreatedAt)
{
    public string? Title { get; init; }

    public string? ArticleId { get; init; }

    public required string CreatedBy { get; init; }

    /// <summary>The seq of the newest entry; 0 in a new room.</summary>
    public required long LastSeq { get; init; }

    /// <summary>How many messages were ever sent: the newest message's ordinal.</summary>
    public required long MessageCount { get; init; }

    public required int MemberCount { get; init; }

    /// <summary>When the last entry was committed, or the room created.</summary>
    public required DateTimeOffset ActiveAt { get; init; }

    /// <summary>Left out in lists.</summary>
    public IReadOnlyList<RoomMember>? Members { get; init; }

    /// <summary>The reader's own setting.</summary>
    public bool Muted { get; init; }

    /// <summary>Messages the reader has not read; in lists only.</summary>
    public long? UnreadCount { get; init; }

    /// <summary>The reader's read position; in lists only.</summary>
    public long? LastReadSeq { get; init; }

    /// <summary>The newest message; in lists only, null elsewhere and where there is none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public Message? LastMessage { get; init; }
}

/// <summary>A member of a room.</summary>
public sealed record RoomMember(string UserId, DateTimeOffset JoinedAt, long LastReadSeq);

/// <summary>A page of a list.</summary>
/// <param name="Items">The page's items.</param>
/// <param name="NextCursor">Give it back to read on; null on the last page.</param>
public sealed record RoomPage(IReadOnlyList<Room> Items, [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? NextCursor);

/// <summary>A page of messages.</summary>
/// <param name="Items">The page's items.</param>
/// <param name="NextCursor">The seq to read on from in the same direction; null on the last page.</param>
public sealed record MessagePage(IReadOnlyList<Message> Items, [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? NextCursor);
