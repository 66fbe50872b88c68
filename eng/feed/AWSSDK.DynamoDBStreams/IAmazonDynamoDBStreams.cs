using Amazon.DynamoDBStreams.Model;
using Amazon.Runtime;
using Endpoint = Amazon.Runtime.Endpoints.Endpoint;

namespace Amazon.DynamoDBStreams;

/// <summary>Reads the change streams of DynamoDB tables. Implementations are thread-safe.</summary>
public interface IAmazonDynamoDBStreams : IAmazonService, IDisposable
{
    /// <inheritdoc cref="DescribeStreamAsync(DescribeStreamRequest, CancellationToken)"/>
    Task<DescribeStreamResponse> DescribeStreamAsync(string streamArn, CancellationToken cancellationToken = default);

    /// <summary>A stream's status, table and shards. Throws ResourceNotFoundException, InternalServerErrorException.</summary>
    Task<DescribeStreamResponse> DescribeStreamAsync(DescribeStreamRequest request, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="GetRecordsAsync(GetRecordsRequest, CancellationToken)"/>
    Task<GetRecordsResponse> GetRecordsAsync(string shardIterator, CancellationToken cancellationToken = default);

    /// <summary>Records from an iterator on, at most 1,000 or 1 MB; an empty list does not mean the end, a null NextShardIterator does.
    /// Throws ExpiredIteratorException (15 minutes), TrimmedDataAccessException (24 hours), LimitExceededException, ResourceNotFoundException, InternalServerErrorException.</summary>
    Task<GetRecordsResponse> GetRecordsAsync(GetRecordsRequest request, CancellationToken cancellationToken = default);

    /// <summary>A position in a shard, valid for 15 minutes. Throws ResourceNotFoundException, TrimmedDataAccessException, InternalServerErrorException.</summary>
    Task<GetShardIteratorResponse> GetShardIteratorAsync(GetShardIteratorRequest request, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="ListStreamsAsync(ListStreamsRequest, CancellationToken)"/>
    Task<ListStreamsResponse> ListStreamsAsync(CancellationToken cancellationToken = default);

    /// <summary>The streams of the account, or of one table. Throws ResourceNotFoundException, InternalServerErrorException.</summary>
    Task<ListStreamsResponse> ListStreamsAsync(ListStreamsRequest request, CancellationToken cancellationToken = default);

    /// <summary>The endpoint a request would be sent to; sends nothing.</summary>
    Endpoint DetermineServiceOperationEndpoint(AmazonWebServiceRequest request);

    static ClientConfig IAmazonService.CreateDefaultClientConfig() => new AmazonDynamoDBStreamsConfig();

    static IAmazonService IAmazonService.CreateDefaultServiceClient(AWSCredentials awsCredentials, ClientConfig clientConfig) =>
        new AmazonDynamoDBStreamsClient(awsCredentials, (AmazonDynamoDBStreamsConfig)clientConfig);
}
