namespace ChatPlatform.Contracts.Tables;

/// <summary>A scalar type that a DynamoDB key can have.</summary>
public enum KeyType
{
    /// <summary>A string, <c>S</c>.</summary>
    String,

    /// <summary>A number, <c>N</c>.</summary>
    Number,
}

/// <summary>What a table's stream records hold.</summary>
public enum StreamView
{
    /// <summary>The table has no stream.</summary>
    None,

    /// <summary><c>NEW_AND_OLD_IMAGES</c>.</summary>
    NewAndOldImages,
}

/// <summary>One key attribute.</summary>
public sealed record TableKey(string Name, KeyType Type = KeyType.String);

/// <summary>A global secondary index that projects every attribute.</summary>
public sealed record TableIndex(string Name, TableKey PartitionKey, TableKey? SortKey = null);

/// <summary>A table as data, for whoever provisions it; billed on demand.</summary>
/// <param name="Name">The table's name.</param>
/// <param name="PartitionKey">The partition key.</param>
/// <param name="SortKey">The sort key, or null.</param>
/// <param name="Indexes">Global secondary indexes, all with projection <c>ALL</c>.</param>
/// <param name="Stream">What the stream carries.</param>
/// <param name="TimeToLiveAttribute">A number attribute in epoch seconds after which DynamoDB may delete the item, or null.</param>
public sealed record TableSchema(
    string Name,
    TableKey PartitionKey,
    TableKey? SortKey,
    IReadOnlyList<TableIndex> Indexes,
    StreamView Stream = StreamView.None,
    string? TimeToLiveAttribute = null)
{
    /// <summary>Every attribute that a key of the table or of an index uses, each once: <c>AttributeDefinitions</c>.</summary>
    public IEnumerable<TableKey> KeyAttributes => new[] { PartitionKey, SortKey }
        .Concat(Indexes.SelectMany(index => new[] { index.PartitionKey, index.SortKey }))
        .OfType<TableKey>()
        .DistinctBy(key => key.Name);
}

/// <summary>The tables of the chat service. Item shapes are documented where they are written.</summary>
public static class ChatTables
{
    /// <summary>The rooms' logs: one item per entry.</summary>
    public static TableSchema Log { get; } = new(
        "chat-log", new TableKey("roomId"), new TableKey("seq", KeyType.Number), [], StreamView.NewAndOldImages);

    /// <summary>One row per room: <c>lastSeq</c> and what changes with it.</summary>
    public static TableSchema Rooms { get; } = new("chat-rooms", new TableKey("roomId"), null, [], StreamView.NewAndOldImages);

    /// <summary>One row per member of a room.</summary>
    public static TableSchema Members { get; } = new(
        "chat-members",
        new TableKey("userId"),
        new TableKey("roomId"),
        [
            new TableIndex(MembersByRoom, new TableKey("roomId"), new TableKey("userId")),
            new TableIndex(MembersByActivity, new TableKey("userId"), new TableKey("activeAt")),
        ],
        StreamView.NewAndOldImages);

    /// <summary>Devices, blocks, direct-room identities and, with a TTL, dedupe records.</summary>
    public static TableSchema Users { get; } = new(
        "chat-users", new TableKey("pk"), new TableKey("sk"), [], TimeToLiveAttribute: "expiresAt");

    /// <summary>The index on <see cref="Members"/> that lists a room's members.</summary>
    public const string MembersByRoom = "byRoom";

    /// <summary>The index on <see cref="Members"/> that lists a user's rooms by latest activity (<c>activeAt</c>, RFC 3339 UTC with milliseconds, sorts as text).</summary>
    public const string MembersByActivity = "byActivity";

    /// <summary>Every table.</summary>
    public static IReadOnlyList<TableSchema> All { get; } = [Log, Rooms, Members, Users];
}
