using Confluent.Kafka;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace ChatPlatform.LocalKafka;

/// <summary>A client of the fixed port, as any other would be.</summary>
internal sealed class KafkaMetadata(string bootstrapServers) : IDisposable
{
    private readonly Lazy<IAdminClient> _client = new(() => new AdminClientBuilder(new AdminClientConfig { BootstrapServers = bootstrapServers })
        .SetLogHandler((_, _) => { })
        .Build());

    /// <exception cref="KafkaException">No broker answered in time.</exception>
    public Metadata Ask(TimeSpan timeout) => _client.Value.GetMetadata(timeout);

    public void Dispose()
    {
        if (_client.IsValueCreated)
            _client.Value.Dispose();
    }
}

/// <summary>Healthy when a metadata request over the bootstrap port succeeds.</summary>
internal sealed class KafkaHealth(KafkaMetadata metadata) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            // The call blocks its thread in native code.
            var answer = await Task.Run(() => metadata.Ask(TimeSpan.FromSeconds(2)), cancellationToken);
            return answer.Brokers.Count > 0 ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("the metadata name no broker");
        }
        catch (KafkaException error)
        {
            return HealthCheckResult.Unhealthy(error.Error.Reason);
        }
    }
}
