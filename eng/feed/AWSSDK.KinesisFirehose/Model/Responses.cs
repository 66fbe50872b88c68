using Amazon.Runtime;

namespace Amazon.KinesisFirehose.Model;

public class CreateDeliveryStreamResponse : AmazonWebServiceResponse
{
    public string DeliveryStreamARN { get; set; }
}

public class DeleteDeliveryStreamResponse : AmazonWebServiceResponse
{
}

public class DescribeDeliveryStreamResponse : AmazonWebServiceResponse
{
    public DeliveryStreamDescription DeliveryStreamDescription { get; set; }
}

public class ListDeliveryStreamsResponse : AmazonWebServiceResponse
{
    public List<string> DeliveryStreamNames { get; set; }

    public bool? HasMoreDeliveryStreams { get; set; }
}

public class PutRecordResponse : AmazonWebServiceResponse
{
    public bool? Encrypted { get; set; }

    public string RecordId { get; set; }
}

public class PutRecordBatchResponse : AmazonWebServiceResponse
{
    public bool? Encrypted { get; set; }

    /// <summary>How many entries carry an ErrorCode and have to be put again.</summary>
    public int? FailedPutCount { get; set; }

    /// <summary>One entry for each record, in the order of the request.</summary>
    public List<PutRecordBatchResponseEntry> RequestResponses { get; set; }
}

/// <summary>Either a RecordId, or an ErrorCode with its message.</summary>
public class PutRecordBatchResponseEntry
{
    public string ErrorCode { get; set; }

    public string ErrorMessage { get; set; }

    public string RecordId { get; set; }
}
