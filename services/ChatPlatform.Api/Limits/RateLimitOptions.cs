using ChatPlatform.ServiceDefaults;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Api.Limits;

/// <summary>A token bucket: so many calls at once, and so many a second in the long run.</summary>
internal sealed class RateLimit
{
    public int Burst { get; set; }

    public double PerSecond { get; set; }

    /// <summary>How long one token takes to come back.</summary>
    public TimeSpan Interval => TimeSpan.FromSeconds(1) / PerSecond;
}

/// <summary>The section <c>RateLimits</c>.</summary>
internal sealed class RateLimitOptions
{
    public const string Section = "RateLimits";

    /// <summary>Calls of one user.</summary>
    public RateLimit User { get; set; } = new() { Burst = 400, PerSecond = 100 };

    /// <summary>Messages of one user, besides <see cref="User"/>.</summary>
    public RateLimit Send { get; set; } = new() { Burst = 200, PerSecond = 20 };

    /// <summary>Calls from one address, with or without a token; of IPv6 the first 64 bits count.</summary>
    public RateLimit Address { get; set; } = new() { Burst = 2_000, PerSecond = 500 };

    /// <summary>
    /// Networks in CIDR notation, separated by commas, whose <c>X-Forwarded-For</c> is believed: the gateway's, and those of relays and other API servers. Calls that come from there
    /// without one are the platform's own and have no limit by address.
    /// </summary>
    public string TrustedProxies { get; set; } = CallerAddress.Loopback;
}

internal sealed class RateLimitOptionsValidator : IValidateOptions<RateLimitOptions>
{
    private const int Most = 1_000_000;

    public ValidateOptionsResult Validate(string? name, RateLimitOptions options)
    {
        List<string> failures = [];
        Check(nameof(options.User), options.User);
        Check(nameof(options.Send), options.Send);
        Check(nameof(options.Address), options.Address);
        if (CallerAddress.Problem(options.TrustedProxies) is { } problem)
            failures.Add(problem);
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);

        void Check(string key, RateLimit limit)
        {
            if (limit.Burst is < 1 or > Most)
                failures.Add($"RateLimits:{key}:Burst is {limit.Burst}; it must be from 1 to {Most}.");
            if (limit.PerSecond is not (>= 0.001 and <= Most))
                failures.Add($"RateLimits:{key}:PerSecond is {limit.PerSecond}; it must be from 0.001 to {Most}.");
        }
    }
}
