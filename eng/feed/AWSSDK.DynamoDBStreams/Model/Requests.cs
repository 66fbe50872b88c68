using Amazon.Runtime;

namespace Amazon.DynamoDBStreams.Model;

/// <summary>What all requests to DynamoDB Streams derive from.</summary>
public class AmazonDynamoDBStreamsRequest : AmazonWebServiceRequest
{
}

public class DescribeStreamRequest : AmazonDynamoDBStreamsRequest
{
    /// <summary>The shard after which the page begins: the LastEvaluatedShardId of the page before.</summary>
    public string ExclusiveStartShardId { get; set; }

    /// <summary>Shards in a page, 1 to 100.</summary>
    public int? Limit { get; set; }

    public string StreamArn { get; set; }
}

public class GetRecordsRequest : AmazonDynamoDBStreamsRequest
{
    /// <summary>Records in the reply, 1 to 1,000.</summary>
    public int? Limit { get; set; }

    public string ShardIterator { get; set; }
}

public class GetShardIteratorRequest : AmazonDynamoDBStreamsRequest
{
    /// <summary>Needed with AT_SEQUENCE_NUMBER and AFTER_SEQUENCE_NUMBER.</summary>
    public string SequenceNumber { get; set; }

    public string ShardId { get; set; }

    public ShardIteratorType ShardIteratorType { get; set; }

    public string StreamArn { get; set; }
}

public class ListStreamsRequest : AmazonDynamoDBStreamsRequest
{
    /// <summary>The stream after which the page begins: the LastEvaluatedStreamArn of the page before.</summary>
    public string ExclusiveStartStreamArn { get; set; }

    /// <summary>Streams in a page, 1 to 100.</summary>
    public int? Limit { get; set; }

    public string TableName { get; set; }
}
