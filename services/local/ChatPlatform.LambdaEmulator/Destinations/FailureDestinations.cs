using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using ChatPlatform.LambdaEmulator.Mappings;
using Confluent.Kafka;

namespace ChatPlatform.LambdaEmulator.Destinations;

/// <summary>
/// Brings discarded batches to their mapping's on-failure destination. It tries until it has: the checkpoint passes a record only after that, so that nothing vanishes
/// (AWS counts DestinationDeliveryFailures and drops). Thread-safe.
/// </summary>
internal sealed partial class FailureDestinations(EmulatorOptions options, Lazy<IAmazonS3> s3, TimeProvider time, ILogger<FailureDestinations> logger) : IDisposable
{
    private readonly ILogger _logger = logger;
    private readonly Lazy<IProducer<Null, byte[]>> _kafka = new(() =>
        new ProducerBuilder<Null, byte[]>(new ProducerConfig { BootstrapServers = options.Kafka, Acks = Acks.All, EnableIdempotence = true, MessageTimeoutMs = 10_000 }).Build());

    /// <summary>Returns when the record is where it belongs, at once for a mapping without a destination.</summary>
    /// <exception cref="OperationCanceledException">Cancelled before that.</exception>
    public async Task SendAsync(EventSourceMapping mapping, DiscardedBatch batch, CancellationToken cancellationToken)
    {
        if (mapping.OnFailure is not { } destination)
            return;
        var random = Guid.NewGuid();
        for (var pause = options.RetryBackoff; ; pause = pause * 2 < options.RetryBackoff * 60 ? pause * 2 : options.RetryBackoff * 60)
        {
            var now = time.GetUtcNow();
            try
            {
                if (destination.StartsWith(FailureDestination.BucketPrefix, StringComparison.Ordinal))
                    await PutAsync(destination[FailureDestination.BucketPrefix.Length..], batch.ObjectKey(mapping.Uuid, now, random), batch.ToJson(mapping, now), cancellationToken);
                else
                    await _kafka.Value.ProduceAsync(destination[FailureDestination.TopicPrefix.Length..], new Message<Null, byte[]> { Value = batch.ToJson(mapping, now) }, cancellationToken);
                Sent(mapping.Uuid, batch.End - batch.From, batch.ShardId, destination);
                return;
            }
            catch (Exception error) when (error is AmazonServiceException or AmazonClientException or HttpRequestException or KafkaException)
            {
                Telemetry.DestinationFailures.Add(1, new KeyValuePair<string, object?>("function", mapping.FunctionName));
                NotSent(error, mapping.Uuid, batch.ShardId, destination, pause.TotalMilliseconds);
                await Task.Delay(pause, time, cancellationToken);
            }
        }
    }

    public void Dispose()
    {
        if (_kafka.IsValueCreated)
            _kafka.Value.Dispose();
    }

    private async Task PutAsync(string bucket, string key, byte[] record, CancellationToken cancellationToken)
    {
        using var content = new MemoryStream(record);
        await s3.Value.PutObjectAsync(new PutObjectRequest { BucketName = bucket, Key = key, InputStream = content, ContentType = "application/json" }, cancellationToken);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Mapping {Uuid}: {Count} discarded records of {Shard} are in {Destination}")]
    private partial void Sent(Guid uuid, int count, string shard, string destination);

    [LoggerMessage(Level = LogLevel.Error, Message = "Mapping {Uuid}: the discarded records of {Shard} could not be brought to {Destination}; again in {Pause} ms")]
    private partial void NotSent(Exception error, Guid uuid, string shard, string destination, double pause);
}
