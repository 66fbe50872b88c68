using Amazon.Runtime;

namespace Amazon.DynamoDBStreams.Model;

public class DescribeStreamResponse : AmazonWebServiceResponse
{
    public StreamDescription StreamDescription { get; set; }
}

public class GetRecordsResponse : AmazonWebServiceResponse
{
    /// <summary>Null when the shard is closed and read to its end.</summary>
    public string NextShardIterator { get; set; }

    public List<Record> Records { get; set; }
}

public class GetShardIteratorResponse : AmazonWebServiceResponse
{
    public string ShardIterator { get; set; }
}

public class ListStreamsResponse : AmazonWebServiceResponse
{
    /// <summary>Null on the last page.</summary>
    public string LastEvaluatedStreamArn { get; set; }

    public List<StreamSummary> Streams { get; set; }
}
