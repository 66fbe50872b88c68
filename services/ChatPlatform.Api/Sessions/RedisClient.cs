using StackExchange.Redis;

namespace ChatPlatform.Api.Sessions;

internal static class RedisClient
{
    /// <summary>The client of the session directory, from <c>ConnectionStrings:redis</c>. It starts without Redis and fails calls at once while Redis is away: no caller waits for it.</summary>
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
}
