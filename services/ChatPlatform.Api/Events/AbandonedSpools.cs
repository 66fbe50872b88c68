using ChatPlatform.Spool;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Api.Events;

/// <summary>
/// Sends what a dead replica left: a folder beside this process's own that nobody has locked and that holds unacknowledged events is opened, sent and let go again, empty, for the next
/// process that starts. The kernel drops a lock with its process, so that a free lock means a dead owner; of several living replicas one gets it.
/// </summary>
internal sealed partial class AbandonedSpools(
    EventSpool own, IServiceProvider services, IOptions<EventOptions> options, TimeProvider time, ILogger<AbandonedSpools> logger, ILogger<SpoolLog> logLogger) : BackgroundService
{
    private static readonly TimeSpan DrainPoll = TimeSpan.FromMilliseconds(100);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(options.Value.AdoptSeconds), time);
        try
        {
            do
            {
                foreach (var folder in Directory.EnumerateDirectories(options.Value.SpoolPath!).Where(folder => Path.GetFullPath(folder) != Path.GetFullPath(own.Folder)))
                    await AdoptAsync(folder, stoppingToken);
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            return;
        }
    }

    private async Task AdoptAsync(string folder, CancellationToken stoppingToken)
    {
        SpoolLog log;
        try
        {
            log = SpoolLog.Open(folder, new SpoolOptions(), time, logLogger);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            LogOwned(logger, folder, error.Message);
            return;
        }

        await using (log)
        {
            var cursor = log.OpenCursor(EventSpool.CursorName);
            if (cursor.PendingBytes == 0)
                return;
            LogAdopted(logger, cursor.PendingBytes, folder);
            using var done = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
            var sending = services.GetRequiredService<SpoolSender>().RunAsync(cursor, log.Folder, done.Token);
            while (cursor.PendingBytes > 0 && !stoppingToken.IsCancellationRequested)
                await Task.Delay(DrainPoll, time, CancellationToken.None);
            await done.CancelAsync();
            await sending;
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "The spool {Folder} has an owner, or cannot be opened: {Reason}")]
    private static partial void LogOwned(ILogger logger, string folder, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Sending the {Bytes} bytes of events that a process which is gone left in {Folder}")]
    private static partial void LogAdopted(ILogger logger, long bytes, string folder);
}
