using System.Text;
using System.Text.Json.Serialization;
using ChatPlatform.LocalAws.DynamoDb.Values;

namespace ChatPlatform.LocalAws.DynamoDb.Tables;

/// <summary>The names of a table's or an index's key attributes.</summary>
internal sealed record KeySchema(string PartitionKey, string? SortKey)
{
    /// <summary>The partition key's name, then the sort key's when there is one.</summary>
    [JsonIgnore]
    public IReadOnlyList<string> Names { get; } = SortKey is null ? [PartitionKey] : [PartitionKey, SortKey];

    /// <summary>The partition key's name as it stands in stored items.</summary>
    [JsonIgnore]
    public byte[] PartitionName { get; } = Encoding.UTF8.GetBytes(PartitionKey);

    /// <summary>The sort key's name as it stands in stored items; null when there is none.</summary>
    [JsonIgnore]
    public byte[]? SortName { get; } = SortKey is null ? null : Encoding.UTF8.GetBytes(SortKey);

    public bool Equals(KeySchema? other) => other is not null && PartitionKey == other.PartitionKey && SortKey == other.SortKey;

    public override int GetHashCode() => HashCode.Combine(PartitionKey, SortKey);
}

internal enum IndexKind
{
    Local,
    Global,
}

/// <summary>A secondary index. <paramref name="NonKeyAttributes"/> only with <paramref name="ProjectionType"/> <c>INCLUDE</c>.</summary>
internal sealed record IndexDefinition(string Name, IndexKind Kind, KeySchema Keys, string ProjectionType, IReadOnlyList<string> NonKeyAttributes, Throughput Throughput)
{
    /// <summary>Whether the index holds an attribute: its own keys, the table's, and what the projection adds.</summary>
    public bool Projects(string attribute, KeySchema tableKeys) =>
        ProjectionType == "ALL" || Keys.Names.Contains(attribute) || tableKeys.Names.Contains(attribute) || NonKeyAttributes.Contains(attribute);
}

/// <summary>Provisioned units; zero with on-demand billing. Nothing is throttled.</summary>
internal sealed record Throughput(long ReadCapacityUnits, long WriteCapacityUnits);

/// <summary>Everything about a table but its items. Immutable and stored as JSON, so a renamed member is a change of the format.</summary>
internal sealed record TableDefinition
{
    /// <summary>Number of the table in the log; never used twice.</summary>
    public required int Number { get; init; }

    public required string Name { get; init; }

    public required string Id { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required Dictionary<string, AttributeType> AttributeTypes { get; init; }

    public required KeySchema Keys { get; init; }

    public required IReadOnlyList<IndexDefinition> Indexes { get; init; }

    public required string BillingMode { get; init; }

    public required Throughput Throughput { get; init; }

    public bool DeletionProtection { get; init; }

    public string? TableClass { get; init; }

    /// <summary>The attribute that holds an item's expiry in epoch seconds; null when TTL is off.</summary>
    public string? TimeToLiveAttribute { get; init; }

    /// <summary>Number of the stream that is on; null when there is none.</summary>
    public int? StreamNumber { get; init; }

    /// <summary>The latest stream, on or off.</summary>
    public string? LatestStreamLabel { get; init; }

    public Dictionary<string, string> Tags { get; init; } = [];
}
