using Amazon.Runtime.Internal;

namespace Amazon.DynamoDBStreams.Internal;

/// <summary>Tells the pipeline the service's id; every operation is named as its request type is.</summary>
public class AmazonDynamoDBStreamsMetadata : IServiceMetadata
{
    public string ServiceId => AmazonDynamoDBStreamsConfig.ServiceId;

    public IDictionary<string, string> OperationNameMapping { get; } = new Dictionary<string, string>();
}
