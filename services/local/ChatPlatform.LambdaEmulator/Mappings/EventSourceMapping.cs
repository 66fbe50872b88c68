namespace ChatPlatform.LambdaEmulator.Mappings;

/// <summary>
/// An event source mapping for a DynamoDB stream, as it is kept (https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html has the defaults and ranges).
/// </summary>
internal sealed record EventSourceMapping
{
    public required Guid Uuid { get; init; }

    public required string EventSourceArn { get; init; }

    public required string FunctionName { get; init; }

    public required string FunctionArn { get; init; }

    /// <summary><c>TRIM_HORIZON</c> or <c>LATEST</c>.</summary>
    public required string StartingPosition { get; init; }

    /// <summary>1 to 10,000.</summary>
    public int BatchSize { get; init; } = 100;

    /// <summary>0 to 300.</summary>
    public int MaximumBatchingWindowInSeconds { get; init; }

    /// <summary>1 to 10 concurrent batches of one shard.</summary>
    public int ParallelizationFactor { get; init; } = 1;

    /// <summary>0 to 10,000; −1 is without end.</summary>
    public int MaximumRetryAttempts { get; init; } = -1;

    /// <summary>60 to 604,800; −1 is without end.</summary>
    public int MaximumRecordAgeInSeconds { get; init; } = -1;

    public bool BisectBatchOnFunctionError { get; init; }

    public bool ReportBatchItemFailures { get; init; }

    /// <summary>Event patterns of which one must match; none lets everything pass.</summary>
    public IReadOnlyList<string> Filters { get; init; } = [];

    /// <summary><c>arn:aws:s3:::BUCKET</c> or <c>kafka://TOPIC</c> for records that are given up; null drops them.</summary>
    public string? OnFailure { get; init; }

    public bool Enabled { get; init; } = true;

    public required DateTimeOffset Created { get; init; }

    public required DateTimeOffset LastModified { get; init; }
}

/// <summary>How far one shard has been handled.</summary>
internal sealed record ShardCheckpoint
{
    public required string ShardId { get; init; }

    /// <summary>The last record handled, everything before it included; null when there is none yet.</summary>
    public string? SequenceNumber { get; init; }

    /// <summary>
    /// For a shard that began at <c>LATEST</c> and has no sequence number yet: records written before this are not the mapping's. A restart reads the shard from its beginning and
    /// passes over them, so that what came between start and crash is not lost; within that one second a record may be handled that was older.
    /// </summary>
    public DateTimeOffset? NotBefore { get; init; }

    /// <summary>The shard is closed and handled to its end: its children may begin.</summary>
    public bool Finished { get; init; }
}
