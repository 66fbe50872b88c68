using ChatPlatform.Contracts.Sessions;
using StackExchange.Redis;

namespace ChatPlatform.Relay.Sessions;

/// <summary>Keeps this node's lease, and writes its sessions again whenever Redis may have lost them.</summary>
internal sealed partial class NodeLease(SessionDirectory directory, IConnectionMultiplexer redis, TimeProvider time, IHostApplicationLifetime lifetime, ILogger<NodeLease> logger)
    : BackgroundService
{
    private int _restored;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // A node of the cluster that came back may have come back empty.
        redis.ConnectionRestored += (_, _) => Volatile.Write(ref _restored, 1);
        var isFirst = true;
        using var timer = new PeriodicTimer(SessionKeys.LeaseRenewal, time);
        do
        {
            try
            {
                var restored = Interlocked.Exchange(ref _restored, 0) == 1;
                if ((!await directory.RenewLeaseAsync() && !isFirst) || restored)
                    await directory.RejoinAllAsync(stoppingToken);
                isFirst = false;
            }
            catch (Exception error) when (error is RedisException or TimeoutException)
            {
                Volatile.Write(ref _restored, 1);
                Log.LeaseNotRenewed(logger, error.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken) && !lifetime.ApplicationStopping.IsCancellationRequested);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "The node's lease could not be renewed: {Reason}")]
        public static partial void LeaseNotRenewed(ILogger logger, string reason);
    }
}
