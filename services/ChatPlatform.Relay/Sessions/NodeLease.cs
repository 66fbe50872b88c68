using System.Threading.Channels;
using ChatPlatform.Contracts.Sessions;
using ChatPlatform.ServiceDefaults;
using StackExchange.Redis;

namespace ChatPlatform.Relay.Sessions;

/// <summary>Keeps this node's lease, writes its sessions again whenever Redis may have lost them, and sweeps after dead nodes.</summary>
internal sealed partial class NodeLease(SessionDirectory directory, IConnectionMultiplexer redis, TimeProvider time, IHostApplicationLifetime lifetime, ILogger<NodeLease> logger)
    : BackgroundService
{
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SweepPeriod = TimeSpan.FromSeconds(20);

    // At most one: that Redis was away, not how often.
    private readonly Channel<bool> _restored = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, lifetime.ApplicationStopping);
        // A node of the cluster that came back may have come back empty.
        redis.ConnectionRestored += (_, _) => _restored.Writer.TryWrite(true);
        var (isFirst, mustRejoin, sweptAt) = (true, false, time.GetTimestamp());
        while (!stop.IsCancellationRequested)
        {
            var wait = SessionKeys.LeaseRenewal;
            try
            {
                mustRejoin |= _restored.Reader.TryRead(out _);
                mustRejoin |= !await directory.RenewLeaseAsync() && !isFirst;
                isFirst = false;
                if (mustRejoin)
                    await directory.RejoinAllAsync(stop.Token);
                mustRejoin = false;
                if (time.GetElapsedTime(sweptAt) > SweepPeriod)
                {
                    sweptAt = time.GetTimestamp();
                    await directory.SweepDeadNodesAsync(stop.Token);
                }
            }
            catch (Exception error) when (Redis.IsAway(error))
            {
                mustRejoin = true;
                wait = Retry;
                Log.LeaseNotRenewed(logger, error.Message);
            }

            await WaitAsync(wait, stop.Token);
        }
    }

    /// <summary>Waits for a time, or less when Redis comes back.</summary>
    private async Task WaitAsync(TimeSpan wait, CancellationToken stop)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var restored = _restored.Reader.WaitToReadAsync(limit.Token).AsTask();
        await Task.WhenAny(Task.Delay(wait, time, limit.Token), restored).WaitAsync(CancellationToken.None);
        await limit.CancelAsync();
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "The node's lease could not be renewed: {Reason}")]
        public static partial void LeaseNotRenewed(ILogger logger, string reason);
    }
}
