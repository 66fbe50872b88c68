using System.Text.Json;
using System.Threading.Channels;
using ChatPlatform.Api.Access;
using ChatPlatform.Api.Attachments;
using ChatPlatform.Api.Delivery;
using ChatPlatform.Api.Messages;
using ChatPlatform.Api.Rooms;
using ChatPlatform.Api.Rooms.Log;
using ChatPlatform.Api.Sessions;
using ChatPlatform.Contracts.Protos.Chat.V1;
using ChatPlatform.Contracts.Rooms;
using ChatPlatform.ServiceDefaults.Authentication;
using Grpc.Core;
using Microsoft.AspNetCore.Authorization;
using CreateRoomRequest = ChatPlatform.Contracts.Protos.Chat.V1.CreateRoomRequest;
using SendMessageRequest = ChatPlatform.Contracts.Protos.Chat.V1.SendMessageRequest;

namespace ChatPlatform.Api.Grpc;

/// <summary>chat.v1.ChatService: unpacks, calls the same operations as REST, packs.</summary>
[Authorize(ChatAuthentication.UserPolicy)]
internal sealed class ChatGrpcService(
    ChatRooms rooms, ChatMessages messages, ChatAttachments attachments, RoomPositions positions, RoomFeeds feeds, TimeProvider time) : ChatService.ChatServiceBase
{
    private const int MaxSubscribedRooms = 100;

    public override async Task<CreateRoomResponse> CreateRoom(CreateRoomRequest request, ServerCallContext context)
    {
        var kind = ParseKind<RoomKind>(request.Kind, "direct or group");
        var (room, created) = await rooms.CreateAsync(
            Caller(context), new(kind, NullIfEmpty(request.Title), request.MemberIds, NullIfEmpty(request.ArticleId)), context.CancellationToken);
        return new CreateRoomResponse { Room = room.ToProto(), Created = created };
    }

    public override async Task<Contracts.Protos.Chat.V1.Room> GetRoom(GetRoomRequest request, ServerCallContext context) =>
        (await rooms.GetAsync(Caller(context), request.RoomId, context.CancellationToken)).ToProto();

    public override async Task<ListRoomsResponse> ListRooms(ListRoomsRequest request, ServerCallContext context)
    {
        var page = await rooms.ListAsync(Caller(context), NullIfZero(request.Limit), NullIfEmpty(request.Cursor), context.CancellationToken);
        var answer = new ListRoomsResponse { NextCursor = page.NextCursor ?? "" };
        answer.Items.AddRange(page.Items.Select(room => new RoomListItem
        {
            Room = room.ToProto(),
            UnreadCount = room.UnreadCount ?? 0,
            LastReadSeq = room.LastReadSeq ?? 0,
            LastMessage = room.LastMessage?.ToProto(),
        }));
        return answer;
    }

    public override async Task<Contracts.Protos.Chat.V1.Room> RenameRoom(Contracts.Protos.Chat.V1.RenameRoomRequest request, ServerCallContext context) =>
        (await rooms.RenameAsync(Caller(context), request.RoomId, request.Title, context.CancellationToken)).ToProto();

    public override async Task<Contracts.Protos.Chat.V1.Room> AddMembers(Contracts.Protos.Chat.V1.AddMembersRequest request, ServerCallContext context) =>
        (await rooms.AddMembersAsync(Caller(context), request.RoomId, request.UserIds, context.CancellationToken)).ToProto();

    public override async Task<RemoveMemberResponse> RemoveMember(RemoveMemberRequest request, ServerCallContext context)
    {
        await rooms.LeaveAsync(Caller(context), request.RoomId, request.UserId, context.CancellationToken);
        return new RemoveMemberResponse();
    }

    public override async Task<SendMessageResponse> SendMessage(SendMessageRequest request, ServerCallContext context)
    {
        var kind = ParseKind<MessageKind>(request.Kind, "text, image, sticker or location");
        var (message, created) = await messages.SendAsync(
            Caller(context), request.RoomId, new(request.ClientMessageId, kind, request.Text, ParsePayload(request.PayloadJson.Memory), request.AttachmentIds), context.CancellationToken);
        return new SendMessageResponse { Message = message.ToProto(), Created = created };
    }

    public override async Task<ListMessagesResponse> ListMessages(ListMessagesRequest request, ServerCallContext context)
    {
        var page = await messages.ListAsync(
            Caller(context),
            request.RoomId,
            NullIfZero(request.Limit),
            request.HasBefore ? request.Before : null,
            request.HasAfter ? request.After : null,
            context.CancellationToken);
        var answer = new ListMessagesResponse { NextCursor = page.NextCursor ?? "" };
        answer.Items.AddRange(page.Items.Select(message => message.ToProto()));
        return answer;
    }

    public override async Task<Contracts.Protos.Chat.V1.Message> EditMessage(Contracts.Protos.Chat.V1.EditMessageRequest request, ServerCallContext context) =>
        (await messages.EditAsync(Caller(context), request.RoomId, request.Seq, request.Text, context.CancellationToken)).ToProto();

    public override async Task<Contracts.Protos.Chat.V1.Message> DeleteMessage(DeleteMessageRequest request, ServerCallContext context) =>
        (await messages.DeleteAsync(Caller(context), request.RoomId, request.Seq, context.CancellationToken)).ToProto();

    public override async Task<Contracts.Protos.Chat.V1.Message> SetReaction(SetReactionRequest request, ServerCallContext context) =>
        (await messages.ReactAsync(Caller(context), request.RoomId, request.Seq, request.Emoji, request.Present, context.CancellationToken)).ToProto();

    public override async Task<CreateAttachmentResponse> CreateAttachment(Contracts.Protos.Chat.V1.CreateAttachmentRequest request, ServerCallContext context)
    {
        var upload = await attachments.CreateAsync(Caller(context), new(request.ContentType, request.Size, request.FileName), context.CancellationToken);
        var answer = new CreateAttachmentResponse
        {
            AttachmentId = upload.AttachmentId,
            Method = upload.Method,
            UploadUrl = upload.UploadUrl,
            ExpiresAt = Google.Protobuf.WellKnownTypes.Timestamp.FromDateTimeOffset(upload.ExpiresAt),
        };
        answer.Headers.Add(upload.Headers.ToDictionary());
        return answer;
    }

    public override async Task<GetLogResponse> GetLog(GetLogRequest request, ServerCallContext context)
    {
        var page = await messages.LogAsync(Caller(context), request.RoomId, request.After, NullIfZero(request.Limit), context.CancellationToken, request.Shared);
        var answer = new GetLogResponse { LastSeq = page.LastSeq };
        answer.Items.AddRange(page.Items.Select(entry => entry.ToProto()));
        return answer;
    }

    public override async Task<GetPositionsResponse> GetPositions(GetPositionsRequest request, ServerCallContext context)
    {
        var answer = new GetPositionsResponse();
        foreach (var (roomId, lastSeq) in await positions.FindAsync(Caller(context), request.RoomIds, context.CancellationToken))
            answer.LastSeqs[roomId] = lastSeq;
        return answer;
    }

    public override async Task<SetReadPositionResponse> SetReadPosition(SetReadPositionRequest request, ServerCallContext context) =>
        new() { Seq = await rooms.ReadAsync(Caller(context), request.RoomId, request.Seq, context.CancellationToken) };

    public override async Task<NotifyTypingResponse> NotifyTyping(NotifyTypingRequest request, ServerCallContext context)
    {
        await rooms.NotifyTypingAsync(Caller(context), request.RoomId, context.CancellationToken);
        return new NotifyTypingResponse();
    }

    /// <summary>
    /// The rooms' logs from where the subscriber is, then each new entry as delivery brings it. A caller who leaves a room, or whose token ends, gets the refusal that any call would
    /// give.
    /// </summary>
    public override async Task Subscribe(SubscribeRequest request, IServerStreamWriter<Contracts.Protos.Chat.V1.Entry> responseStream, ServerCallContext context)
    {
        if (request.After.Count is 0 or > MaxSubscribedRooms)
            throw Refusals.Invalid("after", $"1 to {MaxSubscribedRooms} rooms");
        var caller = Caller(context);
        var ends = await context.GetHttpContext().TokenRefusedFromAsync();
        var at = request.After.ToDictionary();
        // Strangers make no feed.
        if ((await positions.FindAsync(caller, request.After.Keys.ToList(), context.CancellationToken)).Count < request.After.Count)
            throw Refusals.RoomNotFound();
        // Before the logs are read, so that nothing falls between them and the feed.
        using var feed = await feeds.SubscribeAsync(request.After.Keys.ToList(), context.CancellationToken);
        foreach (var room in request.After.Keys)
            await ReadLogAsync(room);

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);
        var left = ends - time.GetUtcNow();
        // A timer's longest time, should a token live for longer.
        limit.CancelAfter(left < TimeSpan.Zero ? TimeSpan.Zero : left.TotalMilliseconds > int.MaxValue ? TimeSpan.FromMilliseconds(int.MaxValue) : left);
        try
        {
            while (true)
            {
                await feed.WaitAsync(limit.Token);
                foreach (var room in request.After.Keys)
                {
                    if (feed.After(room, at[room]) is { } entries)
                        await WriteAsync(room, entries);
                    else
                        await ReadLogAsync(room);
                }
            }
        }
        catch (ChannelClosedException)
        {
            // This server stops: another one goes on.
            throw Refusals.Unavailable();
        }
        catch (OperationCanceledException) when (!context.CancellationToken.IsCancellationRequested)
        {
            throw new ChatException(401, "unauthenticated", "The access token has expired.");
        }

        async Task ReadLogAsync(string room)
        {
            LogPage page;
            do
            {
                page = await messages.LogAsync(caller, room, at[room], 100, context.CancellationToken);
                await WriteAsync(room, page.Items);
            }
            while (page.Items.Count == 100);
        }

        async Task WriteAsync(string room, IReadOnlyList<Contracts.Rooms.Entry> entries)
        {
            foreach (var entry in entries)
            {
                if (entry.Seq <= at[room])
                    continue;
                await responseStream.WriteAsync((await attachments.WithLinksAsync(entry.SeenBy(caller))).ToProto(), context.CancellationToken);
                at[room] = entry.Seq;
                if (entry.Type == EntryTypes.MemberLeft && entry.UserIds?.Contains(caller) == true)
                    await messages.LogAsync(caller, room, entry.Seq, 1, context.CancellationToken);
            }
        }
    }

    private static string Caller(ServerCallContext context) => context.GetHttpContext().CallerId();

    private static string? NullIfEmpty(string value) => value.Length == 0 ? null : value;

    private static int? NullIfZero(int value) => value == 0 ? null : value;

    private static T ParseKind<T>(string value, string allowed)
        where T : struct, Enum =>
        value.All(char.IsAsciiLetter) && Enum.TryParse<T>(value, ignoreCase: true, out var kind) ? kind : throw Refusals.Invalid("kind", allowed);

    private static JsonElement? ParsePayload(ReadOnlyMemory<byte> json)
    {
        if (json.IsEmpty)
            return null;
        try
        {
            return JsonElement.Parse(json.Span);
        }
        catch (JsonException)
        {
            throw Refusals.Invalid("payload", "a JSON object");
        }
    }
}
