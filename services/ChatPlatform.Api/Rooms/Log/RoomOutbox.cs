using System.IO.Hashing;
using System.Runtime.InteropServices;
using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using ChatPlatform.Api.Tables;
using ChatPlatform.Contracts.Tables;

namespace ChatPlatform.Api.Rooms.Log;

/// <summary>
/// The rooms that may owe other services events: items <c>outbox#PARTITION</c> / <c>ROOM</c> of <c>chat-users</c>. A room is listed by the transaction of its first commit after it was taken up
/// and taken off when its last event is on disk and the room is put down, so that whoever comes after a crash finds the rooms it left by a Query. Which events are owed, the room
/// row's <c>spooledSeq</c> tells. Thread-safe.
/// </summary>
internal sealed class RoomOutbox(IAmazonDynamoDB dynamo, TimeProvider time)
{
    /// <summary>Spreads the writes; a sweep reads as many.</summary>
    public const int Partitions = 16;

    /// <summary>Lists a room, as a part of a transaction.</summary>
    public TransactWriteItem Add(string roomId)
    {
        var item = Key(roomId);
        item["at"] = Attributes.Time(time.GetUtcNow());
        return new TransactWriteItem { Put = new Put { TableName = ChatTables.Users.Name, Item = item } };
    }

    /// <summary>Takes a room off whose events up to <paramref name="seq"/> are on disk, unless it has later entries; false then, and nothing is changed.</summary>
    public async Task<bool> TryRemoveAsync(string roomId, long seq, CancellationToken cancellationToken)
    {
        var row = new Update
        {
            TableName = ChatTables.Rooms.Name,
            Key = RoomStore.RoomKey(roomId),
            UpdateExpression = "SET spooledSeq = :seq",
            ConditionExpression = "lastSeq = :seq",
            ExpressionAttributeValues = new() { [":seq"] = Attributes.N(seq) },
        };
        try
        {
            await dynamo.TransactWriteItemsAsync(
                new TransactWriteItemsRequest
                {
                    TransactItems = [new() { Update = row }, new() { Delete = new Delete { TableName = ChatTables.Users.Name, Key = Key(roomId) } }],
                    ClientRequestToken = Guid.NewGuid().ToString("N"),
                },
                cancellationToken);
            return true;
        }
        catch (TransactionCanceledException)
        {
            return false;
        }
    }

    /// <summary>The rooms listed in a partition, a page at a time.</summary>
    public async IAsyncEnumerable<string> ListAsync(int partition, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Dictionary<string, AttributeValue>? from = null;
        do
        {
            var page = await dynamo.QueryAsync(
                new QueryRequest
                {
                    TableName = ChatTables.Users.Name,
                    KeyConditionExpression = "pk = :pk",
                    ExpressionAttributeValues = new() { [":pk"] = Attributes.S($"outbox#{partition}") },
                    ExclusiveStartKey = from,
                },
                cancellationToken);
            foreach (var item in page.Items ?? [])
                yield return item.Text("sk");
            from = page.LastEvaluatedKey is { Count: > 0 } next ? next : null;
        }
        while (from is not null);
    }

    private static Dictionary<string, AttributeValue> Key(string roomId) => new()
    {
        ["pk"] = Attributes.S($"outbox#{XxHash64.HashToUInt64(MemoryMarshal.AsBytes(roomId.AsSpan())) % Partitions}"),
        ["sk"] = Attributes.S(roomId),
    };
}
