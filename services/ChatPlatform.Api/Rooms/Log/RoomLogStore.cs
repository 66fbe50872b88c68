using System.Net;
using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using Amazon.Runtime;
using ChatPlatform.Api.Tables;
using ChatPlatform.Contracts.Rooms;
using ChatPlatform.Contracts.Tables;

namespace ChatPlatform.Api.Rooms.Log;

/// <summary>How one try to commit ended.</summary>
internal enum CommitOutcome
{
    /// <summary>All of it is in the log.</summary>
    Committed,

    /// <summary>None of it is: a condition did not hold; which, say the other members of <see cref="CommitResult"/>.</summary>
    Conflict,

    /// <summary>None of it is: the table is busy; worth another try a little later.</summary>
    Busy,

    /// <summary>All or none of it is; the answer did not arrive.</summary>
    Unknown,
}

/// <param name="Outcome">How it ended.</param>
/// <param name="RoomMoved">Another server committed to the room first.</param>
/// <param name="Duplicates">Indexes of changes whose dedupe record exists.</param>
/// <param name="Refused">Indexes of changes whose own conditions do not hold.</param>
internal sealed record CommitResult(CommitOutcome Outcome, bool RoomMoved, IReadOnlyList<int> Duplicates, IReadOnlyList<int> Refused)
{
    public static CommitResult Of(CommitOutcome outcome) => new(outcome, false, [], []);
}

/// <summary>A commit as it goes into one transaction.</summary>
/// <param name="Before">The room the numbers were given from.</param>
/// <param name="After">The room as the commit leaves it.</param>
/// <param name="Changes">The changes.</param>
/// <param name="Entries">Their entries, by the same index.</param>
/// <param name="Positions">Their positions, by the same index.</param>
/// <param name="IsListing">The room is to be listed in the outbox with it.</param>
internal sealed record CommitPlan(
    RoomRow Before, RoomRow After, IReadOnlyList<RoomChange> Changes, IReadOnlyList<Entry> Entries, IReadOnlyList<LogPosition> Positions, bool IsListing);

/// <summary>What the sequencer needs of the store.</summary>
internal interface IRoomLogStore
{
    Task<RoomRow?> FindRoomAsync(string roomId, CancellationToken cancellationToken);

    /// <summary>Tries a commit once. Throws only when cancelled by <paramref name="cancellationToken"/>, and then nothing is known.</summary>
    Task<CommitResult> TryCommitAsync(CommitPlan plan, CancellationToken cancellationToken);

    /// <summary>The entry that an earlier try of the same change stored, or null.</summary>
    Task<Entry?> FindByDedupeAsync(string roomId, string actorId, string dedupeId, CancellationToken cancellationToken);

    /// <summary>Up to <paramref name="limit"/> entries after a seq, in order.</summary>
    Task<List<Entry>> ListAfterAsync(string roomId, long after, int limit, CancellationToken cancellationToken);

    /// <summary>Who was in the room from its creation on and still is.</summary>
    Task<IReadOnlyList<string>> ListFoundersAsync(RoomRow room, CancellationToken cancellationToken);

    /// <summary>Notes that no event up to <paramref name="seq"/> is owed and takes the room off the outbox, unless it has later entries.</summary>
    Task<bool> TrySettleOutboxAsync(string roomId, long seq, CancellationToken cancellationToken);
}

/// <summary>The room log in DynamoDB. Thread-safe.</summary>
internal sealed class RoomLogStore(IAmazonDynamoDB dynamo, RoomStore rooms, RoomOutbox outbox, TimeProvider time) : IRoomLogStore
{
    /// <summary>How long a retry of a send finds the first message (contracts §2).</summary>
    public static readonly TimeSpan DedupeLifetime = TimeSpan.FromHours(24);

    private static readonly TimeSpan TryTimeout = TimeSpan.FromSeconds(3);

    public Task<RoomRow?> FindRoomAsync(string roomId, CancellationToken cancellationToken) => rooms.FindRoomAsync(roomId, cancellationToken);

    public async Task<CommitResult> TryCommitAsync(CommitPlan plan, CancellationToken cancellationToken)
    {
        // owners[i] says whose item i is: -1 the room row, 2k the dedupe record of change k, 2k+1 anything else of change k.
        List<int> owners = [-1];
        List<TransactWriteItem> items = [UpdateRoom(plan)];
        if (plan.IsListing)
        {
            // Without a condition: it never is what a transaction fails on.
            items.Add(outbox.Add(plan.After.RoomId));
            owners.Add(-1);
        }

        var expiresAt = (time.GetUtcNow() + DedupeLifetime).ToUnixTimeSeconds();
        for (var i = 0; i < plan.Changes.Count; i++)
        {
            var change = plan.Changes[i];
            items.Add(PutDedupe(change, plan.Entries[i].Seq, expiresAt));
            owners.Add(2 * i);
            items.Add(new TransactWriteItem
            {
                Put = new Put { TableName = ChatTables.Log.Name, Item = EntryItems.ToItem(plan.Entries[i], plan.Positions[i].MessageCount) },
            });
            owners.Add((2 * i) + 1);
            foreach (var item in change.AlsoWrites(plan.Positions[i]))
            {
                items.Add(item);
                owners.Add((2 * i) + 1);
            }
        }

        // The token makes the SDK's own retries of this very request count once; another try numbers anew and has a token of its own.
        var request = new TransactWriteItemsRequest { TransactItems = items, ClientRequestToken = Guid.NewGuid().ToString("N") };
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(TryTimeout);
        try
        {
            await dynamo.TransactWriteItemsAsync(request, limit.Token);
            return CommitResult.Of(CommitOutcome.Committed);
        }
        catch (TransactionCanceledException canceled)
        {
            return Read(canceled, owners);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return CommitResult.Of(CommitOutcome.Unknown);
        }
        catch (Exception error) when (error is ProvisionedThroughputExceededException or RequestLimitExceededException or ThrottlingException)
        {
            return CommitResult.Of(CommitOutcome.Busy);
        }
        catch (AmazonServiceException error) when (IsRejected(error))
        {
            throw;
        }
        catch (Exception error) when (error is AmazonServiceException or AmazonClientException or HttpRequestException or IOException)
        {
            return CommitResult.Of(CommitOutcome.Unknown);
        }
    }

    public async Task<Entry?> FindByDedupeAsync(string roomId, string actorId, string dedupeId, CancellationToken cancellationToken)
    {
        var dedupe = await dynamo.GetItemAsync(
            new GetItemRequest { TableName = ChatTables.Users.Name, Key = DedupeKey(roomId, actorId, dedupeId), ConsistentRead = true }, cancellationToken);
        return dedupe.Item is { Count: > 0 } item ? await FindEntryAsync(roomId, item.Number("seq"), actorId, cancellationToken) : null;
    }

    public Task<List<Entry>> ListAfterAsync(string roomId, long after, int limit, CancellationToken cancellationToken) =>
        ListAfterAsync(roomId, after, limit, readerId: null, cancellationToken);

    public async Task<IReadOnlyList<string>> ListFoundersAsync(RoomRow room, CancellationToken cancellationToken) =>
        [.. (await rooms.ListMembersAsync(room.RoomId, cancellationToken)).Where(member => member.JoinedAt <= room.CreatedAt).Select(member => member.UserId)];

    public Task<bool> TrySettleOutboxAsync(string roomId, long seq, CancellationToken cancellationToken) => outbox.TryRemoveAsync(roomId, seq, cancellationToken);

    /// <summary>One entry, or null; strongly consistent.</summary>
    public async Task<Entry?> FindEntryAsync(string roomId, long seq, string? readerId, CancellationToken cancellationToken) =>
        await FindItemAsync(roomId, seq, cancellationToken) is { } item ? EntryItems.ToEntry(item, readerId) : null;

    /// <summary>The item of one entry, or null; strongly consistent.</summary>
    public async Task<Dictionary<string, AttributeValue>?> FindItemAsync(string roomId, long seq, CancellationToken cancellationToken)
    {
        var answer = await dynamo.GetItemAsync(
            new GetItemRequest { TableName = ChatTables.Log.Name, Key = EntryKey(roomId, seq), ConsistentRead = true }, cancellationToken);
        return answer.Item is { Count: > 0 } item ? item : null;
    }

    /// <summary>Up to <paramref name="limit"/> entries after <paramref name="after"/>, in order; strongly consistent.</summary>
    public async Task<List<Entry>> ListAfterAsync(string roomId, long after, int limit, string? readerId, CancellationToken cancellationToken)
    {
        List<Entry> entries = [];
        Dictionary<string, AttributeValue>? from = null;
        do
        {
            // A page ends at 1 MB, also before the limit.
            var page = await QueryAsync(roomId, "seq > :seq", after, forward: true, limit - entries.Count, messagesOnly: false, from, cancellationToken);
            entries.AddRange((page.Items ?? []).Select(item => EntryItems.ToEntry(item, readerId)));
            from = page.LastEvaluatedKey is { Count: > 0 } next ? next : null;
        }
        while (from is not null && entries.Count < limit);
        return entries;
    }

    /// <summary>Up to <paramref name="limit"/> messages in their current state, before or after a seq; strongly consistent.</summary>
    public async Task<List<Message>> ListMessagesAsync(string roomId, long seq, bool forward, int limit, string readerId, CancellationToken cancellationToken)
    {
        List<Message> messages = [];
        Dictionary<string, AttributeValue>? from = null;
        do
        {
            var page = await QueryAsync(roomId, forward ? "seq > :seq" : "seq < :seq", seq, forward, limit, messagesOnly: true, from, cancellationToken);
            messages.AddRange((page.Items ?? []).Select(item => EntryItems.ToMessage(item, readerId)));
            from = page.LastEvaluatedKey is { Count: > 0 } next ? next : null;
        }
        while (from is not null && messages.Count < limit);
        return messages.Count > limit ? messages[..limit] : messages;
    }

    public static Dictionary<string, AttributeValue> EntryKey(string roomId, long seq) => new() { ["roomId"] = Attributes.S(roomId), ["seq"] = Attributes.N(seq) };

    private Task<QueryResponse> QueryAsync(
        string roomId, string range, long seq, bool forward, int limit, bool messagesOnly, Dictionary<string, AttributeValue>? from, CancellationToken cancellationToken)
    {
        var request = new QueryRequest
        {
            TableName = ChatTables.Log.Name,
            KeyConditionExpression = "roomId = :room AND " + range,
            ExpressionAttributeValues = new() { [":room"] = Attributes.S(roomId), [":seq"] = Attributes.N(seq) },
            ScanIndexForward = forward,
            ConsistentRead = true,
            Limit = limit,
            ExclusiveStartKey = from,
        };
        if (messagesOnly)
        {
            request.FilterExpression = "#type = :created";
            request.ExpressionAttributeNames = new() { ["#type"] = "type" };
            request.ExpressionAttributeValues[":created"] = Attributes.S(EntryTypes.MessageCreated);
        }

        return dynamo.QueryAsync(request, cancellationToken);
    }

    private static TransactWriteItem UpdateRoom(CommitPlan plan)
    {
        var after = plan.After;
        var update = new Update
        {
            TableName = ChatTables.Rooms.Name,
            Key = RoomStore.RoomKey(after.RoomId),
            ConditionExpression = "lastSeq = :was",
            UpdateExpression =
                "SET lastSeq = :seq, messageCount = :messages, lastMessageSeq = :lastMessage, memberCount = :members, memberVersion = :version, activeAt = :at, "
                + "spooledSeq = :spooled, isLarge = :large",
            ExpressionAttributeValues = new()
            {
                [":was"] = Attributes.N(plan.Before.LastSeq),
                [":seq"] = Attributes.N(after.LastSeq),
                [":messages"] = Attributes.N(after.MessageCount),
                [":lastMessage"] = Attributes.N(after.LastMessageSeq),
                [":members"] = Attributes.N(after.MemberCount),
                [":version"] = Attributes.N(after.MemberVersion),
                [":at"] = Attributes.Time(after.ActiveAt),
                [":spooled"] = Attributes.N(after.SpooledSeq),
                [":large"] = Attributes.Bool(after.IsLarge),
            },
        };
        if (after.Title is not null && after.Title != plan.Before.Title)
        {
            update.UpdateExpression += ", title = :title";
            update.ExpressionAttributeValues[":title"] = Attributes.S(after.Title);
        }

        return new TransactWriteItem { Update = update };
    }

    private TransactWriteItem PutDedupe(RoomChange change, long seq, long expiresAt)
    {
        var item = DedupeKey(change.RoomId, change.ActorId, change.DedupeId);
        item["seq"] = Attributes.N(seq);
        item["expiresAt"] = Attributes.N(expiresAt);
        return new TransactWriteItem
        {
            Put = new Put
            {
                TableName = ChatTables.Users.Name,
                Item = item,
                // DynamoDB deletes expired items within days, not at once.
                ConditionExpression = "attribute_not_exists(pk) OR expiresAt <= :now",
                ExpressionAttributeValues = new() { [":now"] = Attributes.N(time.GetUtcNow().ToUnixTimeSeconds()) },
            },
        };
    }

    private static Dictionary<string, AttributeValue> DedupeKey(string roomId, string actorId, string dedupeId) =>
        new() { ["pk"] = Attributes.S($"dedupe#{roomId}#{actorId}"), ["sk"] = Attributes.S(dedupeId) };

    private static CommitResult Read(TransactionCanceledException canceled, List<int> owners)
    {
        var roomMoved = false;
        SortedSet<int> duplicates = [];
        SortedSet<int> refused = [];
        var reasons = canceled.CancellationReasons ?? [];
        for (var i = 0; i < reasons.Count && i < owners.Count; i++)
        {
            if (reasons[i].Code != "ConditionalCheckFailed")
                continue;
            if (owners[i] < 0)
                roomMoved = true;
            else if (owners[i] % 2 == 0)
                duplicates.Add(owners[i] / 2);
            else
                refused.Add(owners[i] / 2);
        }

        var conflict = roomMoved || duplicates.Count > 0 || refused.Count > 0;
        return conflict ? new CommitResult(CommitOutcome.Conflict, roomMoved, [.. duplicates], [.. refused]) : CommitResult.Of(CommitOutcome.Busy);
    }

    // 4xx other than throttling: the request itself is wrong, and another try would be too.
    private static bool IsRejected(AmazonServiceException error) =>
        error.StatusCode is >= HttpStatusCode.BadRequest and < HttpStatusCode.InternalServerError
        && error is not TransactionInProgressException
        && error.ErrorCode is not ("ThrottlingException" or "TooManyRequestsException");
}
