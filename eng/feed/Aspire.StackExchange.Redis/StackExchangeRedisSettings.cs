namespace Aspire.StackExchange.Redis;

/// <summary>Settings of a Redis client, read from <c>Aspire:StackExchange:Redis</c> and then from <c>Aspire:StackExchange:Redis:{name}</c>.</summary>
public sealed class StackExchangeRedisSettings
{
    /// <summary>A StackExchange.Redis configuration string, such as <c>127.0.0.1:7001,127.0.0.1:7002</c>. <c>ConnectionStrings:{name}</c> goes before it.</summary>
    public string? ConnectionString { get; set; }

    public bool DisableHealthChecks { get; set; }

    /// <summary>Has no effect here: commands make no spans in this substitute. Present because callers set it.</summary>
    public bool DisableTracing { get; set; }

    /// <summary>False: connect while the host starts, not at the first use.</summary>
    public bool DisableAutoActivation { get; set; } = true;
}
