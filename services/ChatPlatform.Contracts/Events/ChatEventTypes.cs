namespace ChatPlatform.Contracts.Events;

/// <summary>The CloudEvents types on the topic <see cref="Topic"/>. An event's id is stable across redelivery.</summary>
public static class ChatEventTypes
{
    /// <summary>The Kafka topic; its key is the room id (the blocker's user id for <see cref="UserBlocked"/>).</summary>
    public const string Topic = "chat.events";

    /// <summary>The CloudEvents <c>source</c> of all of them.</summary>
    public const string Source = "/chat/api";

    public const string RoomCreated = "chat.room.created.v1";
    public const string MemberJoined = "chat.member.joined.v1";
    public const string MemberLeft = "chat.member.left.v1";
    public const string MessageCreated = "chat.message.created.v1";
    public const string MessageDeleted = "chat.message.deleted.v1";
    public const string MessageRead = "chat.message.read.v1";
    public const string DeliveryMissed = "chat.delivery.missed.v1";
    public const string UserBlocked = "chat.user.blocked.v1";
}
