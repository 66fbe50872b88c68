using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using ChatPlatform.Api.Access;
using ChatPlatform.Api.Tables;
using ChatPlatform.Contracts.Tables;

namespace ChatPlatform.Api.Users;

internal sealed record DeviceRequest(string? Platform, string? Token);

/// <summary>Where a user's push goes: items <c>user#ME</c> / <c>device#ID</c> with <c>platform</c> and <c>token</c>. The token is a secret. Thread-safe.</summary>
internal sealed class Devices(IAmazonDynamoDB dynamo, TimeProvider time)
{
    private const int MaxTokenLength = 4_096;

    public Task RegisterAsync(string callerId, string deviceId, DeviceRequest request, CancellationToken cancellationToken)
    {
        if (request.Platform != "fcm")
            throw Refusals.Invalid("platform", "fcm");
        if (request.Token is not { Length: > 0 and <= MaxTokenLength })
            throw Refusals.Invalid("token", $"1 to {MaxTokenLength} characters");
        var item = Key(callerId, deviceId);
        item["platform"] = Attributes.S(request.Platform);
        item["token"] = Attributes.S(request.Token);
        item["at"] = Attributes.Time(time.GetUtcNow());
        return dynamo.PutItemAsync(new PutItemRequest { TableName = ChatTables.Users.Name, Item = item }, cancellationToken);
    }

    public Task RemoveAsync(string callerId, string deviceId, CancellationToken cancellationToken) =>
        dynamo.DeleteItemAsync(new DeleteItemRequest { TableName = ChatTables.Users.Name, Key = Key(callerId, deviceId) }, cancellationToken);

    private static Dictionary<string, AttributeValue> Key(string userId, string deviceId) =>
        new() { ["pk"] = Attributes.S($"user#{userId}"), ["sk"] = Attributes.S($"device#{Checks.Id(deviceId, "deviceId")}") };
}
