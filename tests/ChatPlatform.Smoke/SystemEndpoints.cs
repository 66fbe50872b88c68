namespace ChatPlatform.Smoke;

/// <summary>Where the running system is reached from outside; all urls absolute, without a trailing path.</summary>
/// <param name="GatewayUrl">The front door.</param>
/// <param name="AwsUrl">The AWS edge, e.g. <c>http://127.0.0.1:4566</c>; any credentials.</param>
/// <param name="KafkaBootstrap">Bootstrap servers, <c>host:port</c>.</param>
/// <param name="FcmUrl">The push emulator.</param>
public sealed record SystemEndpoints(Uri GatewayUrl, Uri AwsUrl, string KafkaBootstrap, Uri FcmUrl)
{
    /// <summary>The Aspire dashboard; without it the trace check does not run.</summary>
    public Uri? DashboardUrl { get; init; }

    /// <summary>The dashboard's API key, where it asks for one.</summary>
    public string? DashboardApiKey { get; init; }

    /// <summary>In StackExchange form; shown only.</summary>
    public string? RedisConnectionString { get; init; }
}
