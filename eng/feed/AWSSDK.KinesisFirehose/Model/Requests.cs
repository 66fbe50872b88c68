using Amazon.Runtime;

namespace Amazon.KinesisFirehose.Model;

/// <summary>What all requests to Amazon Data Firehose derive from.</summary>
public class AmazonKinesisFirehoseRequest : AmazonWebServiceRequest
{
}

public class CreateDeliveryStreamRequest : AmazonKinesisFirehoseRequest
{
    /// <summary>1 to 64 characters of A-Z a-z 0-9 _ . -</summary>
    public string DeliveryStreamName { get; set; }

    /// <summary>DirectPut unless set.</summary>
    public DeliveryStreamType DeliveryStreamType { get; set; }

    public ExtendedS3DestinationConfiguration ExtendedS3DestinationConfiguration { get; set; }
}

public class DeleteDeliveryStreamRequest : AmazonKinesisFirehoseRequest
{
    public bool? AllowForceDelete { get; set; }

    public string DeliveryStreamName { get; set; }
}

public class DescribeDeliveryStreamRequest : AmazonKinesisFirehoseRequest
{
    public string DeliveryStreamName { get; set; }

    public string ExclusiveStartDestinationId { get; set; }

    /// <summary>Destinations in the reply; a delivery stream has one.</summary>
    public int? Limit { get; set; }
}

public class ListDeliveryStreamsRequest : AmazonKinesisFirehoseRequest
{
    public DeliveryStreamType DeliveryStreamType { get; set; }

    /// <summary>The name after which the page begins.</summary>
    public string ExclusiveStartDeliveryStreamName { get; set; }

    /// <summary>1 to 10,000; 10 unless set.</summary>
    public int? Limit { get; set; }
}

public class PutRecordRequest : AmazonKinesisFirehoseRequest
{
    public string DeliveryStreamName { get; set; }

    public Record Record { get; set; }
}

public class PutRecordBatchRequest : AmazonKinesisFirehoseRequest
{
    public string DeliveryStreamName { get; set; }

    /// <summary>1 to 500.</summary>
    public List<Record> Records { get; set; }
}

/// <summary>One record. Firehose adds no delimiter: end the data with one where the reader needs it.</summary>
public class Record
{
    /// <summary>At most 1,000 KiB. All bytes are sent, wherever the stream's position stands.</summary>
    public MemoryStream Data { get; set; }
}
