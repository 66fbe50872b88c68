using System.Globalization;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace ChatPlatform.Forwarder.Delivery;

/// <summary>Red when an output's oldest record on disk is overdue by more than <c>HEALTH_STALL_SECONDS</c> (default 60).</summary>
internal sealed class DeliveryHealth(IReadOnlyList<OutputPump> pumps, TimeSpan limit) : IHealthCheck
{
    public const string Variable = "HEALTH_STALL_SECONDS";

    /// <exception cref="FormatException">The setting is no number of seconds; the message says so.</exception>
    public static TimeSpan Limit(IConfiguration configuration)
    {
        var text = configuration[Variable];
        if (string.IsNullOrEmpty(text))
            return TimeSpan.FromSeconds(60);
        return double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds) && seconds is > 0 and <= 86_400
            ? TimeSpan.FromSeconds(seconds)
            : throw new FormatException($"{Variable} is '{text}'; it must be seconds above 0 and up to 86400.");
    }

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        foreach (var pump in pumps)
        {
            if (pump.Overdue > limit)
                return Task.FromResult(HealthCheckResult.Unhealthy($"{pump.Alias}: {pump.PendingBytes} bytes wait, the oldest for {pump.OldestPending.TotalSeconds:F0} s"));
        }

        return Task.FromResult(HealthCheckResult.Healthy());
    }
}
