using Amazon.Runtime.Internal;

namespace Amazon.KinesisFirehose.Internal;

/// <summary>Tells the pipeline the service's id; every operation is named as its request type is.</summary>
public class AmazonKinesisFirehoseMetadata : IServiceMetadata
{
    public string ServiceId => AmazonKinesisFirehoseConfig.ServiceId;

    public IDictionary<string, string> OperationNameMapping { get; } = new Dictionary<string, string>();
}
