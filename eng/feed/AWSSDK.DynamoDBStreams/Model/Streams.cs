namespace Amazon.DynamoDBStreams.Model;

public class StreamSummary
{
    public string StreamArn { get; set; }

    /// <summary>The time the stream was enabled, as ISO 8601; part of the ARN.</summary>
    public string StreamLabel { get; set; }

    public string TableName { get; set; }
}

public class StreamDescription
{
    /// <summary>UTC.</summary>
    public DateTime? CreationRequestDateTime { get; set; }

    public List<KeySchemaElement> KeySchema { get; set; }

    /// <summary>Null on the last page of shards.</summary>
    public string LastEvaluatedShardId { get; set; }

    public List<Shard> Shards { get; set; }

    public string StreamArn { get; set; }

    public string StreamLabel { get; set; }

    public StreamStatus StreamStatus { get; set; }

    public StreamViewType StreamViewType { get; set; }

    public string TableName { get; set; }
}

public class KeySchemaElement
{
    public string AttributeName { get; set; }

    public KeyType KeyType { get; set; }
}

public class Shard
{
    public string ParentShardId { get; set; }

    public SequenceNumberRange SequenceNumberRange { get; set; }

    public string ShardId { get; set; }
}

/// <summary>An open shard has no EndingSequenceNumber.</summary>
public class SequenceNumberRange
{
    public string EndingSequenceNumber { get; set; }

    public string StartingSequenceNumber { get; set; }
}
