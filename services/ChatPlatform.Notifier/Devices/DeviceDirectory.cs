using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;

namespace ChatPlatform.Notifier.Devices;

/// <param name="UserId">Whose it is.</param>
/// <param name="SortKey"><c>device#ID</c>.</param>
/// <param name="Token">The FCM registration token: never logged.</param>
internal sealed record Device(string UserId, string SortKey, string Token);

/// <summary>Who can be pushed to, from <c>chat-users</c> (items <c>user#U</c> / <c>device#D</c> with <c>platform</c> and <c>token</c>) and <c>chat-members</c> (<c>muted</c>). Thread-safe.</summary>
/// <remarks>Calls throw <see cref="AmazonDynamoDBException"/> and the like when the table does not answer; the caller tries again.</remarks>
internal sealed class DeviceDirectory(IAmazonDynamoDB dynamo)
{
    public const string Users = "chat-users";
    public const string Members = "chat-members";
    private const string Fcm = "fcm";

    /// <summary>The user's FCM devices; none when the user has muted the room or is no longer a member of it.</summary>
    public async Task<IReadOnlyList<Device>> DevicesToPushAsync(string userId, string roomId, CancellationToken cancellationToken)
    {
        var member = await dynamo.GetItemAsync(
            new GetItemRequest
            {
                TableName = Members,
                Key = new() { ["userId"] = new() { S = userId }, ["roomId"] = new() { S = roomId } },
                ProjectionExpression = "userId, muted",
            },
            cancellationToken);
        if (!member.IsItemSet || (member.Item.TryGetValue("muted", out var muted) && muted.BOOL == true))
            return [];

        var devices = new List<Device>();
        Dictionary<string, AttributeValue>? from = null;
        do
        {
            var page = await dynamo.QueryAsync(
                new QueryRequest
                {
                    TableName = Users,
                    KeyConditionExpression = "pk = :user AND begins_with(sk, :device)",
                    ExpressionAttributeValues = new() { [":user"] = new() { S = $"user#{userId}" }, [":device"] = new() { S = "device#" } },
                    ExclusiveStartKey = from,
                },
                cancellationToken);
            foreach (var item in page.Items ?? [])
            {
                if (item.TryGetValue("token", out var token) && token.S is { Length: > 0 } && (!item.TryGetValue("platform", out var platform) || platform.S == Fcm))
                    devices.Add(new Device(userId, item["sk"].S, token.S));
            }

            from = page.LastEvaluatedKey;
        }
        while (from is { Count: > 0 });
        return devices;
    }

    /// <summary>Forgets a device whose token FCM no longer knows, unless it has registered a new token since.</summary>
    public async Task RemoveAsync(Device device, CancellationToken cancellationToken)
    {
        try
        {
            await dynamo.DeleteItemAsync(
                new DeleteItemRequest
                {
                    TableName = Users,
                    Key = new() { ["pk"] = new() { S = $"user#{device.UserId}" }, ["sk"] = new() { S = device.SortKey } },
                    ConditionExpression = "#token = :token",
                    ExpressionAttributeNames = new() { ["#token"] = "token" },
                    ExpressionAttributeValues = new() { [":token"] = new() { S = device.Token } },
                },
                cancellationToken);
        }
        catch (ConditionalCheckFailedException)
        {
            // The device is gone already, or came back with another token, which is not the one that FCM refused.
            return;
        }
    }
}
