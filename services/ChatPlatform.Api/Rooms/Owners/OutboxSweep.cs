using Amazon.Runtime;
using ChatPlatform.Api.Access;
using ChatPlatform.Api.Rooms.Log;

namespace ChatPlatform.Api.Rooms.Owners;

/// <summary>
/// Emits the events that crashed servers still owed: when the list of API servers has changed (this one's start included) and has stayed so for a moment, the rooms of the outbox that belong here
/// now are taken up once. Rooms that other servers own are left to them.
/// </summary>
internal sealed partial class OutboxSweep(RoomOutbox outbox, RoomOwners owners, RoomSequencers sequencers, TimeProvider time, ILogger<OutboxSweep> logger) : BackgroundService
{
    private const int AtOnce = 16;
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(3);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Tick, time);
        HashSet<ApiNode> swept = [], before = [];
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                var nodes = owners.Nodes.ToHashSet();
                var isSettled = nodes.Count > 0 && nodes.SetEquals(before);
                before = nodes;
                if (isSettled && !nodes.SetEquals(swept) && await TrySweepAsync(stoppingToken))
                    swept = nodes;
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            Log.Stopped(logger);
        }
    }

    private async Task<bool> TrySweepAsync(CancellationToken stop)
    {
        try
        {
            var count = 0;
            for (var partition = 0; partition < RoomOutbox.Partitions; partition++)
            {
                List<string> mine = [];
                await foreach (var room in outbox.ListAsync(partition, stop))
                {
                    if (owners.FindElsewhere(room) is null && !sequencers.IsRunning(room))
                        mine.Add(room);
                }

                await Parallel.ForEachAsync(mine, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = stop }, async (room, _) => await sequencers.RecoverAsync(room));
                count += mine.Count;
            }

            if (count > 0)
                Log.Swept(logger, count);
            return true;
        }
        catch (Exception error) when (error is AmazonServiceException or AmazonClientException or HttpRequestException or ChatException)
        {
            // The next tick tries again.
            Log.SweepFailed(logger, error.Message);
            return false;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "Took up {Count} rooms that may have owed events.")]
        public static partial void Swept(ILogger logger, int count);

        [LoggerMessage(LogLevel.Warning, "Rooms that may owe events could not be listed: {Reason}")]
        public static partial void SweepFailed(ILogger logger, string reason);

        [LoggerMessage(LogLevel.Debug, "The sweep of the outbox was stopped.")]
        public static partial void Stopped(ILogger logger);
    }
}
