namespace ChatPlatform.Api.Events;

/// <summary>Sends this process's own spool. What a stop leaves in it is sent by the next process that opens it.</summary>
internal sealed class ForwardSender(EventSpool spool, SpoolSender sender, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan DrainTime = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan DrainPoll = TimeSpan.FromMilliseconds(20);

    /// <summary>
    /// Waits a little for the agent to acknowledge what is left, while there is a connection: the rooms' next events come from other servers, and these should be first.
    /// </summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        while (sender.IsConnected && spool.Unacknowledged.PendingBytes > 0 && time.GetElapsedTime(started) < DrainTime && !cancellationToken.IsCancellationRequested)
            await Task.Delay(DrainPoll, time, CancellationToken.None);
        await base.StopAsync(cancellationToken);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => sender.RunAsync(spool.Unacknowledged, spool.Folder, stoppingToken);
}
