namespace ChatPlatform.Contracts.Rooms;

/// <summary>One change in a room's log, as REST, the WebSocket and gRPC show it. Members that an entry's type has no use for are left out.</summary>
/// <param name="RoomId">The room.</param>
/// <param name="Seq">Dense per room from 1, in commit order.</param>
/// <param name="Type">One of <see cref="EntryTypes"/>.</param>
/// <param name="At">When it was committed.</param>
/// <param name="ActorId">Who did it: a user, or a service's name.</param>
public sealed record Entry(string RoomId, long Seq, string Type, DateTimeOffset At, string ActorId)
{
    /// <summary><c>message.created</c>: the message.</summary>
    public Message? Message { get; init; }

    /// <summary><c>message.edited</c>, <c>message.deleted</c>, <c>reaction.*</c>: the seq of the message.</summary>
    public long? TargetSeq { get; init; }

    /// <summary><c>message.edited</c>: the new text.</summary>
    public string? Text { get; init; }

    /// <summary><c>reaction.*</c>: the emoji.</summary>
    public string? Emoji { get; init; }

    /// <summary><c>member.joined</c>, <c>member.left</c>: who.</summary>
    public IReadOnlyList<string>? UserIds { get; init; }

    /// <summary><c>room.updated</c>: the new title.</summary>
    public string? Title { get; init; }
}

/// <summary>A page of a room's log, in order.</summary>
/// <param name="Items">The entries after the asked seq.</param>
/// <param name="LastSeq">The room's last seq when the page was read; a reader at it is up to date.</param>
public sealed record LogPage(IReadOnlyList<Entry> Items, long LastSeq);
