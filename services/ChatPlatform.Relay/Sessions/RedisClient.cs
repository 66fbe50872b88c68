using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace ChatPlatform.Relay.Sessions;

internal static class RedisClient
{
    /// <summary>The client of the session directory, from <c>ConnectionStrings:redis</c>. It starts without Redis and fails calls at once while Redis is away: no socket waits for it.</summary>
    public static void AddRedis(this WebApplicationBuilder builder)
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
    }

    /// <summary>Degraded, not unhealthy, while Redis is away: the sockets stay, and are registered again when it returns.</summary>
    private sealed class RedisHealth(IConnectionMultiplexer redis) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            try
            {
                await redis.GetDatabase().PingAsync().WaitAsync(TimeSpan.FromSeconds(2), cancellationToken);
                return HealthCheckResult.Healthy();
            }
            catch (Exception error) when (error is RedisException or TimeoutException)
            {
                return HealthCheckResult.Degraded("Redis does not answer", error);
            }
        }
    }
}
