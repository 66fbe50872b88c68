using ChatPlatform.Contracts.Rooms;

namespace ChatPlatform.Contracts.Events;

/// <summary><c>data</c> of <see cref="ChatEventTypes.RoomCreated"/>.</summary>
public sealed record RoomCreatedData(string RoomId, RoomKind Kind, string CreatedBy, IReadOnlyList<string> MemberIds)
{
    public string? Title { get; init; }

    public string? ArticleId { get; init; }
}

/// <summary><c>data</c> of <see cref="ChatEventTypes.MemberJoined"/> and <see cref="ChatEventTypes.MemberLeft"/>.</summary>
public sealed record MembersChangedData(string RoomId, long Seq, string ActorId, IReadOnlyList<string> UserIds);

/// <summary><c>data</c> of <see cref="ChatEventTypes.MessageCreated"/>.</summary>
public sealed record MessageCreatedData(string RoomId, long Seq, long Ordinal, Message Message);

/// <summary><c>data</c> of <see cref="ChatEventTypes.MessageDeleted"/>; <c>TargetSeq</c> is the message, <c>Seq</c> the entry that says so.</summary>
public sealed record MessageDeletedData(string RoomId, long Seq, long TargetSeq, string ActorId);

/// <summary><c>data</c> of <see cref="ChatEventTypes.MessageRead"/>.</summary>
public sealed record MessageReadData(string RoomId, string UserId, long Seq);

/// <summary><c>data</c> of <see cref="ChatEventTypes.DeliveryMissed"/>: the members that had no live connection when the message was delivered, its sender never among them.</summary>
public sealed record DeliveryMissedData(string RoomId, long Seq, IReadOnlyList<string> UserIds, Message Message);

/// <summary><c>data</c> of <see cref="ChatEventTypes.UserBlocked"/>.</summary>
public sealed record UserBlockedData(string UserId, string BlockedUserId);
