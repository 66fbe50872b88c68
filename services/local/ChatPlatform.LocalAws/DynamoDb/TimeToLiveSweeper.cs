using Microsoft.Extensions.Options;

namespace ChatPlatform.LocalAws.DynamoDb;

/// <summary>Deletes expired items, closes shards that are old enough and forgets what has outlived its retention, every <see cref="DynamoDbOptions.TimeToLiveSweep"/>.</summary>
internal sealed partial class TimeToLiveSweeper(DynamoStore store, IOptions<DynamoDbOptions> options, TimeProvider time, ILogger<TimeToLiveSweeper> log) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Value.TimeToLiveSweep, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                var deleted = store.Sweep();
                if (deleted > 0)
                    LogDeleted(log, deleted);
            }
            catch (Protocol.AwsException error)
            {
                // The disk does not take writes now; the items are still there at the next tick.
                LogRefused(log, error);
            }
        }
    }

    [LoggerMessage(30, LogLevel.Debug, "Deleted {Count} expired items")]
    private static partial void LogDeleted(ILogger logger, int count);

    [LoggerMessage(31, LogLevel.Warning, "Expired items could not be deleted")]
    private static partial void LogRefused(ILogger logger, Exception error);
}
