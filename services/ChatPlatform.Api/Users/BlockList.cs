using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using ChatPlatform.Api.Access;
using ChatPlatform.Api.Events;
using ChatPlatform.Api.Rooms;
using ChatPlatform.Api.Tables;
using ChatPlatform.Contracts.Tables;

namespace ChatPlatform.Api.Users;

internal sealed record BlockedUser(string UserId, DateTimeOffset BlockedAt);

internal sealed record BlockPage(IReadOnlyList<BlockedUser> Items);

/// <summary>Who has blocked whom: items <c>user#ME</c> / <c>block#OTHER</c>. Thread-safe.</summary>
internal sealed class BlockList(IAmazonDynamoDB dynamo, ChatEvents events, TimeProvider time)
{
    private const string Prefix = "block#";

    /// <summary>Refuses the caller who wants to reach <paramref name="users"/> when one of them has blocked the caller.</summary>
    /// <exception cref="ChatException"><c>blocked</c>.</exception>
    public async Task RefuseIfBlockedByAsync(IReadOnlyCollection<string> users, string callerId, CancellationToken cancellationToken)
    {
        foreach (var chunk in users.Chunk(100))
        {
            var keys = chunk.Select(user => Key(user, callerId)).ToList();
            while (keys.Count > 0)
            {
                var answer = await dynamo.BatchGetItemAsync(
                    new BatchGetItemRequest { RequestItems = new() { [ChatTables.Users.Name] = new KeysAndAttributes { Keys = keys, ConsistentRead = true } } },
                    cancellationToken);
                if (answer.Responses?.GetValueOrDefault(ChatTables.Users.Name) is { Count: > 0 })
                    throw Refusals.Blocked();
                keys = answer.UnprocessedKeys?.GetValueOrDefault(ChatTables.Users.Name)?.Keys ?? [];
            }
        }
    }

    /// <summary>Refuses a member whom the other one of their direct room has blocked; in a group nobody is refused.</summary>
    /// <exception cref="ChatException"><c>blocked</c>.</exception>
    public Task RefuseIfBlockedInAsync(MemberRow member, CancellationToken cancellationToken) =>
        member.PeerId is { } peer ? RefuseIfBlockedByAsync([peer], member.UserId, cancellationToken) : Task.CompletedTask;

    public async Task BlockAsync(string callerId, string userId, CancellationToken cancellationToken)
    {
        if (Checks.UserId(userId, "userId") == callerId)
            throw Refusals.Invalid("userId", "another user");
        var now = time.GetUtcNow();
        var item = Key(callerId, userId);
        item["at"] = Attributes.Time(now);
        try
        {
            await dynamo.PutItemAsync(
                new PutItemRequest { TableName = ChatTables.Users.Name, Item = item, ConditionExpression = "attribute_not_exists(pk)" }, cancellationToken);
        }
        catch (ConditionalCheckFailedException)
        {
            // Blocked already: the first time stands, and its event.
            return;
        }

        await events.UserBlockedAsync(callerId, userId, now, cancellationToken);
    }

    public Task UnblockAsync(string callerId, string userId, CancellationToken cancellationToken) =>
        dynamo.DeleteItemAsync(new DeleteItemRequest { TableName = ChatTables.Users.Name, Key = Key(callerId, Checks.UserId(userId, "userId")) }, cancellationToken);

    public async Task<BlockPage> ListAsync(string callerId, CancellationToken cancellationToken)
    {
        List<BlockedUser> blocked = [];
        Dictionary<string, AttributeValue>? from = null;
        do
        {
            var page = await dynamo.QueryAsync(
                new QueryRequest
                {
                    TableName = ChatTables.Users.Name,
                    KeyConditionExpression = "pk = :me AND begins_with(sk, :prefix)",
                    ExpressionAttributeValues = new() { [":me"] = Attributes.S($"user#{callerId}"), [":prefix"] = Attributes.S(Prefix) },
                    ConsistentRead = true,
                    ExclusiveStartKey = from,
                },
                cancellationToken);
            blocked.AddRange((page.Items ?? []).Select(item => new BlockedUser(item.Text("sk")[Prefix.Length..], item.Time("at"))));
            from = page.LastEvaluatedKey is { Count: > 0 } next ? next : null;
        }
        while (from is not null);
        return new BlockPage(blocked);
    }

    private static Dictionary<string, AttributeValue> Key(string userId, string otherId) =>
        new() { ["pk"] = Attributes.S($"user#{userId}"), ["sk"] = Attributes.S(Prefix + otherId) };
}
