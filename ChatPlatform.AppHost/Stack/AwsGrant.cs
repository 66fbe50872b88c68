using ChatPlatform.Contracts.Tables;

namespace ChatPlatform.AppHost.Stack;

/// <summary>What a service may do with one thing of the account's: the role of its pods allows this and nothing else.</summary>
internal abstract record AwsGrant
{
    /// <summary>Actions of DynamoDB on a table and its indexes.</summary>
    public sealed record OnTable(TableSchema Table, IReadOnlyList<string> Actions) : AwsGrant;

    /// <summary>Actions of S3 on a bucket's objects. To be told that an object is missing takes the right to list.</summary>
    public sealed record OnObjects(string Bucket, IReadOnlyList<string> Actions) : AwsGrant;

    /// <summary>Single items and queries, no scans; readiness asks each table's state.</summary>
    public static IEnumerable<AwsGrant> Reads(params IEnumerable<TableSchema> tables) =>
        tables.Select(table => new OnTable(table, ["dynamodb:BatchGetItem", "dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:Query"]));

    /// <summary>Writes of single items and of transactions, which ask for the rights of their parts.</summary>
    public static IEnumerable<AwsGrant> Writes(params IEnumerable<TableSchema> tables) =>
        tables.Select(table => new OnTable(table, ["dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]));

    public static AwsGrant Deletes(TableSchema table) => new OnTable(table, ["dynamodb:DeleteItem"]);

    public static AwsGrant Objects(string bucket) => new OnObjects(bucket, ["s3:GetObject", "s3:PutObject"]);
}

/// <summary>The tables that a stack makes in the place of a setup step.</summary>
internal sealed record StackTables(IReadOnlyList<TableSchema> Tables) : IResourceAnnotation;

/// <summary>A bucket that clients upload to, which a stack makes in the place of a setup step.</summary>
internal sealed record StackUploads(string Bucket) : IResourceAnnotation;
