using System.Text;

namespace ChatPlatform.LocalAwsModel;

/// <summary>The two tables of the model test: rows with a number as sort key and two indexes, and things with a partition key alone. Both have streams with both images.</summary>
internal static class ModelTables
{
    public const string Rows = "model-rows";
    public const string Things = "model-things";
    public const string ByTag = "by-tag";
    public const string ByBody = "by-body";

    public static readonly string[] All = [Rows, Things];

    /// <summary>What the local index holds: the keys, its own key, and one attribute more.</summary>
    public static readonly string[] ByBodyProjection = ["pk", "sk", "body", "ver"];

    public static async Task CreateAsync(ModelTransport transport)
    {
        await CreateAsync(transport, """
            {"TableName":"model-rows","BillingMode":"PAY_PER_REQUEST","StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_AND_OLD_IMAGES"},
             "AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"N"},{"AttributeName":"tag","AttributeType":"S"},
               {"AttributeName":"rank","AttributeType":"N"},{"AttributeName":"body","AttributeType":"S"}],
             "KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],
             "GlobalSecondaryIndexes":[{"IndexName":"by-tag","KeySchema":[{"AttributeName":"tag","KeyType":"HASH"},{"AttributeName":"rank","KeyType":"RANGE"}],"Projection":{"ProjectionType":"ALL"}}],
             "LocalSecondaryIndexes":[{"IndexName":"by-body","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"body","KeyType":"RANGE"}],
               "Projection":{"ProjectionType":"INCLUDE","NonKeyAttributes":["ver"]}}]}
            """);
        await CreateAsync(transport, """
            {"TableName":"model-things","BillingMode":"PAY_PER_REQUEST","StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_AND_OLD_IMAGES"},
             "AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}]}
            """);
    }

    private static async Task CreateAsync(ModelTransport transport, string table)
    {
        using var answer = await transport("DynamoDB_20120810.CreateTable", Encoding.UTF8.GetBytes(table));
        answer.RequireSuccess("CreateTable");
    }
}
