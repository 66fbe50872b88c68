namespace Amazon.DynamoDBStreams.Model;

/// <summary>One change of one item.</summary>
public class Record
{
    public string AwsRegion { get; set; }

    public StreamRecord Dynamodb { get; set; }

    /// <summary>Unique to the change: the key to recognise a record delivered twice.</summary>
    public string EventID { get; set; }

    public OperationType EventName { get; set; }

    public string EventSource { get; set; }

    public string EventVersion { get; set; }

    /// <summary>Set when Time to Live deleted the item: type Service, principal dynamodb.amazonaws.com.</summary>
    public Identity UserIdentity { get; set; }
}

public class Identity
{
    public string PrincipalId { get; set; }

    public string Type { get; set; }
}

public class StreamRecord
{
    /// <summary>UTC, rounded down to the second by AWS.</summary>
    public DateTime? ApproximateCreationDateTime { get; set; }

    public Dictionary<string, AttributeValue> Keys { get; set; }

    public Dictionary<string, AttributeValue> NewImage { get; set; }

    public Dictionary<string, AttributeValue> OldImage { get; set; }

    /// <summary>A decimal number of 21 to 40 digits; grows within a shard.</summary>
    public string SequenceNumber { get; set; }

    public long? SizeBytes { get; set; }

    public StreamViewType StreamViewType { get; set; }
}

/// <summary>A DynamoDB value: exactly one member is set.</summary>
public class AttributeValue
{
    public MemoryStream B { get; set; }

    public bool? BOOL { get; set; }

    public List<MemoryStream> BS { get; set; }

    public List<AttributeValue> L { get; set; }

    public Dictionary<string, AttributeValue> M { get; set; }

    /// <summary>A decimal number as text, up to 38 digits.</summary>
    public string N { get; set; }

    public List<string> NS { get; set; }

    public bool? NULL { get; set; }

    public string S { get; set; }

    public List<string> SS { get; set; }
}
