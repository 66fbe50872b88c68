using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ChatPlatform.Api.Rooms;
using ChatPlatform.Api.Rooms.Log;
using ChatPlatform.Contracts.Events;
using ChatPlatform.Contracts.Json;
using ChatPlatform.Contracts.Rooms;

namespace ChatPlatform.Api.Events;

/// <summary>Says what happened to other services (contracts §6). An event's id follows from what happened, so that a repeated one has the same. Thread-safe.</summary>
internal sealed class ChatEvents(IEventPublisher publisher, TimeProvider time) : IEntryEvents
{
    public bool IsFull => publisher.IsFull;

    public ValueTask EntryCommittedAsync(Entry entry, CancellationToken cancellationToken) => entry.Type switch
    {
        EntryTypes.MessageCreated => EntryAsync(
            entry, ChatEventTypes.MessageCreated, new MessageCreatedData(entry.RoomId, entry.Seq, entry.Message!.Ordinal, entry.Message), ChatJson.Wire.MessageCreatedData, cancellationToken),
        EntryTypes.MessageDeleted => EntryAsync(
            entry, ChatEventTypes.MessageDeleted, new MessageDeletedData(entry.RoomId, entry.Seq, entry.TargetSeq!.Value, entry.ActorId), ChatJson.Wire.MessageDeletedData, cancellationToken),
        EntryTypes.MemberJoined => EntryAsync(
            entry, ChatEventTypes.MemberJoined, new MembersChangedData(entry.RoomId, entry.Seq, entry.ActorId, entry.UserIds!), ChatJson.Wire.MembersChangedData, cancellationToken),
        EntryTypes.MemberLeft => EntryAsync(
            entry, ChatEventTypes.MemberLeft, new MembersChangedData(entry.RoomId, entry.Seq, entry.ActorId, entry.UserIds!), ChatJson.Wire.MembersChangedData, cancellationToken),
        _ => ValueTask.CompletedTask,
    };

    public ValueTask DeliveryMissedAsync(Entry entry, IReadOnlyList<string> userIds, CancellationToken cancellationToken) => EntryAsync(
        entry, ChatEventTypes.DeliveryMissed, new DeliveryMissedData(entry.RoomId, entry.Seq, userIds, entry.Message!), ChatJson.Wire.DeliveryMissedData, cancellationToken);

    public ValueTask RoomCreatedAsync(RoomRow room, IReadOnlyList<string> memberIds, CancellationToken cancellationToken) => AppendAsync(
        $"{room.RoomId}:0:{ChatEventTypes.RoomCreated}",
        ChatEventTypes.RoomCreated,
        room.RoomId,
        $"rooms/{room.RoomId}",
        room.CreatedAt,
        new RoomCreatedData(room.RoomId, room.Kind, room.CreatedBy, memberIds) { Title = room.Title, ArticleId = room.ArticleId },
        ChatJson.Wire.RoomCreatedData,
        cancellationToken);

    public ValueTask MessageReadAsync(string roomId, string userId, long seq, CancellationToken cancellationToken) => AppendAsync(
        $"{roomId}:{seq}:{ChatEventTypes.MessageRead}:{userId}",
        ChatEventTypes.MessageRead,
        roomId,
        $"rooms/{roomId}",
        time.GetUtcNow(),
        new MessageReadData(roomId, userId, seq),
        ChatJson.Wire.MessageReadData,
        cancellationToken);

    /// <summary>Its key and subject are the blocker's: there is no room.</summary>
    public ValueTask UserBlockedAsync(string userId, string blockedUserId, DateTimeOffset at, CancellationToken cancellationToken) => AppendAsync(
        $"{userId}:{blockedUserId}:{at.ToUnixTimeMilliseconds()}:{ChatEventTypes.UserBlocked}",
        ChatEventTypes.UserBlocked,
        userId,
        $"users/{userId}",
        at,
        new UserBlockedData(userId, blockedUserId),
        ChatJson.Wire.UserBlockedData,
        cancellationToken);

    private ValueTask EntryAsync<T>(Entry entry, string type, T data, JsonTypeInfo<T> shape, CancellationToken cancellationToken) =>
        AppendAsync($"{entry.RoomId}:{entry.Seq}:{type}", type, entry.RoomId, $"rooms/{entry.RoomId}", entry.At, data, shape, cancellationToken);

    private ValueTask AppendAsync<T>(
        string id, string type, string key, string subject, DateTimeOffset at, T data, JsonTypeInfo<T> shape, CancellationToken cancellationToken)
    {
        var buffer = new ArrayBufferWriter<byte>(1_024);
        CloudEventWriter.Write(
            buffer, id, type, subject, at, (Data: data, Shape: shape), static (json, state) => JsonSerializer.Serialize(json, state.Data, state.Shape));
        return publisher.AppendAsync(key, buffer.WrittenMemory, cancellationToken);
    }
}
