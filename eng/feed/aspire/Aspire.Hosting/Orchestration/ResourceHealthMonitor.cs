using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.Orchestration;

/// <summary>Runs the health checks of running resources: often while a resource comes up, every five seconds afterwards.</summary>
internal sealed class ResourceHealthMonitor(
    ResourceNotificationService notifications,
    HealthCheckService checks,
    IDistributedApplicationEventing eventing,
    ResourceLoggerService loggers,
    IServiceProvider services) : BackgroundService
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan Steady = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // One monitor for each resource that has a running copy.
        var monitors = new Dictionary<string, CancellationTokenSource>(StringComparer.OrdinalIgnoreCase);
        var running = new Dictionary<string, HashSet<string>>(StringComparer.OrdinalIgnoreCase);
        try
        {
            await foreach (var change in notifications.WatchAsync(stoppingToken).ConfigureAwait(false))
            {
                var name = change.Resource.Name;
                var copies = running.TryGetValue(name, out var known) ? known : running[name] = [];
                var isUp = change.Snapshot.State?.Text == KnownResourceStates.Running;
                if (isUp && copies.Add(change.ResourceId))
                {
                    if (monitors.Remove(name, out var before))
                    {
                        await before.CancelAsync().ConfigureAwait(false);
                    }

                    monitors[name] = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
                    var token = monitors[name].Token;
                    _ = Task.Run(() => MonitorAsync(change.Resource, token), CancellationToken.None);
                }
                else if (!isUp && copies.Remove(change.ResourceId) && copies.Count == 0 && monitors.Remove(name, out var monitor))
                {
                    await monitor.CancelAsync().ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException)
        {
            return;
        }
    }

    private async Task MonitorAsync(IResource resource, CancellationToken cancellationToken)
    {
        var keys = resource.AnnotationsOf<HealthCheckAnnotation>().Select(a => a.Key).ToHashSet();
        if (keys.Count == 0)
        {
            await PublishReadyAsync(resource, cancellationToken).ConfigureAwait(false);
            return;
        }

        var delay = First;
        var ready = false;
        try
        {
            while (true)
            {
                var report = await checks.CheckHealthAsync(r => keys.Contains(r.Name), cancellationToken).ConfigureAwait(false);
                var missing = keys.Where(k => !report.Entries.ContainsKey(k)).ToList();
                var now = DateTime.UtcNow;
                ImmutableArray<HealthReportSnapshot> reports =
                [
                    .. report.Entries.Select(e => new HealthReportSnapshot(e.Key, e.Value.Status, e.Value.Description, e.Value.Exception?.ToString()) { LastRunAt = now }),
                    .. missing.Select(k => new HealthReportSnapshot(k, HealthStatus.Unhealthy, $"No health check '{k}' is registered.", null) { LastRunAt = now }),
                ];
                cancellationToken.ThrowIfCancellationRequested();
                await notifications.PublishUpdateAsync(
                    resource, s => s.State?.Text == KnownResourceStates.Running ? s with { HealthReports = reports } : s).ConfigureAwait(false);
                var healthy = report.Status == HealthStatus.Healthy && missing.Count == 0;
                if (healthy && !ready)
                {
                    ready = true;
                    await PublishReadyAsync(resource, cancellationToken).ConfigureAwait(false);
                }

                delay = healthy ? Steady : delay < Steady / 2 ? delay * 1.25 : delay;
                await Task.Delay(delay, cancellationToken).ConfigureAwait(false);
                if (healthy)
                {
                    delay = First;
                }
            }
        }
        catch (OperationCanceledException)
        {
            return;
        }
    }

    private async Task PublishReadyAsync(IResource resource, CancellationToken cancellationToken)
    {
        var ready = PublishAsync();
        await notifications.PublishUpdateAsync(resource, s => s with { Ready = ready }).ConfigureAwait(false);

        async Task PublishAsync()
        {
            try
            {
                await eventing.PublishAsync(new ResourceReadyEvent(resource, services), cancellationToken).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                loggers.GetLogger(resource).LogError(exception, "A subscriber of the ready event of '{ResourceName}' failed.", resource.Name);
                throw;
            }
        }
    }
}

/// <summary>Healthy: the endpoint answers the path with the expected status within three seconds.</summary>
internal sealed class HttpProbe(EndpointReference endpoint, string path, int statusCode) : IHealthCheck
{
    private static readonly HttpClient Client = new(new SocketsHttpHandler
    {
        ConnectTimeout = TimeSpan.FromSeconds(2), UseCookies = false, AllowAutoRedirect = false, UseProxy = false,
        // A connection of its own for each probe, so that each copy behind a proxied port is asked in its turn.
        PooledConnectionLifetime = TimeSpan.Zero,
    })
    {
        Timeout = TimeSpan.FromSeconds(3),
    };

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (!endpoint.Exists || !endpoint.IsAllocated)
        {
            return HealthCheckResult.Unhealthy($"The endpoint '{endpoint.EndpointName}' of '{endpoint.Resource.Name}' does not exist or has no port.");
        }

        var uri = new Uri(new Uri(endpoint.Url), path);
        try
        {
            using var response = await Client.GetAsync(uri, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
            return (int)response.StatusCode == statusCode
                ? HealthCheckResult.Healthy()
                : HealthCheckResult.Unhealthy($"Request to {uri} returned {(int)response.StatusCode}, expected {statusCode}.");
        }
        catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return HealthCheckResult.Unhealthy($"Failed to connect to {uri}: {exception.Message}");
        }
    }
}
