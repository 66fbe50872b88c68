namespace ChatPlatform.Contracts.Rooms;

/// <summary>The types of entries in a room's log.</summary>
public static class EntryTypes
{
    public const string MessageCreated = "message.created";
    public const string MessageEdited = "message.edited";
    public const string MessageDeleted = "message.deleted";
    public const string ReactionAdded = "reaction.added";
    public const string ReactionRemoved = "reaction.removed";
    public const string MemberJoined = "member.joined";
    public const string MemberLeft = "member.left";
    public const string RoomUpdated = "room.updated";
}
