using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using StackExchange.Redis;

namespace ChatPlatform.ServiceDefaults;

/// <summary>The Redis client of a service: for what may be away for a while without a message being lost (sessions, leases, limits).</summary>
public static class Redis
{
    /// <summary>
    /// Adds one <see cref="IConnectionMultiplexer"/> (thread-safe) from <c>ConnectionStrings:redis</c>. It starts without Redis and fails calls at once while Redis is away:
    /// no caller waits for it. While Redis is away the service is degraded, not unhealthy.
    /// </summary>
    public static TBuilder AddRedis<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        builder.AddRedisClient(
            "redis",
            settings => settings.DisableHealthChecks = true,
            options =>
            {
                options.AbortOnConnectFail = false;
                options.ConnectTimeout = 2_000;
                options.AsyncTimeout = 1_500;
                options.SyncTimeout = 1_500;
                options.BacklogPolicy = BacklogPolicy.FailFast;
            });
        builder.Services.AddHealthChecks().AddCheck<RedisHealth>("redis");
        return builder;
    }

    /// <summary>
    /// True for what a call without a cancellation token throws while Redis is away or a connection to it goes up or down. When a connection is replaced on a very busy machine
    /// the client also cancels calls of its own, and lets a failure of its own pipes through ("Reading is not allowed after reader was completed").
    /// </summary>
    public static bool IsAway(Exception error) =>
        error is RedisException or TimeoutException or TaskCanceledException || (error is InvalidOperationException && error.Source == "System.IO.Pipelines");

    private sealed class RedisHealth(IConnectionMultiplexer redis) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            try
            {
                await redis.GetDatabase().PingAsync().WaitAsync(TimeSpan.FromSeconds(2), cancellationToken);
                return HealthCheckResult.Healthy();
            }
            catch (Exception error) when (IsAway(error))
            {
                return HealthCheckResult.Degraded("Redis does not answer", error);
            }
        }
    }
}
