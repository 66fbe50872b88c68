using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.ApplicationModel;

public sealed class ResourceNotificationServiceOptions
{
    public WaitBehavior DefaultWaitBehavior { get; set; } = WaitBehavior.StopOnResourceUnavailable;
}

/// <summary>The states of all resources, and waiting for them. Thread-safe.</summary>
public class ResourceNotificationService : IDisposable
{
    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<string, ResourceEvent> _states = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<Channel<ResourceEvent>> _watchers = [];
    private readonly CancellationTokenSource _disposing = new();
    private readonly IServiceProvider _services;
    private readonly ResourceLoggerService _loggers;

    public ResourceNotificationService(
        ILogger<ResourceNotificationService> logger,
        IHostApplicationLifetime hostApplicationLifetime,
        IServiceProvider serviceProvider,
        ResourceLoggerService resourceLoggerService)
    {
        Logger = logger;
        _services = serviceProvider;
        _loggers = resourceLoggerService;
        hostApplicationLifetime.ApplicationStopping.Register(_disposing.Cancel);
    }

    private ILogger Logger { get; }

    private WaitBehavior DefaultWaitBehavior => _services.GetRequiredService<IOptions<ResourceNotificationServiceOptions>>().Value.DefaultWaitBehavior;

    public void Dispose()
    {
        if (!_disposing.IsCancellationRequested)
        {
            _disposing.Cancel();
        }

        GC.SuppressFinalize(this);
    }

    /// <summary>Changes the state of every copy of the resource.</summary>
    public async Task PublishUpdateAsync(IResource resource, Func<CustomResourceSnapshot, CustomResourceSnapshot> stateFactory)
    {
        foreach (var id in resource.InstanceIds())
        {
            await PublishUpdateAsync(resource, id, stateFactory).ConfigureAwait(false);
        }
    }

    /// <param name="stateFactory">Called under a lock: it must only compute.</param>
    public Task PublishUpdateAsync(IResource resource, string resourceId, Func<CustomResourceSnapshot, CustomResourceSnapshot> stateFactory)
    {
        lock (_gate)
        {
            var before = _states.TryGetValue(resourceId, out var known) ? known.Snapshot : InitialSnapshot(resource);
            var after = stateFactory(before);
            after = after with
            {
                CreationTimeStamp = after.CreationTimeStamp ?? DateTime.UtcNow,
                StartTimeStamp = after.StartTimeStamp ?? (after.State?.Text == KnownResourceStates.Running ? DateTime.UtcNow : null),
                Ready = IsUp(after) ? after.Ready : null,
            };
            after = after with { Commands = [.. Commands(resource, after)], HealthReports = HealthReports(resource, after) };
            var change = new ResourceEvent(resource, resourceId, after);
            _states[resourceId] = change;
            if (before.State?.Text != after.State?.Text && Logger.IsEnabled(LogLevel.Debug))
            {
                Logger.LogDebug("Resource {ResourceId} changed state: {Before} -> {After}", resourceId, before.State?.Text, after.State?.Text);
            }

            foreach (var watcher in _watchers)
            {
                watcher.Writer.TryWrite(change);
            }
        }

        return Task.CompletedTask;
    }

    /// <param name="resourceId">The id of a copy, or the name of a resource that has only one.</param>
    public bool TryGetCurrentState(string resourceId, [NotNullWhen(true)] out ResourceEvent? resourceEvent)
    {
        if (_states.TryGetValue(resourceId, out resourceEvent))
        {
            return true;
        }

        var copies = _states.Values.Where(s => string.Equals(s.Resource.Name, resourceId, StringComparison.OrdinalIgnoreCase)).Take(2).ToList();
        resourceEvent = copies.Count == 1 ? copies[0] : null;
        return resourceEvent is not null;
    }

    /// <summary>The current state of every resource, then every change.</summary>
    public async IAsyncEnumerable<ResourceEvent> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        // Unbounded because a lost change would make a waiter wait for ever; resources change a few times each.
        var channel = Channel.CreateUnbounded<ResourceEvent>();
        lock (_gate)
        {
            foreach (var state in _states.Values)
            {
                channel.Writer.TryWrite(state);
            }

            _watchers.Add(channel);
        }

        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _disposing.Token);
        try
        {
            await foreach (var change in channel.Reader.ReadAllAsync(linked.Token).ConfigureAwait(false))
            {
                yield return change;
            }
        }
        finally
        {
            lock (_gate)
            {
                _watchers.Remove(channel);
            }
        }
    }

    public Task WaitForResourceAsync(string resourceName, string? targetState = null, CancellationToken cancellationToken = default) =>
        WaitForResourceAsync(resourceName, [string.IsNullOrEmpty(targetState) ? KnownResourceStates.Running : targetState], cancellationToken);

    public async Task<string> WaitForResourceAsync(string resourceName, IEnumerable<string> targetStates, CancellationToken cancellationToken = default)
    {
        var states = targetStates.ToHashSet(StringComparer.OrdinalIgnoreCase);
        var change = await WaitForResourceAsync(
            resourceName, e => e.Snapshot.State?.Text is { Length: > 0 } text && states.Contains(text), cancellationToken).ConfigureAwait(false);
        return change.Snapshot.State!.Text;
    }

    public async Task<ResourceEvent> WaitForResourceAsync(
        string resourceName, Func<ResourceEvent, bool> predicate, CancellationToken cancellationToken = default)
    {
        await foreach (var change in WatchAsync(cancellationToken).ConfigureAwait(false))
        {
            var isIt = string.Equals(change.Resource.Name, resourceName, StringComparison.OrdinalIgnoreCase)
                || string.Equals(change.ResourceId, resourceName, StringComparison.OrdinalIgnoreCase);
            if (isIt && predicate(change))
            {
                return change;
            }
        }

        throw new OperationCanceledException($"The operation was cancelled while waiting for resource '{resourceName}'.");
    }

    public Task<ResourceEvent> WaitForResourceHealthyAsync(string resourceName, CancellationToken cancellationToken = default) =>
        WaitForResourceHealthyAsync(resourceName, DefaultWaitBehavior, cancellationToken);

    /// <exception cref="DistributedApplicationException">The resource cannot become healthy any more, and the behaviour is to stop then.</exception>
    public async Task<ResourceEvent> WaitForResourceHealthyAsync(
        string resourceName, WaitBehavior waitBehavior, CancellationToken cancellationToken = default)
    {
        if (waitBehavior == WaitBehavior.StopOnResourceUnavailable
            && !_services.GetRequiredService<DistributedApplicationModel>().Resources.TryGetByName(resourceName, out _)
            && !_states.ContainsKey(resourceName))
        {
            throw new DistributedApplicationException(
                $"Stopped waiting for resource '{resourceName}' to become healthy because it does not exist in the application model.");
        }

        var change = await WaitForResourceAsync(
            resourceName,
            e => IsReady(e.Snapshot) || (waitBehavior == WaitBehavior.StopOnResourceUnavailable && IsUnavailable(e.Snapshot)),
            cancellationToken).ConfigureAwait(false);
        if (!IsReady(change.Snapshot))
        {
            throw new DistributedApplicationException(
                $"Stopped waiting for resource '{resourceName}' to become healthy because it failed to start.");
        }

        await change.Snapshot.Ready!.WaitAsync(cancellationToken).ConfigureAwait(false);
        return change;
    }

    /// <summary>Waits for everything the resource waits for.</summary>
    /// <exception cref="DistributedApplicationException">A dependency failed.</exception>
    public async Task WaitForDependenciesAsync(IResource resource, CancellationToken cancellationToken)
    {
        var waits = resource.AnnotationsOf<WaitAnnotation>().Where(w => w.Resource is not IResourceWithoutLifetime).ToList();
        if (waits.Count == 0)
        {
            return;
        }

        var logger = _loggers.GetLogger(resource);
        await PublishUpdateAsync(resource, s => s with { State = KnownResourceStates.Waiting }).ConfigureAwait(false);
        await Task.WhenAll(waits.SelectMany(w => w.Resource.InstanceIds().Select(id => WaitForOneAsync(resource, w, id, logger, cancellationToken))))
            .ConfigureAwait(false);
        await PublishUpdateAsync(resource, s => s with { State = KnownResourceStates.Starting }).ConfigureAwait(false);
    }

    internal static bool IsTerminal(CustomResourceSnapshot snapshot) =>
        KnownResourceStates.TerminalStates.Contains(snapshot.State?.Text ?? "") || snapshot.ExitCode is not null;

    private static bool IsUp(CustomResourceSnapshot snapshot) => snapshot.State?.Text is "Running";

    private static bool IsReady(CustomResourceSnapshot snapshot) =>
        snapshot.HealthStatus == HealthStatus.Healthy && snapshot.Ready is not null;

    private static bool IsUnavailable(CustomResourceSnapshot snapshot) =>
        snapshot.State?.Text is { } text && (KnownResourceStates.TerminalStates.Contains(text) || text == KnownResourceStates.RuntimeUnhealthy);

    private static CustomResourceSnapshot InitialSnapshot(IResource resource)
    {
        var snapshot = resource.LastAnnotation<ResourceSnapshotAnnotation>()?.InitialSnapshot
            ?? new CustomResourceSnapshot { ResourceType = resource.TypeName(), Properties = [] };
        var icon = resource.LastAnnotation<ResourceIconAnnotation>();
        return snapshot with
        {
            IconName = snapshot.IconName ?? icon?.IconName,
            IconVariant = snapshot.IconVariant ?? icon?.IconVariant,
            Relationships =
            [
                .. snapshot.Relationships,
                .. resource.AnnotationsOf<ResourceRelationshipAnnotation>().Select(r => new RelationshipSnapshot(r.Resource.Name, r.Type)),
                .. resource is IResourceWithParent { Parent: { } parent } ? [new RelationshipSnapshot(parent.Name, "Parent")] : Array.Empty<RelationshipSnapshot>(),
            ],
        };
    }

    private static ImmutableArray<HealthReportSnapshot> HealthReports(IResource resource, CustomResourceSnapshot snapshot)
    {
        if (!IsUp(snapshot))
        {
            return [];
        }

        var keys = resource.AnnotationsOf<HealthCheckAnnotation>().Select(a => a.Key).Distinct();
        return [.. keys.Select(key => snapshot.HealthReports.FirstOrDefault(r => r.Name == key) ?? new HealthReportSnapshot(key, null, null, null))];
    }

    private IEnumerable<ResourceCommandSnapshot> Commands(IResource resource, CustomResourceSnapshot snapshot) =>
        resource.AnnotationsOf<ResourceCommandAnnotation>().Select(c => new ResourceCommandSnapshot(
            c.Name,
            c.UpdateState(new UpdateCommandStateContext { ResourceSnapshot = snapshot, ServiceProvider = _services }),
            c.DisplayName,
            c.DisplayDescription,
            c.Parameter,
            c.ConfirmationMessage,
            c.IconName,
            c.IconVariant,
            c.IsHighlighted));

    private async Task WaitForOneAsync(IResource resource, WaitAnnotation wait, string dependencyId, ILogger logger, CancellationToken cancellationToken)
    {
        var name = wait.Resource.Name;
        if (wait.WaitType == WaitType.WaitForCompletion)
        {
            logger.LogInformation("Waiting for resource '{ResourceName}' to complete.", name);
            var ended = (await WaitForResourceAsync(dependencyId, e => IsTerminal(e.Snapshot), cancellationToken).ConfigureAwait(false)).Snapshot;
            if (ended.State?.Text == KnownResourceStates.FailedToStart)
            {
                throw Stopped(logger, $"Resource '{resource.Name}' stopped waiting for dependency resource '{name}' because it failed to start.");
            }

            if (ended.ExitCode is { } code && code != wait.ExitCode)
            {
                throw Stopped(
                    logger,
                    $"Resource '{resource.Name}' stopped waiting for dependency resource '{name}' because it entered the '{ended.State?.Text}' state with exit code '{code}', expected '{wait.ExitCode}'.");
            }

            logger.LogInformation("Finished waiting for resource '{ResourceName}'.", name);
            return;
        }

        var untilHealthy = wait.WaitType == WaitType.WaitUntilHealthy;
        var stop = (wait.WaitBehavior ?? DefaultWaitBehavior) == WaitBehavior.StopOnResourceUnavailable;
        logger.LogInformation(
            untilHealthy ? "Waiting for resource '{ResourceName}' to become healthy." : "Waiting for resource '{ResourceName}' to start.", name);
        var reached = await WaitForResourceAsync(
            dependencyId,
            e => (untilHealthy ? IsReady(e.Snapshot) : IsUp(e.Snapshot)) || (stop && IsUnavailable(e.Snapshot)),
            cancellationToken).ConfigureAwait(false);
        if (IsUnavailable(reached.Snapshot))
        {
            var reason = reached.Snapshot.State!.Text == KnownResourceStates.FailedToStart
                ? "failed to start"
                : $"entered the '{reached.Snapshot.State.Text}' state{(reached.Snapshot.ExitCode is { } code ? $" with exit code '{code}'" : "")}";
            throw Stopped(logger, $"Resource '{resource.Name}' stopped waiting for dependency resource '{name}' because it {reason}.");
        }

        if (untilHealthy)
        {
            await reached.Snapshot.Ready!.WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        logger.LogInformation("Finished waiting for resource '{ResourceName}'.", name);
    }

    private static DistributedApplicationException Stopped(ILogger logger, string message)
    {
        logger.LogError("{Message}", message);
        return new DistributedApplicationException(message);
    }
}
