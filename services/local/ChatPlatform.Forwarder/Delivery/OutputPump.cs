using ChatPlatform.Forwarder.Configuration;
using ChatPlatform.Forwarder.Outputs;
using ChatPlatform.Spool;

namespace ChatPlatform.Forwarder.Delivery;

/// <summary>
/// Delivers what one output matches, in order, one batch at a time, and moves the output's place on disk only past what the far end has acknowledged. A failing far end is tried again
/// for ever, with pauses that grow and jitter; other outputs go on.
/// </summary>
internal sealed partial class OutputPump(
    IOutput output, OutputSettings settings, SpoolCursor cursor, ServiceSettings service, DeadLetters deadLetters, ForwarderMetrics metrics, TimeProvider time, ILogger<OutputPump> logger)
    : BackgroundService
{
    private const int BatchBytes = 1024 * 1024;

    /// <summary>Fluent Bit's grace saves records; here it only saves duplicates, so that no long one is worth waiting for.</summary>
    private static readonly TimeSpan LongestGrace = TimeSpan.FromSeconds(3);

    public string Alias => settings.Alias;

    public long PendingBytes => cursor.PendingBytes;

    public TimeSpan OldestPending => cursor.OldestPending;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // A batch under way at the stop may still be acknowledged, within the grace; without that it would be delivered again at the next start.
        using var abandoned = new CancellationTokenSource();
        await using var _ = stoppingToken.Register(() => abandoned.CancelAfter(service.Grace < LongestGrace ? service.Grace : LongestGrace));
        var records = new List<Record>();
        try
        {
            while (!stoppingToken.IsCancellationRequested)
            {
                using var batch = await cursor.ReadAsync(cursor.Position, BatchBytes, stoppingToken);
                records.Clear();
                foreach (var frame in batch.Frames)
                    Record.Read(frame, settings.Match, records);
                if (records.Count > 0)
                    await DeliverAsync(records, stoppingToken, abandoned.Token);
                cursor.Advance(batch.End);
                metrics.Delivered(Alias, records.Count);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            LogStopped(logger, Alias, cursor.PendingBytes);
        }
        catch (InvalidDataException error)
        {
            // Going on would skip records that were acknowledged to their sender. The health check turns red and stays red.
            LogDamaged(logger, error, Alias);
        }
        finally
        {
            await output.DisposeAsync();
        }
    }

    private async Task DeliverAsync(List<Record> records, CancellationToken stoppingToken, CancellationToken abandoned)
    {
        var pause = service.RetryBase;
        for (var done = 0; ;)
        {
            try
            {
                var now = await output.DeliverAsync(done == 0 ? records : records[done..], deadLetters, abandoned);
                done += now;
                if (done == records.Count)
                    return;
                if (now > 0)
                {
                    pause = service.RetryBase;
                    continue;
                }
            }
            catch (DeliveryException error)
            {
                LogFailed(logger, Alias, error.Message);
            }

            metrics.Retried(Alias);
            await Task.Delay(pause * (0.5 + Random.Shared.NextDouble()), time, stoppingToken);
            pause = pause * 2 < service.RetryCap ? pause * 2 : service.RetryCap;
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Output} stopped with {Bytes} bytes undelivered on disk")]
    private static partial void LogStopped(ILogger logger, string output, long bytes);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Output}: delivery failed and is tried again: {Reason}")]
    private static partial void LogFailed(ILogger logger, string output, string reason);

    [LoggerMessage(Level = LogLevel.Critical, Message = "{Output}: what is on disk cannot be read")]
    private static partial void LogDamaged(ILogger logger, Exception error, string output);
}
