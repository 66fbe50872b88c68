using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using ChatPlatform.LocalAws.Protocol;

namespace ChatPlatform.LocalAws.DynamoDb.Operations;

/// <summary>DynamoDB's API, version 2012-08-10 (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/Welcome.html). Thread-safe.</summary>
internal sealed partial class DynamoDbService : IAwsJsonService
{
    internal static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };
    private static readonly JsonDocumentOptions Parsing = new() { MaxDepth = 128 };

    private readonly DynamoStore _store;
    private readonly OperationTable<Action<Request, Utf8JsonWriter>> _operations;

    public DynamoDbService(DynamoStore store)
    {
        _store = store;
        _operations = new(
            new("CreateTable", CreateTable, "TableName", "AttributeDefinitions", "KeySchema", "LocalSecondaryIndexes", "GlobalSecondaryIndexes",
                "BillingMode", "ProvisionedThroughput", "StreamSpecification", "DeletionProtectionEnabled", "TableClass", "Tags"),
            new("DescribeTable", DescribeTable, "TableName"),
            new("UpdateTable", UpdateTable, "TableName", "AttributeDefinitions", "BillingMode", "ProvisionedThroughput",
                "GlobalSecondaryIndexUpdates", "StreamSpecification", "DeletionProtectionEnabled", "TableClass"),
            new("DeleteTable", DeleteTable, "TableName"),
            new("ListTables", ListTables, "ExclusiveStartTableName", "Limit"),
            new("UpdateTimeToLive", UpdateTimeToLive, "TableName", "TimeToLiveSpecification"),
            new("DescribeTimeToLive", DescribeTimeToLive, "TableName"),
            new("TagResource", TagResource, "ResourceArn", "Tags"),
            new("UntagResource", UntagResource, "ResourceArn", "TagKeys"),
            new("ListTagsOfResource", ListTagsOfResource, "ResourceArn"),
            new("DescribeLimits", DescribeLimits),
            new("PutItem", PutItem, "TableName", "Item", "ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues",
                "ReturnValues", "ReturnConsumedCapacity", "ReturnItemCollectionMetrics", "ReturnValuesOnConditionCheckFailure"),
            new("GetItem", GetItem, "TableName", "Key", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames",
                "ReturnConsumedCapacity"),
            new("UpdateItem", UpdateItem, "TableName", "Key", "UpdateExpression", "ConditionExpression", "ExpressionAttributeNames",
                "ExpressionAttributeValues", "ReturnValues", "ReturnConsumedCapacity", "ReturnItemCollectionMetrics",
                "ReturnValuesOnConditionCheckFailure"),
            new("DeleteItem", DeleteItem, "TableName", "Key", "ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues",
                "ReturnValues", "ReturnConsumedCapacity", "ReturnItemCollectionMetrics", "ReturnValuesOnConditionCheckFailure"),
            new("Query", Query, "TableName", "IndexName", "KeyConditionExpression", "FilterExpression", "ProjectionExpression",
                "ExpressionAttributeNames", "ExpressionAttributeValues", "Select", "Limit", "ConsistentRead", "ScanIndexForward",
                "ExclusiveStartKey", "ReturnConsumedCapacity"),
            new("Scan", Scan, "TableName", "IndexName", "FilterExpression", "ProjectionExpression", "ExpressionAttributeNames",
                "ExpressionAttributeValues", "Select", "Limit", "ConsistentRead", "ExclusiveStartKey", "ReturnConsumedCapacity", "Segment",
                "TotalSegments"),
            new("BatchGetItem", BatchGetItem, "RequestItems", "ReturnConsumedCapacity"),
            new("BatchWriteItem", BatchWriteItem, "RequestItems", "ReturnConsumedCapacity", "ReturnItemCollectionMetrics"),
            new("TransactWriteItems", TransactWriteItems, "TransactItems", "ClientRequestToken", "ReturnConsumedCapacity",
                "ReturnItemCollectionMetrics"),
            new("TransactGetItems", TransactGetItems, "TransactItems", "ReturnConsumedCapacity"));
    }

    public string TargetPrefix => "DynamoDB_20120810";

    public string Name => "dynamodb";

    public string ContentType => "application/x-amz-json-1.0";

    public string Title => "DynamoDB";

    public string ResourceKind => "table";

    public IReadOnlyList<OperationDescription> Operations => _operations.Descriptions;

    /// <summary>
    /// What an operation on items gets when its table's throughput is used up, and one on tables when it comes too often
    /// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html#Programming.Errors.MessagesAndCodes).
    /// </summary>
    public AwsException Throttling(string operation) => IsOnItems(operation)
        ? DynamoDbErrors.Error("ProvisionedThroughputExceededException", "The level of configured provisioned throughput for the table was exceeded. "
            + "Consider increasing your provisioning level with the UpdateTable API.")
        : DynamoDbErrors.Throttling();

    public AwsException InternalError() => DynamoDbErrors.InternalError("Internal server error");

    public async ValueTask HandleAsync(string operation, ReadOnlyMemory<byte> body, IBufferWriter<byte> answer, CancellationToken cancellationToken)
    {
        var known = _operations.Get(TargetPrefix, operation);
        Request request;
        try
        {
            request = Run(known, body, answer);
        }
        catch (AwsException)
        {
            // A refusal tells about the state as well: it must not be ahead of the log. Of items only a write's does.
            await _store.WhenDurableAsync(IsRead(operation) ? _store.LastDefinition : long.MaxValue);
            throw;
        }

        await _store.WhenDurableAsync(IsRead(operation) ? Math.Max(request.Seen, _store.LastDefinition) : long.MaxValue);
    }

    private static bool IsOnItems(string operation) => operation is "Query" or "Scan" || operation.Contains("Item", StringComparison.Ordinal);

    private static bool IsRead(string operation) =>
        operation is "GetItem" or "Query" or "Scan" or "BatchGetItem" or "TransactGetItems"
        || operation.StartsWith("Describe", StringComparison.Ordinal) || operation.StartsWith("List", StringComparison.Ordinal);

    /// <summary>Parses a body, which must be JSON whose strings and names are Unicode, so that nobody further on meets one that is not.</summary>
    /// <exception cref="AwsException">SerializationException.</exception>
    internal static JsonDocument Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            RequireUnicode(body.Span);
            return JsonDocument.Parse(body.IsEmpty ? "{}"u8.ToArray() : body, Parsing);
        }
        catch (JsonException)
        {
            throw AwsException.Serialization("The request body is not valid JSON");
        }
        catch (InvalidOperationException)
        {
            throw AwsException.Serialization("A string of the request body is not valid Unicode");
        }
    }

    /// <summary>JsonDocument takes bytes that are no UTF-8, and escapes that are half a surrogate pair, and fails only when such a string is asked for.</summary>
    private static void RequireUnicode(ReadOnlySpan<byte> body)
    {
        if (!Utf8.IsValid(body))
            throw AwsException.Serialization("The request body is not valid UTF-8");
        if (body.IndexOf(@"\u"u8) < 0)
            return;
        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = Parsing.MaxDepth });
        while (reader.Read())
        {
            if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && reader.ValueIsEscaped)
                reader.GetString();
        }
    }

    /// <summary>Reads the request, refuses what the operation does not honour, and writes the answer. Gives the request, with what was seen.</summary>
    internal static Request Run(Operation<Action<Request, Utf8JsonWriter>> operation, ReadOnlyMemory<byte> body, IBufferWriter<byte> answer)
    {
        using var document = Parse(body);
        using var json = new Utf8JsonWriter(answer, Json);
        var request = new Request(operation.Name, document.RootElement).Allow(operation.Parameters);
        json.WriteStartObject();
        operation.Handler(request, json);
        json.WriteEndObject();
        return request;
    }

    /// <summary>The account's quotas as a new account has them; nothing here is throttled.</summary>
    private static void DescribeLimits(Request request, Utf8JsonWriter json)
    {
        json.WriteNumber("AccountMaxReadCapacityUnits", 80_000);
        json.WriteNumber("AccountMaxWriteCapacityUnits", 80_000);
        json.WriteNumber("TableMaxReadCapacityUnits", 40_000);
        json.WriteNumber("TableMaxWriteCapacityUnits", 40_000);
    }
}
