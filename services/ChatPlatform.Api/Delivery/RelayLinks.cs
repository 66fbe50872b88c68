using System.Collections.Concurrent;
using ChatPlatform.Contracts.Protos.Relay.V1;

namespace ChatPlatform.Api.Delivery;

/// <summary>A link per relay address, made when first used and closed after a while without use. Thread-safe.</summary>
internal sealed class RelayLinks(TimeProvider time, ILogger<RelayLinks> logger) : BackgroundService
{
    private static readonly TimeSpan IdleLimit = TimeSpan.FromMinutes(2);

    private readonly ConcurrentDictionary<string, Lazy<RelayLink>> _links = new(StringComparer.Ordinal);

    /// <summary>The relays that were spoken to lately: whom to ask when the directory is away.</summary>
    public IReadOnlyCollection<string> Known => [.. _links.Keys];

    /// <summary>See <see cref="RelayLink.TrySend"/>.</summary>
    public bool TrySend(string address, DeliverRequest frame, FrameAcknowledged? acknowledged) =>
        _links.GetOrAdd(address, static (key, self) => new Lazy<RelayLink>(() => new RelayLink(key, self.Time, self.Logger)), (Time: time, Logger: (ILogger)logger))
            .Value.TrySend(frame, acknowledged);

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        foreach (var (address, _) in _links)
            await CloseAsync(address);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(30), time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            foreach (var (address, _) in _links.Where(link => link.Value.Value.Idle > IdleLimit))
                await CloseAsync(address);
        }
    }

    private async Task CloseAsync(string address)
    {
        if (_links.TryRemove(address, out var link))
            await link.Value.DisposeAsync();
    }
}
