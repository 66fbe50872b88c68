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
    /// <summary>Fluent Bit's grace saves records; here it only saves duplicates, so that no long one is worth waiting for.</summary>
    private static readonly TimeSpan LongestGrace = TimeSpan.FromSeconds(3);

    public string Alias => settings.Alias;

    public long PendingBytes => cursor.PendingBytes;

    public TimeSpan OldestPending => cursor.OldestPending;

    /// <summary>How long the oldest record has waited beyond the time that the output lets a delivery fill.</summary>
    public TimeSpan Overdue => cursor.OldestPending - settings.FillTime;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // A batch under way at the stop may still be acknowledged, within the grace; without that it would be delivered again at the next start.
        using var abandoned = new CancellationTokenSource();
        await using var _ = stoppingToken.Register(() => abandoned.CancelAfter(service.Grace < LongestGrace ? service.Grace : LongestGrace));
        var records = new List<Record>();
        var batches = new List<SpoolBatch>();
        var lastGathered = long.MinValue;
        try
        {
            while (!stoppingToken.IsCancellationRequested)
            {
                try
                {
                    await GatherAsync(batches, lastGathered == long.MinValue ? TimeSpan.Zero : service.Flush - time.GetElapsedTime(lastGathered), stoppingToken);
                    lastGathered = time.GetTimestamp();
                }
                catch (IOException error)
                {
                    // Going on would skip records that were acknowledged to their sender. The health turns red when the disk does not come back.
                    LogUnreadable(logger, error, Alias);
                    Release(batches);
                    await Task.Delay(service.RetryCap, time, stoppingToken);
                    continue;
                }

                try
                {
                    foreach (var batch in batches)
                    {
                        foreach (var frame in batch.Frames)
                            Record.Read(frame, settings.Match, records);
                    }

                    if (records.Count > 0)
                        await DeliverAsync(records, stoppingToken, abandoned.Token);
                    cursor.Advance(batches[^1].End);
                    metrics.Delivered(Alias, records.Count, records.Sum(record => (long)record.Body.Length));
                }
                finally
                {
                    Release(batches);
                    records.Clear();
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            LogStopped(logger, Alias, cursor.PendingBytes);
        }
        finally
        {
            await output.DisposeAsync();
        }
    }

    private static void Release(List<SpoolBatch> batches)
    {
        foreach (var batch in batches)
            batch.Dispose();
        batches.Clear();
    }

    /// <summary>
    /// What the next delivery is made of: what is there, up to the output's size; where it wants larger ones, it waits for more. A record that comes after a pause goes at once; in a
    /// steady stream a delivery waits until <paramref name="pace"/> is over, for each costs the far end and this process about the same, however few records it has.
    /// </summary>
    private async Task GatherAsync(List<SpoolBatch> batches, TimeSpan pace, CancellationToken stoppingToken)
    {
        var began = time.GetTimestamp();
        batches.Add(await cursor.ReadAsync(cursor.Position, settings.BatchBytes, stoppingToken));
        var (fill, paced) = (settings.FillTime - cursor.OldestPending, pace - time.GetElapsedTime(began));
        var left = fill > paced ? fill : paced;
        if (left <= TimeSpan.Zero)
            return;
        using var full = new CancellationTokenSource(left, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(full.Token, stoppingToken);
        try
        {
            for (var bytes = batches[0].Bytes; bytes < settings.BatchBytes; bytes += batches[^1].Bytes)
                batches.Add(await cursor.ReadAsync(batches[^1].End, (int)(settings.BatchBytes - bytes), either.Token));
        }
        catch (OperationCanceledException) when (!stoppingToken.IsCancellationRequested)
        {
            // The time to fill is over: what is there is the delivery.
            return;
        }
    }

    private async Task DeliverAsync(IReadOnlyList<Record> records, CancellationToken stoppingToken, CancellationToken abandoned)
    {
        var pause = service.RetryBase;
        while (true)
        {
            try
            {
                var left = await output.DeliverAsync(records, deadLetters, abandoned);
                if (left.Count == 0)
                    return;
                if (left.Count < records.Count)
                    pause = service.RetryBase;
                records = left;
                LogLeft(logger, Alias, left.Count);
            }
            catch (DeliveryException error)
            {
                LogFailed(logger, Alias, error.Message);
            }

            metrics.Retried(Alias, records.Count);
            await Task.Delay(pause * (0.5 + Random.Shared.NextDouble()), time, stoppingToken);
            pause = pause * 2 < service.RetryCap ? pause * 2 : service.RetryCap;
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Output}: {Count} records are tried again")]
    private static partial void LogLeft(ILogger logger, string output, int count);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Output} stopped with {Bytes} bytes undelivered on disk")]
    private static partial void LogStopped(ILogger logger, string output, long bytes);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Output}: delivery failed and is tried again: {Reason}")]
    private static partial void LogFailed(ILogger logger, string output, string reason);

    [LoggerMessage(Level = LogLevel.Critical, Message = "{Output}: what is on disk cannot be read at the moment")]
    private static partial void LogUnreadable(ILogger logger, Exception error, string output);
}
