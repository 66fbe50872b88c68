using Amazon.KinesisFirehose.Model;
using Amazon.Runtime;
using Endpoint = Amazon.Runtime.Endpoints.Endpoint;

namespace Amazon.KinesisFirehose;

/// <summary>Puts records into delivery streams and manages these. Implementations are thread-safe.</summary>
public interface IAmazonKinesisFirehose : IAmazonService, IDisposable
{
    /// <summary>Creates a delivery stream; returns while it is still CREATING. Throws InvalidArgumentException, LimitExceededException, ResourceInUseException.</summary>
    Task<CreateDeliveryStreamResponse> CreateDeliveryStreamAsync(CreateDeliveryStreamRequest request, CancellationToken cancellationToken = default);

    /// <summary>Deletes a delivery stream and its data. Throws ResourceInUseException, ResourceNotFoundException.</summary>
    Task<DeleteDeliveryStreamResponse> DeleteDeliveryStreamAsync(DeleteDeliveryStreamRequest request, CancellationToken cancellationToken = default);

    /// <summary>A delivery stream's status and destinations. Throws ResourceNotFoundException.</summary>
    Task<DescribeDeliveryStreamResponse> DescribeDeliveryStreamAsync(DescribeDeliveryStreamRequest request, CancellationToken cancellationToken = default);

    /// <summary>Names of delivery streams, at most Limit (10 unless set).</summary>
    Task<ListDeliveryStreamsResponse> ListDeliveryStreamsAsync(ListDeliveryStreamsRequest request, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="PutRecordAsync(PutRecordRequest, CancellationToken)"/>
    Task<PutRecordResponse> PutRecordAsync(string deliveryStreamName, Record record, CancellationToken cancellationToken = default);

    /// <summary>Puts one record of at most 1,000 KiB. Throws InvalidArgumentException, ResourceNotFoundException, ServiceUnavailableException.</summary>
    Task<PutRecordResponse> PutRecordAsync(PutRecordRequest request, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="PutRecordBatchAsync(PutRecordBatchRequest, CancellationToken)"/>
    Task<PutRecordBatchResponse> PutRecordBatchAsync(string deliveryStreamName, List<Record> records, CancellationToken cancellationToken = default);

    /// <summary>Puts at most 500 records, 4 MiB in all. A reply may have failed entries: look at FailedPutCount and put those again.
    /// Throws InvalidArgumentException, ResourceNotFoundException, ServiceUnavailableException.</summary>
    Task<PutRecordBatchResponse> PutRecordBatchAsync(PutRecordBatchRequest request, CancellationToken cancellationToken = default);

    /// <summary>The endpoint a request would be sent to; sends nothing.</summary>
    Endpoint DetermineServiceOperationEndpoint(AmazonWebServiceRequest request);

    static ClientConfig IAmazonService.CreateDefaultClientConfig() => new AmazonKinesisFirehoseConfig();

    static IAmazonService IAmazonService.CreateDefaultServiceClient(AWSCredentials awsCredentials, ClientConfig clientConfig) =>
        new AmazonKinesisFirehoseClient(awsCredentials, (AmazonKinesisFirehoseConfig)clientConfig);
}
