using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace Aspire.StackExchange.Redis;

/// <summary>Healthy when every configured server answers PING, and every cluster node says <c>cluster_state:ok</c>.</summary>
internal sealed class RedisHealthCheck(Func<IConnectionMultiplexer> connection) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            var multiplexer = connection();
            foreach (var endpoint in multiplexer.GetEndPoints(configuredOnly: true))
            {
                var server = multiplexer.GetServer(endpoint);
                if (server.ServerType != ServerType.Cluster)
                {
                    await server.PingAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
                    continue;
                }

                var info = await server.ExecuteAsync("CLUSTER", "INFO").WaitAsync(cancellationToken).ConfigureAwait(false);
                if (((string?)info)?.Contains("cluster_state:ok", StringComparison.Ordinal) != true)
                    return new HealthCheckResult(context.Registration.FailureStatus, $"The Redis cluster is not ok as {endpoint} sees it.");
            }

            return HealthCheckResult.Healthy();
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            return new HealthCheckResult(context.Registration.FailureStatus, exception.Message, exception);
        }
    }
}
