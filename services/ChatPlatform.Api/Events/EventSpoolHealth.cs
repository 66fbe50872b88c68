using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Api.Events;

/// <summary>
/// Degraded, not unhealthy, while events wait longer than <see cref="EventOptions.StallSeconds"/>: chat works without the agent, and taking every replica out of the load balancer would
/// turn a delay into an outage. Unhealthy when sends are refused because the spool is nearly full.
/// </summary>
internal sealed class EventSpoolHealth(EventSpool spool, IOptions<EventOptions> options) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var pending = spool.Unacknowledged.PendingBytes;
        var age = spool.Unacknowledged.OldestPending;
        if (spool.IsFull)
            return Task.FromResult(HealthCheckResult.Unhealthy($"the event spool is full: {pending} of {options.Value.SpoolLimitBytes} bytes"));
        return Task.FromResult(age.TotalSeconds > options.Value.StallSeconds
            ? HealthCheckResult.Degraded($"{pending} bytes of events wait for the agent, the oldest for {age.TotalSeconds:F0} s")
            : HealthCheckResult.Healthy());
    }
}
