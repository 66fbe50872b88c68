using ChatPlatform.ServiceDefaults;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Relay;

/// <summary>The section <c>Relay</c>.</summary>
internal sealed class RelayOptions
{
    public const string Section = "Relay";

    /// <summary>This node's name in the session directory; unique among running relays. Default: the OpenTelemetry attribute <c>service.instance.id</c>, or a random one.</summary>
    public string NodeId { get; set; } = "";

    /// <summary>Where API servers reach this relay's gRPC. Default: <c>http://127.0.0.1:$GRPC_PORT</c>.</summary>
    public string AdvertisedGrpcAddress { get; set; } = "";

    /// <summary>How often a client should say something; after two such times of silence it is closed with 4408.</summary>
    public int HeartbeatSeconds { get; set; } = 25;

    /// <summary>How long a client may wait with its <c>hello</c>.</summary>
    public double HelloSeconds { get; set; } = 5;

    /// <summary>How long a client may take to come back to the server's close, with what it has not read before it; then its connection is dropped.</summary>
    public double CloseSeconds { get; set; } = 8;

    /// <summary>Frames that may wait for one socket; one more closes it with 4503.</summary>
    public int SocketQueueLength { get; set; } = 512;

    /// <summary>Connections of one user on all relays together.</summary>
    public int ConnectionsPerUser { get; set; } = 10;

    /// <summary>
    /// Connections from one address on this relay; of IPv6 the first 64 bits count. Those of the platform's own networks (<see cref="TrustedProxies"/>) have no such limit.
    /// </summary>
    public int ConnectionsPerAddress { get; set; } = 1_000;

    /// <summary>Networks whose <c>X-Forwarded-For</c> is believed, in CIDR notation, separated by commas. Read from <c>RateLimits:TrustedProxies</c>, the API servers' setting.</summary>
    public string TrustedProxies { get; set; } = CallerAddress.Loopback;

    /// <summary>Frames a second that a client may send for long; five times as many at once. More closes it with 4429.</summary>
    public int FramesPerSecond { get; set; } = 50;

    /// <summary>The longest time that a drained client is asked to wait before it connects elsewhere; each gets a random part of it.</summary>
    public double DrainSpreadSeconds { get; set; } = 3;
}

internal sealed class RelayOptionsValidator : IValidateOptions<RelayOptions>
{
    public ValidateOptionsResult Validate(string? name, RelayOptions options)
    {
        List<string> failures = [];
        if (options.NodeId.Length is 0 or > 128 || options.NodeId.Any(c => char.IsWhiteSpace(c) || c is '{' or '}'))
            failures.Add($"Relay:NodeId is '{options.NodeId}'; it must have 1 to 128 characters without white space and braces.");
        if (!Uri.TryCreate(options.AdvertisedGrpcAddress, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
            failures.Add($"Relay:AdvertisedGrpcAddress is '{options.AdvertisedGrpcAddress}'; it must be an http url, or GRPC_PORT must be set.");
        if (options.HeartbeatSeconds is < 1 or > 3_600)
            failures.Add($"Relay:HeartbeatSeconds is {options.HeartbeatSeconds}; it must be from 1 to 3600.");
        if (options.HelloSeconds is not (>= 0.1 and <= 60))
            failures.Add($"Relay:HelloSeconds is {options.HelloSeconds}; it must be from 0.1 to 60.");
        if (options.CloseSeconds is not (>= 0.1 and <= 60))
            failures.Add($"Relay:CloseSeconds is {options.CloseSeconds}; it must be from 0.1 to 60.");
        if (options.SocketQueueLength is < 8 or > 65_536)
            failures.Add($"Relay:SocketQueueLength is {options.SocketQueueLength}; it must be from 8 to 65536.");
        if (options.ConnectionsPerUser is < 1 or > 1_000)
            failures.Add($"Relay:ConnectionsPerUser is {options.ConnectionsPerUser}; it must be from 1 to 1000.");
        if (options.ConnectionsPerAddress is < 1 or > 1_000_000)
            failures.Add($"Relay:ConnectionsPerAddress is {options.ConnectionsPerAddress}; it must be from 1 to 1000000.");
        if (CallerAddress.Problem(options.TrustedProxies) is { } problem)
            failures.Add(problem);
        if (options.FramesPerSecond is < 1 or > 10_000)
            failures.Add($"Relay:FramesPerSecond is {options.FramesPerSecond}; it must be from 1 to 10000.");
        if (options.DrainSpreadSeconds is not (>= 0 and <= 60))
            failures.Add($"Relay:DrainSpreadSeconds is {options.DrainSpreadSeconds}; it must be from 0 to 60.");
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }
}

/// <summary>The section <c>Api</c>.</summary>
internal sealed class ApiOptions
{
    public const string Section = "Api";

    /// <summary>chat.v1.ChatService of the API servers, plain HTTP/2.</summary>
    public string GrpcAddress { get; set; } = "";
}

internal sealed class ApiOptionsValidator : IValidateOptions<ApiOptions>
{
    public ValidateOptionsResult Validate(string? name, ApiOptions options) =>
        Uri.TryCreate(options.GrpcAddress, UriKind.Absolute, out var address) && address.Scheme is "http" or "https"
            ? ValidateOptionsResult.Success
            : ValidateOptionsResult.Fail($"Api:GrpcAddress is '{options.GrpcAddress}'; it must be the http url of the API servers' gRPC.");
}
