using System.Globalization;
using System.Text.Json;
using Amazon.DynamoDBv2.Model;
using ChatPlatform.Api.Access;
using ChatPlatform.Api.Attachments;
using ChatPlatform.Api.Rooms;
using ChatPlatform.Api.Rooms.Log;
using ChatPlatform.Api.Tables;
using ChatPlatform.Api.Users;
using ChatPlatform.Contracts.Rooms;
using ChatPlatform.Contracts.Tables;

namespace ChatPlatform.Api.Messages;

/// <param name="AttachmentIds">Uploads of the sender that the message carries, in this order.</param>
internal sealed record SendMessageRequest(string? ClientMessageId, MessageKind? Kind, string? Text, JsonElement? Payload, IReadOnlyList<string>? AttachmentIds);

internal sealed record EditMessageRequest(string? Text);

/// <summary>The operations on messages, reactions and the log; REST, gRPC and through it the WebSocket call the same ones. Every refusal is a <see cref="ChatException"/>. Thread-safe.</summary>
internal sealed class ChatMessages(RoomStore rooms, RoomLogStore log, RoomSequencers sequencers, BlockList blocks, ChatAttachments attachments)
{
    /// <summary>Sends a message in the caller's name, or finds the one that an earlier try of the same <c>clientMessageId</c> stored.</summary>
    public async Task<(Message Message, bool Created)> SendAsync(string callerId, string roomId, SendMessageRequest request, CancellationToken cancellationToken)
    {
        var member = await rooms.GetMemberAsync(roomId, callerId, cancellationToken);
        if (request.Kind is MessageKind.System or MessageKind.Transfer)
            throw Refusals.Invalid("kind", "text, image, sticker or location");
        Check(request);
        await blocks.RefuseIfBlockedInAsync(member, cancellationToken);
        var attached = await attachments.ResolveAsync(callerId, request.Kind!.Value, request.AttachmentIds, cancellationToken);
        return await CommitAsync(callerId, roomId, request, attached);
    }

    /// <summary>Posts a <c>system</c> or <c>transfer</c> message in another service's name.</summary>
    public async Task<(Message Message, bool Created)> PostAsync(string service, string roomId, SendMessageRequest request, CancellationToken cancellationToken)
    {
        if (request.Kind is not (MessageKind.System or MessageKind.Transfer))
            throw Refusals.Invalid("kind", "system or transfer");
        if (request.AttachmentIds is { Count: > 0 })
            throw Refusals.Invalid("attachmentIds", "left out: attachments are users'");
        Check(request);
        if (await rooms.FindRoomAsync(roomId, cancellationToken) is null)
            throw Refusals.RoomNotFound();
        return await CommitAsync(service, roomId, request, []);
    }

    public async Task<MessagePage> ListAsync(string callerId, string roomId, int? limit, long? before, long? after, CancellationToken cancellationToken)
    {
        await rooms.GetMemberAsync(roomId, callerId, cancellationToken);
        if (before is not null && after is not null)
            throw Refusals.Invalid("before", "left out when after is given");
        if (before is < 0)
            throw Refusals.Invalid("before", "0 or more");
        if (after is < 0)
            throw Refusals.Invalid("after", "0 or more");
        var count = Checks.Limit(limit, 50, 100);
        var forward = after is not null;
        // One more than asked tells whether there is a next page.
        var messages = await log.ListMessagesAsync(roomId, after ?? before ?? long.MaxValue, forward, count + 1, callerId, cancellationToken);
        var items = new List<Message>(Math.Min(count, messages.Count));
        foreach (var message in messages.Take(count))
            items.Add(await attachments.WithLinksAsync(message));
        return new MessagePage(items, messages.Count > count ? items[^1].Seq.ToString(CultureInfo.InvariantCulture) : null);
    }

    /// <summary>A page of the log; <paramref name="shared"/> gives the view that several readers share, where no reaction is the reader's own and each says whose it is.</summary>
    public async Task<LogPage> LogAsync(string callerId, string roomId, long? after, int? limit, CancellationToken cancellationToken, bool shared = false)
    {
        await rooms.GetMemberAsync(roomId, callerId, cancellationToken);
        if (after is < 0)
            throw Refusals.Invalid("after", "0 or more");
        var count = Checks.Limit(limit, 100, 1_000);
        var entries = await log.ListAfterAsync(roomId, after ?? 0, count, shared ? null : callerId, cancellationToken);
        // A page that is not full ends where the log ends.
        var last = entries.Count == count ? (await rooms.FindRoomAsync(roomId, cancellationToken))?.LastSeq ?? 0 : entries.Count > 0 ? entries[^1].Seq : 0;
        if (last == 0)
            last = (await rooms.FindRoomAsync(roomId, cancellationToken))?.LastSeq ?? 0;
        for (var i = 0; i < entries.Count; i++)
            entries[i] = await attachments.WithLinksAsync(entries[i]);
        return new LogPage(entries, last);
    }

    public async Task<Message> EditAsync(string callerId, string roomId, long seq, string? text, CancellationToken cancellationToken)
    {
        var (member, message) = await GetOwnAsync(callerId, roomId, seq, cancellationToken);
        if (message.Kind != MessageKind.Text || string.IsNullOrEmpty(text))
            throw Refusals.Invalid("text", "the new text of a text message, not empty");
        Checks.Text(text);
        await blocks.RefuseIfBlockedInAsync(member, cancellationToken);
        if (message.Text == text)
            return await attachments.WithLinksAsync(message);
        await sequencers.CommitAsync(new RoomChange
        {
            RoomId = roomId,
            ActorId = callerId,
            ToEntry = at => new Entry(roomId, at.Seq, EntryTypes.MessageEdited, at.At, callerId) { TargetSeq = seq, Text = text },
            EstimatedBytes = 1_024 + (text.Length * 6),
            AlsoWritesCount = 1,
            Touches = [$"entry {seq}"],
            WhenRefused = Refusals.MessageDeleted,
            AlsoWrites = at =>
            [
                UpdateMessage(roomId, seq, "SET #message.#text = :text, #message.editedAt = :at", new() { [":text"] = Attributes.S(text), [":at"] = Attributes.Time(at.At) }, text: true),
            ],
        });
        return await GetLinkedAsync(callerId, roomId, seq, cancellationToken);
    }

    /// <summary>Takes the content away and leaves the message's place; idempotent.</summary>
    public async Task<Message> DeleteAsync(string callerId, string roomId, long seq, CancellationToken cancellationToken)
    {
        Message message;
        try
        {
            (_, message) = await GetOwnAsync(callerId, roomId, seq, cancellationToken);
            await sequencers.CommitAsync(new RoomChange
            {
                RoomId = roomId,
                ActorId = callerId,
                ToEntry = at => new Entry(roomId, at.Seq, EntryTypes.MessageDeleted, at.At, callerId) { TargetSeq = seq },
                AlsoWritesCount = 1,
                Touches = [$"entry {seq}"],
                WhenRefused = Refusals.MessageDeleted,
                AlsoWrites = at =>
                [
                    UpdateMessage(roomId, seq, "SET #message.deletedAt = :at REMOVE #message.#text, #message.payload, #message.attachments, reactions", new() { [":at"] = Attributes.Time(at.At) }, text: true),
                ],
            });
        }
        catch (ChatException refused) when (refused.Code == Refusals.MessageDeleted().Code)
        {
            return await GetMessageAsync(callerId, roomId, seq, cancellationToken);
        }

        return await GetMessageAsync(callerId, roomId, message.Seq, cancellationToken);
    }

    /// <summary>Adds the caller's reaction or takes it back; no entry when it is so already.</summary>
    public async Task<Message> ReactAsync(string callerId, string roomId, long seq, string emoji, bool present, CancellationToken cancellationToken)
    {
        var member = await rooms.GetMemberAsync(roomId, callerId, cancellationToken);
        Checks.Emoji(emoji);
        if (present)
            await blocks.RefuseIfBlockedInAsync(member, cancellationToken);
        var message = await GetMessageAsync(callerId, roomId, seq, cancellationToken);
        if (message.DeletedAt is not null)
            throw Refusals.MessageDeleted();
        if (message.Reactions.Any(reaction => reaction.Emoji == emoji && reaction.Mine) == present)
            return await attachments.WithLinksAsync(message);
        var element = EntryItems.ReactionElement(emoji, callerId);
        try
        {
            await sequencers.CommitAsync(new RoomChange
            {
                RoomId = roomId,
                ActorId = callerId,
                ToEntry = at => new Entry(roomId, at.Seq, present ? EntryTypes.ReactionAdded : EntryTypes.ReactionRemoved, at.At, callerId) { TargetSeq = seq, Emoji = emoji },
                AlsoWritesCount = 1,
                Touches = [$"entry {seq}"],
                WhenRefused = () => new ChatException(409, AlreadySo, "The reaction is so already, or the message deleted."),
                AlsoWrites = _ => [UpdateReaction(roomId, seq, element, present)],
            });
        }
        catch (ChatException refused) when (refused.Code == AlreadySo)
        {
            message = await GetMessageAsync(callerId, roomId, seq, cancellationToken);
            return message.DeletedAt is null ? await attachments.WithLinksAsync(message) : throw Refusals.MessageDeleted();
        }

        return await GetLinkedAsync(callerId, roomId, seq, cancellationToken);
    }

    private const string AlreadySo = "already_so";

    private static void Check(SendMessageRequest request)
    {
        Checks.Id(request.ClientMessageId, "clientMessageId");
        // The prefix of other changes' dedupe identities.
        if (request.ClientMessageId!.StartsWith("change:", StringComparison.Ordinal))
            throw Refusals.Invalid("clientMessageId", "an id that does not begin with 'change:'");
        if (request.Kind is null)
            throw Refusals.Invalid("kind", "text, image, sticker or location");
        var mayBeSilent = request.Kind is not (MessageKind.Text or MessageKind.System) || (request.Kind == MessageKind.Text && request.AttachmentIds is { Count: > 0 });
        if (!mayBeSilent && string.IsNullOrEmpty(request.Text))
            throw Refusals.Invalid("text", "not empty");
        Checks.Text(request.Text);
        if (request.Payload is { } payload && payload.ValueKind is not (JsonValueKind.Object or JsonValueKind.Null))
            throw Refusals.Invalid("payload", "a JSON object");
        if (request.Kind is MessageKind.Sticker or MessageKind.Location or MessageKind.Transfer && request.Payload?.ValueKind != JsonValueKind.Object)
            throw Refusals.Invalid("payload", "a JSON object for this kind");
    }

    private async Task<(Message Message, bool Created)> CommitAsync(
        string actorId, string roomId, SendMessageRequest request, IReadOnlyList<MessageAttachment> attached)
    {
        var payload = request.Payload is { ValueKind: JsonValueKind.Object } given ? given : (JsonElement?)null;
        var text = string.IsNullOrEmpty(request.Text) ? null : request.Text;
        var result = await sequencers.CommitAsync(new RoomChange
        {
            RoomId = roomId,
            ActorId = actorId,
            DedupeId = request.ClientMessageId!,
            IsMessage = true,
            EstimatedBytes = 2_048 + ((text?.Length ?? 0) * 3) + (payload is { } json ? json.GetRawText().Length * 3 : 0) + (attached.Count * 2_048),
            ToEntry = at => new Entry(roomId, at.Seq, EntryTypes.MessageCreated, at.At, actorId)
            {
                Message = new Message(roomId, at.Seq, at.MessageCount, actorId, request.Kind!.Value, text, request.ClientMessageId!, at.At)
                {
                    Payload = payload,
                    Attachments = attached,
                },
            },
        });
        return (await attachments.WithLinksAsync(result.Entry.Message!), result.IsNew);
    }

    private async Task<Message> GetMessageAsync(string callerId, string roomId, long seq, CancellationToken cancellationToken) =>
        seq > 0 && await log.FindEntryAsync(roomId, seq, callerId, cancellationToken) is { Message: { } message } ? message : throw Refusals.MessageNotFound();

    private async Task<Message> GetLinkedAsync(string callerId, string roomId, long seq, CancellationToken cancellationToken) =>
        await attachments.WithLinksAsync(await GetMessageAsync(callerId, roomId, seq, cancellationToken));

    private async Task<(MemberRow Member, Message Message)> GetOwnAsync(string callerId, string roomId, long seq, CancellationToken cancellationToken)
    {
        var member = await rooms.GetMemberAsync(roomId, callerId, cancellationToken);
        var message = await GetMessageAsync(callerId, roomId, seq, cancellationToken);
        if (message.SenderId != callerId)
            throw Refusals.NotTheSender();
        if (message.DeletedAt is not null)
            throw Refusals.MessageDeleted();
        return (member, message);
    }

    private static TransactWriteItem UpdateMessage(string roomId, long seq, string update, Dictionary<string, AttributeValue> values, bool text)
    {
        var names = new Dictionary<string, string> { ["#message"] = "message" };
        if (text)
            names["#text"] = "text";
        return new TransactWriteItem
        {
            Update = new Update
            {
                TableName = ChatTables.Log.Name,
                Key = RoomLogStore.EntryKey(roomId, seq),
                UpdateExpression = update,
                ConditionExpression = "attribute_exists(#message) AND attribute_not_exists(#message.deletedAt)",
                ExpressionAttributeNames = names,
                ExpressionAttributeValues = values,
            },
        };
    }

    private static TransactWriteItem UpdateReaction(string roomId, long seq, string element, bool present) => new()
    {
        Update = new Update
        {
            TableName = ChatTables.Log.Name,
            Key = RoomLogStore.EntryKey(roomId, seq),
            UpdateExpression = present ? "ADD reactions :set" : "DELETE reactions :set",
            ConditionExpression = "attribute_exists(#message) AND attribute_not_exists(#message.deletedAt) AND "
                + (present ? "NOT contains(reactions, :one)" : "contains(reactions, :one)"),
            ExpressionAttributeNames = new() { ["#message"] = "message" },
            ExpressionAttributeValues = new() { [":set"] = Attributes.Set(element), [":one"] = Attributes.S(element) },
        },
    };
}
