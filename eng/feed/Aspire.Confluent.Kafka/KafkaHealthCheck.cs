using Confluent.Kafka;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Aspire.Confluent.Kafka;

/// <summary>
/// Healthy when a broker answers a metadata request within a second. One connection, made at the first check and kept.
/// Thread-safe; checks that overlap share the connection.
/// </summary>
internal sealed class KafkaHealthCheck(Func<ClientConfig> config) : IHealthCheck, IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly Lazy<IAdminClient> _client = new(() => Connect(config()), LazyThreadSafetyMode.PublicationOnly);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            // The client has no asynchronous form of this request.
            var metadata = await Task.Run(() => _client.Value.GetMetadata(Patience), cancellationToken).ConfigureAwait(false);
            return metadata.Brokers.Count > 0
                ? HealthCheckResult.Healthy()
                : new HealthCheckResult(context.Registration.FailureStatus, "The Kafka cluster lists no broker.");
        }
        catch (Exception exception) when (exception is KafkaException or InvalidOperationException)
        {
            return new HealthCheckResult(context.Registration.FailureStatus, exception.Message, exception);
        }
    }

    public void Dispose()
    {
        if (_client.IsValueCreated)
            _client.Value.Dispose();
    }

    private static IAdminClient Connect(ClientConfig client)
    {
        var own = new AdminClientConfig
        {
            BootstrapServers = client.BootstrapServers,
            SecurityProtocol = client.SecurityProtocol,
            SaslMechanism = client.SaslMechanism,
            SaslUsername = client.SaslUsername,
            SaslPassword = client.SaslPassword,
            SslCaLocation = client.SslCaLocation,
            SocketTimeoutMs = 1_000,
            ReconnectBackoffMaxMs = 1_000,
        };
        // What the check finds is in its result; a broker that is away must not fill standard error besides.
        return new AdminClientBuilder(own).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
    }
}

internal static class KafkaHealthCheckRegistration
{
    /// <summary>Adds the check once, however often the same client is registered: a health check's name may not repeat.</summary>
    public static void AddKafkaHealthCheck(this IHostApplicationBuilder builder, string name, Func<ClientConfig> config)
    {
        if (!builder.Properties.TryAdd($"Aspire.HealthChecks.{name}", true))
            return;
        builder.Services.AddKeyedSingleton(name, (_, _) => new KafkaHealthCheck(config));
        builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(
            name, services => services.GetRequiredKeyedService<KafkaHealthCheck>(name), failureStatus: null, tags: null));
    }
}
