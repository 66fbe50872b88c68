namespace ChatPlatform.LocalAws.DynamoDb;

/// <summary>Settings of the section <c>DynamoDb</c>, and the region of ARNs.</summary>
internal sealed class DynamoDbOptions
{
    /// <summary>Shards of a new stream, 1 to 64. AWS has one per storage partition.</summary>
    public int ShardsPerStream { get; set; } = 4;

    /// <summary>
    /// The age at which a shard that holds records is closed and a successor takes its place, 100 ms to a day; seen at the next sweep. AWS closes them after about four hours.
    /// </summary>
    public TimeSpan ShardLifetime { get; set; } = TimeSpan.FromHours(4);

    /// <summary>How often expired items are looked for, 10 ms to a day. AWS promises days; a laptop should not wait.</summary>
    public TimeSpan TimeToLiveSweep { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>The log's length, in bytes, from which a snapshot replaces it; at least 1 MiB.</summary>
    public long SnapshotAfterBytes { get; set; } = 256L * 1024 * 1024;

    /// <summary>From <c>AWS_REGION</c>; every region sees the same tables.</summary>
    public string Region { get; set; } = "ap-northeast-2";

    /// <summary>What is wrong with the values; null when nothing is.</summary>
    public string? Problem() => this switch
    {
        { ShardsPerStream: < 1 or > 64 } => $"DynamoDb:ShardsPerStream is {ShardsPerStream}; it must be from 1 to 64.",
        { ShardLifetime: var lifetime } when lifetime < TimeSpan.FromMilliseconds(100) || lifetime > TimeSpan.FromDays(1) =>
            $"DynamoDb:ShardLifetime is {lifetime}; it must be from 00:00:00.100 to 1.00:00:00.",
        { TimeToLiveSweep: var sweep } when sweep < TimeSpan.FromMilliseconds(10) || sweep > TimeSpan.FromDays(1) =>
            $"DynamoDb:TimeToLiveSweep is {sweep}; it must be from 00:00:00.010 to 1.00:00:00.",
        { SnapshotAfterBytes: < 1024 * 1024 } => $"DynamoDb:SnapshotAfterBytes is {SnapshotAfterBytes}; it must be at least 1048576.",
        _ => null,
    };
}
