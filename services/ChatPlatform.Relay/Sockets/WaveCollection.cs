using ChatPlatform.Relay.Sessions;

namespace ChatPlatform.Relay.Sockets;

/// <summary>
/// Gives memory back after a wave of connections. A handshake leaves many times its size in garbage that was promoted while its socket was being let in; the sockets then idle, allocate
/// nothing, and so nothing would make the collector look. One compacting collection, once the wave has passed: it pauses the process for about 100 ms per 10,000 sockets.
/// </summary>
internal sealed class WaveCollection(SessionRegistry registry, TimeProvider time) : BackgroundService
{
    /// <summary>So many more sockets than at the last look back are a wave.</summary>
    internal const int Wave = 1_000;

    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    private int _collectedAt;
    private int _last;

    /// <summary>One look; true when a wave has passed.</summary>
    internal bool Look(int sockets)
    {
        // Still coming: more than one in twenty within the period.
        var isPassing = Math.Abs(sockets - _last) > Math.Max(20, sockets / 20);
        _last = sockets;
        // After many left, a later wave counts from there.
        _collectedAt = Math.Min(_collectedAt, sockets);
        if (isPassing || sockets - _collectedAt < Wave)
            return false;
        _collectedAt = sockets;
        return true;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Period, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            if (Look(registry.All.Count()))
                GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        }
    }
}
