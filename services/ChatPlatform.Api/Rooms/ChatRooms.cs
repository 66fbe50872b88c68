using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Amazon.DynamoDBv2.Model;
using ChatPlatform.Api.Access;
using ChatPlatform.Api.Attachments;
using ChatPlatform.Api.Delivery;
using ChatPlatform.Api.Events;
using ChatPlatform.Api.Rooms.Log;
using ChatPlatform.Api.Rooms.Owners;
using ChatPlatform.Api.Tables;
using ChatPlatform.Api.Users;
using ChatPlatform.Contracts.Frames;
using ChatPlatform.Contracts.Json;
using ChatPlatform.Contracts.Rooms;
using ChatPlatform.Contracts.Tables;
using Google.Protobuf;

namespace ChatPlatform.Api.Rooms;

/// <summary>The operations on rooms, members and read positions; REST and gRPC call the same ones. Every refusal is a <see cref="ChatException"/>. Thread-safe.</summary>
internal sealed class ChatRooms(
    RoomStore rooms,
    RoomLogStore log,
    RoomSequencers sequencers,
    BlockList blocks,
    ChatAttachments attachments,
    MemberLists memberLists,
    FrameDelivery frames,
    RoomOwners owners,
    ChatEvents events,
    TimeProvider time)
{
    public const int MaxMembers = 1_000;

    // A member.joined entry of so many members fits one transaction.
    private const int JoinChunk = 50;

    /// <summary>A new room, or the direct room that the two have about the article already.</summary>
    public async Task<(Room Room, bool Created)> CreateAsync(string callerId, CreateRoomRequest request, CancellationToken cancellationToken)
    {
        var kind = request.Kind ?? throw Refusals.Invalid("kind", "direct or group");
        var others = (request.MemberIds ?? []).Select(id => Checks.UserId(id, "memberIds")).Where(id => id != callerId).Distinct(StringComparer.Ordinal).ToList();
        if (kind == RoomKind.Direct && others.Count != 1)
            throw Refusals.Invalid("memberIds", "exactly one other user for a direct room");
        if (others.Count + 1 > MaxMembers)
            throw Refusals.TooManyMembers(MaxMembers);
        var title = kind == RoomKind.Group && request.Title is not null ? Checks.Title(request.Title) : null;
        var articleId = kind == RoomKind.Direct && request.ArticleId is not null ? Checks.Id(request.ArticleId, "articleId") : null;
        await blocks.RefuseIfBlockedByAsync(others, callerId, cancellationToken);
        RefuseIfEventsAreFull();

        var identity = kind == RoomKind.Direct ? RoomStore.DirectIdentity(callerId, others[0], articleId) : null;
        if (identity is not null && await rooms.FindDirectAsync(identity, cancellationToken) is { } existing)
            return (await ReopenAsync(existing, callerId, others[0], cancellationToken), false);

        var now = Now();
        var room = new RoomRow(owners.NewRoomId(), kind, callerId, now)
        {
            Title = title,
            ArticleId = articleId,
            MemberCount = others.Count + 1,
            MemberVersion = 1,
            ActiveAt = now,
            SpooledSeq = -1,
            IsLarge = others.Count + 1 > RoomActivity.SmallRoom,
        };
        var members = others.Prepend(callerId).Select(user => NewMember(room, user, kind == RoomKind.Direct ? (user == callerId ? others[0] : callerId) : null)).ToList();
        if (!await rooms.CreateAsync(room, members, identity, cancellationToken))
        {
            // Another server created the same direct room at this moment.
            var winner = await rooms.FindDirectAsync(identity!, cancellationToken) ?? throw Refusals.Unavailable();
            return (await ReopenAsync(winner, callerId, others[0], cancellationToken), false);
        }

        await events.RoomCreatedAsync(room, members.Select(member => member.UserId).ToList(), cancellationToken);
        if (owners.FindElsewhere(room.RoomId) is null)
            sequencers.Adopt(room with { SpooledSeq = 0 });
        return (room.ToRoom(members.Select(ToMember).ToList()), true);
    }

    public async Task<Room> GetAsync(string callerId, string roomId, CancellationToken cancellationToken)
    {
        var me = await rooms.GetMemberAsync(roomId, callerId, cancellationToken);
        return await GetAsync(me, cancellationToken);
    }

    /// <summary>A page of the caller's rooms, latest activity first: the small ones as the index has them, the large ones among them by their room rows (<see cref="RoomActivity"/>).</summary>
    public async Task<RoomPage> ListAsync(string callerId, int? limit, string? cursor, CancellationToken cancellationToken)
    {
        var count = Checks.Limit(limit, 20, 100);
        var from = cursor is null ? new ListPlace(DateTimeOffset.MaxValue, "") : ReadCursor(cursor);
        var large = await rooms.ListLargeRoomsOfAsync(callerId, cancellationToken);
        var rows = await rooms.GetRoomsAsync(large.Select(member => member.RoomId), cancellationToken);
        List<(MemberRow Member, ListPlace Place)> found =
            [.. large.Where(member => rows.ContainsKey(member.RoomId)).Select(member => (member, new ListPlace(rows[member.RoomId].ActiveAt, member.RoomId))).Where(item => item.Item2.IsAfter(from))];
        var small = 0;
        await foreach (var page in rooms.ListSmallRoomsOfAsync(callerId, WireTimeConverter.ToText(from.ActiveAt), count + 1, cancellationToken))
        {
            var after = page.Select(member => (member, new ListPlace(member.ActiveAt, member.RoomId))).Where(item => item.Item2.IsAfter(from)).ToList();
            found.AddRange(after);
            small += after.Count;
            // As many small rooms as the page holds and one more: no later one can be on it.
            if (small > count)
                break;
        }

        found.Sort((one, other) => one.Place.IsAfter(other.Place) ? 1 : other.Place.IsAfter(one.Place) ? -1 : 0);
        var more = found.Count > count;
        var members = found.Take(count).Select(item => item.Member).ToList();
        foreach (var (id, row) in await rooms.GetRoomsAsync(members.Select(member => member.RoomId).Where(id => !rows.ContainsKey(id)), cancellationToken))
            rows[id] = row;
        var last = rows.Values.Where(room => room.LastMessageSeq > 0).Select(room => RoomLogStore.EntryKey(room.RoomId, room.LastMessageSeq)).ToList();
        Dictionary<string, Message> messages = [];
        foreach (var item in await rooms.BatchGetAsync(ChatTables.Log.Name, last, cancellationToken))
            messages[item.Text("roomId")] = await attachments.WithLinksAsync(EntryItems.ToMessage(item, callerId));
        var items = members.Where(member => rows.ContainsKey(member.RoomId))
            .Select(member => (Member: member, Room: rows[member.RoomId]))
            .OrderByDescending(item => item.Room.ActiveAt)
            .ThenBy(item => item.Room.RoomId, StringComparer.Ordinal)
            .Select(item => item.Room.ToRoom(muted: item.Member.Muted) with
            {
                UnreadCount = Math.Max(0, item.Room.MessageCount - item.Member.LastReadOrdinal),
                LastReadSeq = item.Member.LastReadSeq,
                LastMessage = messages.GetValueOrDefault(item.Room.RoomId),
            })
            .ToList();
        return new RoomPage(items, more ? WriteCursor(found[count - 1].Place) : null);
    }

    public async Task<Room> RenameAsync(string callerId, string roomId, string? title, CancellationToken cancellationToken)
    {
        var me = await rooms.GetMemberAsync(roomId, callerId, cancellationToken);
        if (me.Kind != RoomKind.Group)
            throw Refusals.NotAGroup();
        var name = Checks.Title(title);
        await sequencers.CommitAsync(new RoomChange
        {
            RoomId = roomId,
            ActorId = callerId,
            Title = name,
            ToEntry = at => new Entry(roomId, at.Seq, EntryTypes.RoomUpdated, at.At, callerId) { Title = name },
        });
        return await GetAsync(me, cancellationToken);
    }

    /// <summary>Joins users to a group; those who are members already stay as they are.</summary>
    public async Task<Room> AddMembersAsync(string callerId, string roomId, IReadOnlyList<string>? userIds, CancellationToken cancellationToken)
    {
        var me = await rooms.GetMemberAsync(roomId, callerId, cancellationToken);
        if (me.Kind != RoomKind.Group)
            throw Refusals.NotAGroup();
        if (userIds is not { Count: > 0 and <= MaxMembers })
            throw Refusals.Invalid("userIds", $"1 to {MaxMembers} user ids");
        var wanted = userIds.Select(id => Checks.UserId(id, "userIds")).Distinct(StringComparer.Ordinal).ToList();
        await blocks.RefuseIfBlockedByAsync(wanted.Where(id => id != callerId).ToList(), callerId, cancellationToken);
        var present = (await rooms.ListMembersAsync(roomId, cancellationToken)).Select(member => member.UserId).ToHashSet(StringComparer.Ordinal);
        var fresh = wanted.Where(id => !present.Contains(id)).ToList();
        if (present.Count + fresh.Count > MaxMembers)
            throw Refusals.TooManyMembers(MaxMembers);
        foreach (var chunk in fresh.Chunk(JoinChunk))
        {
            try
            {
                await JoinAsync(roomId, callerId, chunk, peerId: null);
            }
            catch (ChatException refused) when (refused.Code == AlreadyJoined)
            {
                // The index was behind, or another call joined some of them: one by one, who is a member already changes nothing.
                foreach (var user in chunk)
                    await JoinUnlessMemberAsync(roomId, callerId, user, peerId: null);
            }
        }

        return await GetAsync(me, cancellationToken);
    }

    /// <summary>Leaves a room. A former member's calls answer 404 from then on.</summary>
    public async Task LeaveAsync(string callerId, string roomId, string userId, CancellationToken cancellationToken)
    {
        await rooms.GetMemberAsync(roomId, callerId, cancellationToken);
        if (userId != "me" && userId != callerId)
        {
            throw await rooms.FindMemberAsync(roomId, userId, cancellationToken) is null ? Refusals.MemberNotFound() : Refusals.OnlyOneself();
        }

        await sequencers.CommitAsync(new RoomChange
        {
            RoomId = roomId,
            ActorId = callerId,
            MembersDelta = -1,
            ToEntry = at => new Entry(roomId, at.Seq, EntryTypes.MemberLeft, at.At, callerId) { UserIds = [callerId] },
            AlsoWritesCount = 1,
            Touches = [$"member {callerId}"],
            WhenRefused = Refusals.RoomNotFound,
            AlsoWrites = _ =>
            [
                new TransactWriteItem
                {
                    Delete = new Delete
                    {
                        TableName = ChatTables.Members.Name,
                        Key = RoomStore.MemberKey(roomId, callerId),
                        ConditionExpression = "attribute_exists(userId)",
                    },
                },
            ],
        });
    }

    public async Task<RoomSettings> SetSettingsAsync(string callerId, string roomId, RoomSettings settings, CancellationToken cancellationToken)
    {
        await rooms.GetMemberAsync(roomId, callerId, cancellationToken);
        var muted = settings.Muted ?? throw Refusals.Invalid("muted", "true or false");
        if (!await rooms.SetMutedAsync(roomId, callerId, muted, cancellationToken))
            throw Refusals.RoomNotFound();
        return new RoomSettings(muted);
    }

    /// <summary>Moves the caller's read position on, never back and never past the log's end; gives the position after it.</summary>
    public async Task<long> ReadAsync(string callerId, string roomId, long? seq, CancellationToken cancellationToken)
    {
        var me = await rooms.GetMemberAsync(roomId, callerId, cancellationToken);
        if (seq is not >= 0)
            throw Refusals.Invalid("seq", "0 or more");
        if (seq <= me.LastReadSeq)
            return me.LastReadSeq;
        var item = await log.FindItemAsync(roomId, seq.Value, cancellationToken);
        if (item is null)
        {
            var room = await rooms.FindRoomAsync(roomId, cancellationToken) ?? throw Refusals.RoomNotFound();
            seq = Math.Min(seq.Value, room.LastSeq);
            if (seq <= me.LastReadSeq)
                return me.LastReadSeq;
            item = await log.FindItemAsync(roomId, seq.Value, cancellationToken) ?? throw Refusals.Unavailable();
        }

        RefuseIfEventsAreFull();
        if (!await rooms.MoveReadPositionAsync(roomId, callerId, seq.Value, item.Number("messageCount"), cancellationToken))
            return (await rooms.GetMemberAsync(roomId, callerId, cancellationToken)).LastReadSeq;
        await events.MessageReadAsync(roomId, callerId, seq.Value, cancellationToken);
        await SendEphemeralAsync(roomId, ServerFrames.Read(roomId, callerId, seq.Value), except: null, cancellationToken);
        return seq.Value;
    }

    /// <summary>Tells the others that the caller is typing. Nothing is kept.</summary>
    public async Task NotifyTypingAsync(string callerId, string roomId, CancellationToken cancellationToken)
    {
        await blocks.RefuseIfBlockedInAsync(await rooms.GetMemberAsync(roomId, callerId, cancellationToken), cancellationToken);
        await SendEphemeralAsync(roomId, ServerFrames.Typing(roomId, callerId), except: callerId, cancellationToken);
    }

    private const string AlreadyJoined = "already_joined";

    private void RefuseIfEventsAreFull()
    {
        if (events.IsFull)
            throw Refusals.EventsFull();
    }

    private async Task SendEphemeralAsync(string roomId, byte[] frame, string? except, CancellationToken cancellationToken)
    {
        var members = await memberLists.GetAsync(roomId, cancellationToken);
        var routes = await frames.RouteAsync(members.Select(member => member.UserId).Where(user => user != except).ToList());
        frames.SendEphemeral(routes, roomId, UnsafeByteOperations.UnsafeWrap(frame));
    }

    private async Task<Room> GetAsync(MemberRow me, CancellationToken cancellationToken)
    {
        var room = await rooms.FindRoomAsync(me.RoomId, cancellationToken) ?? throw Refusals.RoomNotFound();
        var members = await memberLists.GetAsync(room, cancellationToken);
        return room.ToRoom(members.Select(ToMember).ToList(), me.Muted);
    }

    /// <summary>Opening a direct room that exists brings back whoever of the two had left it.</summary>
    private async Task<Room> ReopenAsync(string roomId, string callerId, string peerId, CancellationToken cancellationToken)
    {
        if (await rooms.FindMemberAsync(roomId, callerId, cancellationToken) is null)
            await JoinUnlessMemberAsync(roomId, callerId, callerId, peerId);
        if (await rooms.FindMemberAsync(roomId, peerId, cancellationToken) is null)
            await JoinUnlessMemberAsync(roomId, callerId, peerId, callerId);
        return await GetAsync(callerId, roomId, cancellationToken);
    }

    private async Task JoinUnlessMemberAsync(string roomId, string actorId, string userId, string? peerId)
    {
        try
        {
            await JoinAsync(roomId, actorId, [userId], peerId);
        }
        catch (ChatException refused) when (refused.Code == AlreadyJoined)
        {
            return;
        }
    }

    private Task JoinAsync(string roomId, string actorId, string[] userIds, string? peerId) => sequencers.CommitAsync(new RoomChange
    {
        RoomId = roomId,
        ActorId = actorId,
        MembersDelta = userIds.Length,
        EstimatedBytes = 1_024 + (userIds.Length * 512),
        ToEntry = at => new Entry(roomId, at.Seq, EntryTypes.MemberJoined, at.At, actorId) { UserIds = userIds },
        AlsoWritesCount = userIds.Length,
        Touches = userIds.Select(user => $"member {user}").ToList(),
        WhenRefused = () => new ChatException(409, AlreadyJoined, "Already a member."),
        AlsoWrites = at => userIds.Select(user => new TransactWriteItem
        {
            Put = new Put
            {
                TableName = ChatTables.Members.Name,
                // Who joins starts with nothing unread.
                Item = (NewMember(at.Room, user, peerId) with
                {
                    JoinedAt = at.At,
                    ActiveAt = at.At,
                    LastReadSeq = at.Seq,
                    LastReadOrdinal = at.MessageCount,
                    IsInLargeRoom = at.Room.IsLarge || at.Room.MemberCount + userIds.Length > RoomActivity.SmallRoom,
                }).ToItem(),
                ConditionExpression = "attribute_not_exists(userId)",
            },
        }).ToList(),
    });

    private static MemberRow NewMember(RoomRow room, string userId, string? peerId) =>
        new(userId, room.RoomId, room.Kind, room.CreatedAt) { PeerId = peerId, ActiveAt = room.CreatedAt, IsInLargeRoom = room.IsLarge };

    private static RoomMember ToMember(MemberRow member) => new(member.UserId, member.JoinedAt, member.LastReadSeq);

    private DateTimeOffset Now()
    {
        var now = time.GetUtcNow();
        return new DateTimeOffset(now.Ticks - (now.Ticks % TimeSpan.TicksPerMillisecond), TimeSpan.Zero);
    }

    private static string WriteCursor(ListPlace last) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes($"{WireTimeConverter.ToText(last.ActiveAt)} {last.RoomId}"));

    private static ListPlace ReadCursor(string cursor)
    {
        if (Base64Url.IsValid(cursor)
            && Encoding.UTF8.GetString(Base64Url.DecodeFromChars(cursor)).Split(' ', 2) is [var at, { Length: > 0 } room]
            && DateTimeOffset.TryParseExact(at, WireTimeConverter.Format, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time))
        {
            return new ListPlace(time, room);
        }

        throw Refusals.Invalid("cursor", "the nextCursor of an earlier page");
    }

    /// <summary>Where a room stands in the list: by latest activity, then by id.</summary>
    private readonly record struct ListPlace(DateTimeOffset ActiveAt, string RoomId)
    {
        public bool IsAfter(ListPlace other) => ActiveAt < other.ActiveAt || (ActiveAt == other.ActiveAt && string.CompareOrdinal(RoomId, other.RoomId) > 0);
    }
}
