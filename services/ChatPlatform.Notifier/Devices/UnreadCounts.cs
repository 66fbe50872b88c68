using System.Globalization;
using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using ChatPlatform.Notifier.Delivery;

namespace ChatPlatform.Notifier.Devices;

/// <summary>
/// How many messages a user has not read, over all rooms: a room's is its <c>messageCount</c> (<c>chat-rooms</c>) less the ordinal of the last message read (<c>lastReadOrdinal</c> in
/// <c>chat-members</c>), as in <c>GET /v1/rooms</c>. Thread-safe; calls throw as those of <see cref="DeviceDirectory"/>.
/// </summary>
internal sealed class UnreadCounts(IAmazonDynamoDB dynamo)
{
    public const string Rooms = "chat-rooms";

    /// <summary>The rooms with the latest activity are counted; beyond so many a badge says nothing more.</summary>
    private const int MostRooms = 200;

    /// <summary>The most keys of a BatchGetItem (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html).</summary>
    private const int BatchKeys = 100;

    /// <summary>As it is with <paramref name="missed"/>: in its room, messages that came later do not count yet, for they have events of their own.</summary>
    public async Task<long> OfAsync(string userId, MissedDelivery missed, CancellationToken cancellationToken)
    {
        var page = await dynamo.QueryAsync(
            new QueryRequest
            {
                TableName = DeviceDirectory.Members,
                IndexName = "byActivity",
                KeyConditionExpression = "userId = :user",
                ExpressionAttributeValues = new() { [":user"] = new() { S = userId } },
                ProjectionExpression = "roomId, lastReadOrdinal",
                ScanIndexForward = false,
                Limit = MostRooms,
            },
            cancellationToken);
        var read = (page.Items ?? []).ToDictionary(item => item["roomId"].S, item => Number(item, "lastReadOrdinal"));

        long unread = 0;
        foreach (var rooms in read.Keys.Chunk(BatchKeys))
        {
            foreach (var room in await MessageCountsAsync(rooms, cancellationToken))
            {
                var count = room.Key == missed.RoomId && missed.Ordinal is { } ordinal ? ordinal : room.Value;
                unread += Math.Max(0, count - read[room.Key]);
            }
        }

        return unread;
    }

    private async Task<Dictionary<string, long>> MessageCountsAsync(string[] rooms, CancellationToken cancellationToken)
    {
        var counts = new Dictionary<string, long>();
        var keys = rooms.Select(room => new Dictionary<string, AttributeValue> { ["roomId"] = new() { S = room } }).ToList();
        while (keys.Count > 0)
        {
            var answer = await dynamo.BatchGetItemAsync(
                new BatchGetItemRequest { RequestItems = new() { [Rooms] = new() { Keys = keys, ProjectionExpression = "roomId, messageCount" } } }, cancellationToken);
            foreach (var item in answer.Responses?.GetValueOrDefault(Rooms) ?? [])
                counts[item["roomId"].S] = Number(item, "messageCount");
            var left = answer.UnprocessedKeys?.GetValueOrDefault(Rooms)?.Keys ?? [];
            if (left.Count == keys.Count)
                throw new AmazonDynamoDBException("BatchGetItem processed none of its keys.");
            keys = left;
        }

        return counts;
    }

    private static long Number(Dictionary<string, AttributeValue> item, string name) =>
        item.TryGetValue(name, out var value) && value.N is { } text ? long.Parse(text, CultureInfo.InvariantCulture) : 0;
}
