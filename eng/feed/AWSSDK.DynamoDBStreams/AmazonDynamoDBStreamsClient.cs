using Amazon.DynamoDBStreams.Internal;
using Amazon.DynamoDBStreams.Model;
using Amazon.Runtime;
using Amazon.Runtime.Endpoints;
using Amazon.Runtime.Internal;
using ChatPlatform.Feed.AwsJson;
using Endpoint = Amazon.Runtime.Endpoints.Endpoint;

namespace Amazon.DynamoDBStreams;

/// <inheritdoc cref="IAmazonDynamoDBStreams"/>
public class AmazonDynamoDBStreamsClient : AmazonServiceClient, IAmazonDynamoDBStreams
{
    private static readonly IServiceMetadata Metadata = new AmazonDynamoDBStreamsMetadata();

    /// <summary>Credentials, region and endpoint come from the environment and the shared AWS configuration files.</summary>
    public AmazonDynamoDBStreamsClient()
        : base(new AmazonDynamoDBStreamsConfig())
    {
    }

    public AmazonDynamoDBStreamsClient(RegionEndpoint region)
        : base(new AmazonDynamoDBStreamsConfig { RegionEndpoint = region })
    {
    }

    public AmazonDynamoDBStreamsClient(AmazonDynamoDBStreamsConfig config)
        : base(config)
    {
    }

    public AmazonDynamoDBStreamsClient(AWSCredentials credentials)
        : this(credentials, new AmazonDynamoDBStreamsConfig())
    {
    }

    public AmazonDynamoDBStreamsClient(AWSCredentials credentials, RegionEndpoint region)
        : this(credentials, new AmazonDynamoDBStreamsConfig { RegionEndpoint = region })
    {
    }

    public AmazonDynamoDBStreamsClient(AWSCredentials credentials, AmazonDynamoDBStreamsConfig clientConfig)
        : base(credentials, clientConfig)
    {
    }

    public AmazonDynamoDBStreamsClient(string awsAccessKeyId, string awsSecretAccessKey)
        : this(awsAccessKeyId, awsSecretAccessKey, new AmazonDynamoDBStreamsConfig())
    {
    }

    public AmazonDynamoDBStreamsClient(string awsAccessKeyId, string awsSecretAccessKey, RegionEndpoint region)
        : this(awsAccessKeyId, awsSecretAccessKey, new AmazonDynamoDBStreamsConfig { RegionEndpoint = region })
    {
    }

    public AmazonDynamoDBStreamsClient(string awsAccessKeyId, string awsSecretAccessKey, AmazonDynamoDBStreamsConfig clientConfig)
        : base(awsAccessKeyId, awsSecretAccessKey, clientConfig)
    {
    }

    public AmazonDynamoDBStreamsClient(string awsAccessKeyId, string awsSecretAccessKey, string awsSessionToken)
        : this(awsAccessKeyId, awsSecretAccessKey, awsSessionToken, new AmazonDynamoDBStreamsConfig())
    {
    }

    public AmazonDynamoDBStreamsClient(string awsAccessKeyId, string awsSecretAccessKey, string awsSessionToken, RegionEndpoint region)
        : this(awsAccessKeyId, awsSecretAccessKey, awsSessionToken, new AmazonDynamoDBStreamsConfig { RegionEndpoint = region })
    {
    }

    public AmazonDynamoDBStreamsClient(string awsAccessKeyId, string awsSecretAccessKey, string awsSessionToken, AmazonDynamoDBStreamsConfig clientConfig)
        : base(awsAccessKeyId, awsSecretAccessKey, awsSessionToken, clientConfig)
    {
    }

    protected override IServiceMetadata ServiceMetadata => Metadata;

    /// <inheritdoc/>
    public virtual Task<DescribeStreamResponse> DescribeStreamAsync(string streamArn, CancellationToken cancellationToken = default) =>
        DescribeStreamAsync(new DescribeStreamRequest { StreamArn = streamArn }, cancellationToken);

    /// <inheritdoc/>
    public virtual Task<DescribeStreamResponse> DescribeStreamAsync(DescribeStreamRequest request, CancellationToken cancellationToken = default) =>
        InvokeAsync<DescribeStreamResponse>(request, DynamoDBStreamsProtocol.DescribeStream.Options(), cancellationToken);

    /// <inheritdoc/>
    public virtual Task<GetRecordsResponse> GetRecordsAsync(string shardIterator, CancellationToken cancellationToken = default) =>
        GetRecordsAsync(new GetRecordsRequest { ShardIterator = shardIterator }, cancellationToken);

    /// <inheritdoc/>
    public virtual Task<GetRecordsResponse> GetRecordsAsync(GetRecordsRequest request, CancellationToken cancellationToken = default) =>
        InvokeAsync<GetRecordsResponse>(request, DynamoDBStreamsProtocol.GetRecords.Options(), cancellationToken);

    /// <inheritdoc/>
    public virtual Task<GetShardIteratorResponse> GetShardIteratorAsync(GetShardIteratorRequest request, CancellationToken cancellationToken = default) =>
        InvokeAsync<GetShardIteratorResponse>(request, DynamoDBStreamsProtocol.GetShardIterator.Options(), cancellationToken);

    /// <inheritdoc/>
    public virtual Task<ListStreamsResponse> ListStreamsAsync(CancellationToken cancellationToken = default) =>
        ListStreamsAsync(new ListStreamsRequest(), cancellationToken);

    /// <inheritdoc/>
    public virtual Task<ListStreamsResponse> ListStreamsAsync(ListStreamsRequest request, CancellationToken cancellationToken = default) =>
        InvokeAsync<ListStreamsResponse>(request, DynamoDBStreamsProtocol.ListStreams.Options(), cancellationToken);

    /// <inheritdoc/>
    public Endpoint DetermineServiceOperationEndpoint(AmazonWebServiceRequest request) =>
        Config.DetermineServiceOperationEndpoint(new ServiceOperationEndpointParameters(request));

    protected override void CustomizeRuntimePipeline(RuntimePipeline pipeline)
    {
        pipeline.RemoveHandler<EndpointResolver>();
        pipeline.AddHandlerAfter<Marshaller>(new RegionalEndpointResolver());
        pipeline.AddHandlerAfter<Marshaller>(new SigV4AuthHandler());
    }
}
