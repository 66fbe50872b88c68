using System.Runtime.CompilerServices;
using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using ChatPlatform.Api.Access;
using ChatPlatform.Api.Rooms.Log;
using ChatPlatform.Api.Tables;
using ChatPlatform.Contracts.Rooms;
using ChatPlatform.Contracts.Tables;

namespace ChatPlatform.Api.Rooms;

/// <summary>Rooms and members in DynamoDB, by key and by Query only. Thread-safe.</summary>
internal sealed class RoomStore(IAmazonDynamoDB dynamo, RoomOutbox outbox)
{
    /// <summary>How many actions one transaction may have (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html).</summary>
    private const int TransactionLimit = 100;

    // Keys of one call (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html).
    private const int BatchLimit = 100;

    public async Task<RoomRow?> FindRoomAsync(string roomId, CancellationToken cancellationToken)
    {
        var answer = await dynamo.GetItemAsync(
            new GetItemRequest { TableName = ChatTables.Rooms.Name, Key = RoomKey(roomId), ConsistentRead = true }, cancellationToken);
        return answer.Item is { Count: > 0 } item ? RoomRow.FromItem(item) : null;
    }

    public async Task<MemberRow?> FindMemberAsync(string roomId, string userId, CancellationToken cancellationToken)
    {
        if (roomId.Length is 0 or > Checks.MaxIdLength)
            return null;
        var answer = await dynamo.GetItemAsync(
            new GetItemRequest { TableName = ChatTables.Members.Name, Key = MemberKey(roomId, userId), ConsistentRead = true }, cancellationToken);
        return answer.Item is { Count: > 0 } item ? MemberRow.FromItem(item) : null;
    }

    /// <summary>The membership check of every call.</summary>
    /// <exception cref="ChatException"><c>room_not_found</c> for a stranger, a former member and where there is no room.</exception>
    public async Task<MemberRow> GetMemberAsync(string roomId, string userId, CancellationToken cancellationToken) =>
        await FindMemberAsync(roomId, userId, cancellationToken) ?? throw Refusals.RoomNotFound();

    /// <summary>A room's members by user id. The index is eventually consistent: a change of a moment ago may be missing.</summary>
    public async Task<List<MemberRow>> ListMembersAsync(string roomId, CancellationToken cancellationToken)
    {
        List<MemberRow> members = [];
        Dictionary<string, AttributeValue>? from = null;
        do
        {
            var page = await dynamo.QueryAsync(
                new QueryRequest
                {
                    TableName = ChatTables.Members.Name,
                    IndexName = ChatTables.MembersByRoom,
                    KeyConditionExpression = "roomId = :room",
                    ExpressionAttributeValues = new() { [":room"] = Attributes.S(roomId) },
                    ExclusiveStartKey = from,
                },
                cancellationToken);
            members.AddRange((page.Items ?? []).Select(MemberRow.FromItem));
            from = page.LastEvaluatedKey is { Count: > 0 } next ? next : null;
        }
        while (from is not null);
        return members;
    }

    /// <summary>
    /// A user's memberships in small rooms by latest activity, newest first, from those active at <paramref name="notAfter"/> on. The index gives rooms of one instant in no order, so that the
    /// last instant of a page is always whole.
    /// </summary>
    public async IAsyncEnumerable<List<MemberRow>> ListSmallRoomsOfAsync(
        string userId, string notAfter, int pageSize, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        List<MemberRow> held = [];
        Dictionary<string, AttributeValue>? from = null;
        do
        {
            var page = await QueryActivityAsync(userId, "activeAt <= :at", notAfter, pageSize, from, cancellationToken);
            held.AddRange((page.Items ?? []).Select(MemberRow.FromItem));
            from = page.LastEvaluatedKey is { Count: > 0 } next ? next : null;
            if (from is null)
                break;
            // The last instant may go on in the next page.
            var whole = held.TakeWhile(member => member.ActiveAt > held[^1].ActiveAt).ToList();
            if (whole.Count == 0)
                continue;
            yield return whole;
            held.RemoveRange(0, whole.Count);
        }
        while (true);
        yield return held;
    }

    /// <summary>All of a user's memberships in large rooms, in no order.</summary>
    public async Task<List<MemberRow>> ListLargeRoomsOfAsync(string userId, CancellationToken cancellationToken)
    {
        List<MemberRow> members = [];
        Dictionary<string, AttributeValue>? from = null;
        do
        {
            var page = await QueryActivityAsync(userId, "activeAt = :at", RoomActivity.LargeKey, limit: null, from, cancellationToken);
            members.AddRange((page.Items ?? []).Select(MemberRow.FromItem));
            from = page.LastEvaluatedKey is { Count: > 0 } next ? next : null;
        }
        while (from is not null);
        return members;
    }

    /// <summary>Rows by id; those that do not exist are left out.</summary>
    public async Task<Dictionary<string, RoomRow>> GetRoomsAsync(IEnumerable<string> roomIds, CancellationToken cancellationToken)
    {
        var items = await Task.WhenAll(roomIds.Distinct().Chunk(BatchLimit).Select(chunk => BatchGetAsync(ChatTables.Rooms.Name, [.. chunk.Select(RoomKey)], cancellationToken)));
        return items.SelectMany(batch => batch).Select(RoomRow.FromItem).ToDictionary(room => room.RoomId);
    }

    /// <summary>Items by key, at most 100 keys; waits out what the table left unprocessed.</summary>
    public async Task<List<Dictionary<string, AttributeValue>>> BatchGetAsync(
        string table, List<Dictionary<string, AttributeValue>> keys, CancellationToken cancellationToken)
    {
        List<Dictionary<string, AttributeValue>> items = [];
        for (var attempt = 0; keys.Count > 0; attempt++)
        {
            if (attempt > 0)
                await Task.Delay(Math.Min(25 << attempt, 1_000), cancellationToken);
            if (attempt == 8)
                throw Refusals.Unavailable();
            var answer = await dynamo.BatchGetItemAsync(
                new BatchGetItemRequest { RequestItems = new() { [table] = new KeysAndAttributes { Keys = keys, ConsistentRead = true } } }, cancellationToken);
            items.AddRange(answer.Responses?.GetValueOrDefault(table) ?? []);
            keys = answer.UnprocessedKeys?.GetValueOrDefault(table)?.Keys ?? [];
        }

        return items;
    }

    /// <summary>
    /// Creates a room with its members; nothing of it is seen before all of it is there, because a membership without a room row is in no list.
    /// For a direct room <paramref name="identity"/> is its key in <c>chat-users</c>: false when another room has it already.
    /// </summary>
    public async Task<bool> CreateAsync(RoomRow room, List<MemberRow> members, string? identity, CancellationToken cancellationToken)
    {
        // The room, its identity and its place in the outbox go with the last members.
        var last = TransactionLimit - 3;
        foreach (var chunk in members.Skip(last).Chunk(TransactionLimit))
            await dynamo.TransactWriteItemsAsync(new TransactWriteItemsRequest { TransactItems = chunk.Select(PutMember).ToList() }, cancellationToken);

        var items = members.Take(last).Select(PutMember).ToList();
        items.Add(new TransactWriteItem { Put = new Put { TableName = ChatTables.Rooms.Name, Item = room.ToItem(), ConditionExpression = "attribute_not_exists(roomId)" } });
        items.Add(outbox.Add(room.RoomId));
        if (identity is not null)
        {
            var item = new Dictionary<string, AttributeValue> { ["pk"] = Attributes.S(identity), ["sk"] = Attributes.S("room"), ["roomId"] = Attributes.S(room.RoomId) };
            items.Add(new TransactWriteItem { Put = new Put { TableName = ChatTables.Users.Name, Item = item, ConditionExpression = "attribute_not_exists(pk)" } });
        }

        try
        {
            await dynamo.TransactWriteItemsAsync(
                new TransactWriteItemsRequest { TransactItems = items, ClientRequestToken = Guid.NewGuid().ToString("N") }, cancellationToken);
            return true;
        }
        catch (TransactionCanceledException canceled) when (identity is not null && IsLostRace(canceled))
        {
            return false;
        }
    }

    public async Task<string?> FindDirectAsync(string identity, CancellationToken cancellationToken)
    {
        var answer = await dynamo.GetItemAsync(
            new GetItemRequest
            {
                TableName = ChatTables.Users.Name,
                Key = new() { ["pk"] = Attributes.S(identity), ["sk"] = Attributes.S("room") },
                ConsistentRead = true,
            },
            cancellationToken);
        return answer.Item is { Count: > 0 } item ? item.Text("roomId") : null;
    }

    /// <summary>Sets the read position unless it is there already or further on; true when it moved.</summary>
    public Task<bool> MoveReadPositionAsync(string roomId, string userId, long seq, long ordinal, CancellationToken cancellationToken) =>
        UpdateMemberAsync(
            roomId,
            userId,
            "SET lastReadSeq = :seq, lastReadOrdinal = :ordinal",
            "attribute_exists(userId) AND lastReadSeq < :seq",
            new() { [":seq"] = Attributes.N(seq), [":ordinal"] = Attributes.N(ordinal) },
            cancellationToken);

    /// <summary>True unless the member left meanwhile.</summary>
    public Task<bool> SetMutedAsync(string roomId, string userId, bool muted, CancellationToken cancellationToken) =>
        UpdateMemberAsync(roomId, userId, "SET muted = :muted", "attribute_exists(userId)", new() { [":muted"] = Attributes.Bool(muted) }, cancellationToken);

    /// <summary>Moves the room up in the member's list; never back.</summary>
    public Task<bool> TouchAsync(string roomId, string userId, DateTimeOffset at, CancellationToken cancellationToken) =>
        UpdateMemberAsync(
            roomId, userId, "SET activeAt = :at", "attribute_exists(userId) AND activeAt < :at", new() { [":at"] = Attributes.Time(at) }, cancellationToken);

    /// <summary><see cref="TouchAsync"/> and <see cref="MoveReadPositionAsync"/> in one write; false when one of the two was further on already, and then neither is done.</summary>
    public Task<bool> TouchSenderAsync(string roomId, string userId, DateTimeOffset at, long seq, long ordinal, CancellationToken cancellationToken) =>
        UpdateMemberAsync(
            roomId,
            userId,
            "SET activeAt = :at, lastReadSeq = :seq, lastReadOrdinal = :ordinal",
            "attribute_exists(userId) AND activeAt < :at AND lastReadSeq < :seq",
            new() { [":at"] = Attributes.Time(at), [":seq"] = Attributes.N(seq), [":ordinal"] = Attributes.N(ordinal) },
            cancellationToken);

    /// <summary>Puts the member's row among those of large rooms; no more is written to it when the room is active.</summary>
    public Task<bool> MarkLargeAsync(string roomId, string userId, CancellationToken cancellationToken) =>
        UpdateMemberAsync(
            roomId, userId, "SET activeAt = :large", "attribute_exists(userId)", new() { [":large"] = Attributes.S(RoomActivity.LargeKey) }, cancellationToken);

    public static Dictionary<string, AttributeValue> RoomKey(string roomId) => new() { ["roomId"] = Attributes.S(roomId) };

    public static Dictionary<string, AttributeValue> MemberKey(string roomId, string userId) =>
        new() { ["userId"] = Attributes.S(userId), ["roomId"] = Attributes.S(roomId) };

    /// <summary>The identity of the direct room of two users about one article (or none).</summary>
    public static string DirectIdentity(string one, string other, string? articleId)
    {
        var (a, b) = string.CompareOrdinal(one, other) < 0 ? (one, other) : (other, one);
        return $"direct#{a}#{b}#{articleId}";
    }

    private Task<QueryResponse> QueryActivityAsync(
        string userId, string range, string at, int? limit, Dictionary<string, AttributeValue>? from, CancellationToken cancellationToken) =>
        dynamo.QueryAsync(
            new QueryRequest
            {
                TableName = ChatTables.Members.Name,
                IndexName = ChatTables.MembersByActivity,
                KeyConditionExpression = "userId = :user AND " + range,
                ExpressionAttributeValues = new() { [":user"] = Attributes.S(userId), [":at"] = Attributes.S(at) },
                ScanIndexForward = false,
                Limit = limit,
                ExclusiveStartKey = from,
            },
            cancellationToken);

    private static TransactWriteItem PutMember(MemberRow member) => new() { Put = new Put { TableName = ChatTables.Members.Name, Item = member.ToItem() } };

    private static bool IsLostRace(TransactionCanceledException canceled) =>
        canceled.CancellationReasons?.Any(reason => reason.Code is "ConditionalCheckFailed" or "TransactionConflict") == true;

    private async Task<bool> UpdateMemberAsync(
        string roomId, string userId, string update, string condition, Dictionary<string, AttributeValue> values, CancellationToken cancellationToken)
    {
        try
        {
            await dynamo.UpdateItemAsync(
                new UpdateItemRequest
                {
                    TableName = ChatTables.Members.Name,
                    Key = MemberKey(roomId, userId),
                    UpdateExpression = update,
                    ConditionExpression = condition,
                    ExpressionAttributeValues = values,
                },
                cancellationToken);
            return true;
        }
        catch (ConditionalCheckFailedException)
        {
            return false;
        }
    }
}
