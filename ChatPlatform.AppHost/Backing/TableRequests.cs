using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using ChatPlatform.Contracts.Tables;

namespace ChatPlatform.AppHost.Backing;

internal static class TableRequests
{
    /// <summary>The table as DynamoDB's CreateTable takes it, billed on demand.</summary>
    public static CreateTableRequest ToRequest(this TableSchema table) => new()
    {
        TableName = table.Name,
        BillingMode = BillingMode.PAY_PER_REQUEST,
        AttributeDefinitions = [.. table.KeyAttributes.Select(key => new AttributeDefinition(key.Name, key.Type is Contracts.Tables.KeyType.Number ? ScalarAttributeType.N : ScalarAttributeType.S))],
        KeySchema = KeySchema(table.PartitionKey, table.SortKey),
        // The API refuses an empty list of indexes; null leaves the field out.
        GlobalSecondaryIndexes = table.Indexes.Count == 0 ? null :
        [
            .. table.Indexes.Select(index => new GlobalSecondaryIndex
            {
                IndexName = index.Name,
                KeySchema = KeySchema(index.PartitionKey, index.SortKey),
                Projection = new Projection { ProjectionType = ProjectionType.ALL },
            }),
        ],
        StreamSpecification = table.Stream is StreamView.None ? null : new StreamSpecification { StreamEnabled = true, StreamViewType = StreamViewType.NEW_AND_OLD_IMAGES },
    };

    private static List<KeySchemaElement> KeySchema(TableKey partition, TableKey? sort) => sort is null
        ? [new KeySchemaElement(partition.Name, Amazon.DynamoDBv2.KeyType.HASH)]
        : [new KeySchemaElement(partition.Name, Amazon.DynamoDBv2.KeyType.HASH), new KeySchemaElement(sort.Name, Amazon.DynamoDBv2.KeyType.RANGE)];
}
