using Microsoft.Extensions.Hosting;

namespace Aspire.StackExchange.Redis;

/// <summary>What was registered by one call, for other packages to build on.</summary>
public sealed class AspireRedisClientBuilder(IHostApplicationBuilder hostBuilder, StackExchangeRedisSettings settings, string? serviceKey)
{
    public IHostApplicationBuilder HostBuilder { get; } = hostBuilder ?? throw new ArgumentNullException(nameof(hostBuilder));

    public StackExchangeRedisSettings Settings { get; } = settings;

    /// <summary>Null for the client that has no key.</summary>
    public string? ServiceKey { get; } = serviceKey;
}
