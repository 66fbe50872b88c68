using System.Text.Json;
using ChatPlatform.Api.Rooms.Log;
using ChatPlatform.Contracts.Json;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Proto = ChatPlatform.Contracts.Protos.Chat.V1;
using Records = ChatPlatform.Contracts.Rooms;

namespace ChatPlatform.Api.Grpc;

/// <summary>The records as protobuf; each carries its JSON as REST writes it.</summary>
internal static class ProtoRecords
{
    public static Proto.Room ToProto(this Records.Room room)
    {
        var proto = new Proto.Room
        {
            RoomId = room.RoomId,
            Kind = room.Kind == Records.RoomKind.Direct ? "direct" : "group",
            Title = room.Title ?? "",
            ArticleId = room.ArticleId ?? "",
            LastSeq = room.LastSeq,
            MessageCount = room.MessageCount,
            MemberCount = room.MemberCount,
            CreatedAt = room.CreatedAt.ToTimestamp(),
            Json = UnsafeByteOperations.UnsafeWrap(JsonSerializer.SerializeToUtf8Bytes(room, ChatJson.Wire.Room)),
        };
        proto.MemberIds.AddRange((room.Members ?? []).Select(member => member.UserId));
        return proto;
    }

    public static Proto.Message ToProto(this Records.Message message)
    {
        var proto = new Proto.Message
        {
            RoomId = message.RoomId,
            Seq = message.Seq,
            Ordinal = message.Ordinal,
            SenderId = message.SenderId,
            Kind = message.Kind.ToString().ToLowerInvariant(),
            Text = message.Text ?? "",
            ClientMessageId = message.ClientMessageId,
            CreatedAt = message.CreatedAt.ToTimestamp(),
            EditedAt = message.EditedAt?.ToTimestamp(),
            DeletedAt = message.DeletedAt?.ToTimestamp(),
            Json = UnsafeByteOperations.UnsafeWrap(JsonSerializer.SerializeToUtf8Bytes(message, ChatJson.Wire.Message)),
        };
        proto.Reactions.AddRange(message.Reactions.Select(reaction => new Proto.Reaction { Emoji = reaction.Emoji, Count = reaction.Count, Mine = reaction.Mine }));
        return proto;
    }

    public static Proto.Entry ToProto(this Records.Entry entry) => new()
    {
        RoomId = entry.RoomId,
        Seq = entry.Seq,
        Type = entry.Type,
        At = entry.At.ToTimestamp(),
        ActorId = entry.ActorId,
        Reactions = { (entry.Message?.Reactions ?? []).SelectMany(reaction => reaction.UserIds ?? [], (reaction, user) => EntryItems.ReactionElement(reaction.Emoji, user)) },
        Json = UnsafeByteOperations.UnsafeWrap(JsonSerializer.SerializeToUtf8Bytes(entry, ChatJson.Wire.Entry)),
    };
}
