using System.Text.Json;
using Confluent.Kafka;

namespace ChatPlatform.Notifier.Delivery;

/// <summary>
/// The consumer loop: one event at a time in the order of its partition, its offset stored for the commit after the push. While a push waits for FCM, however long, the partitions are paused and the
/// client is still polled, so that the group does not take this consumer for dead.
/// </summary>
internal sealed partial class MissedDeliveryConsumer(IConsumer<string, byte[]> consumer, MissedDeliveryPusher pusher, ReplayedOffsets replayed, ILogger<MissedDeliveryConsumer> logger) : BackgroundService
{
    public const string Topic = "chat.events";
    private const int RememberedEvents = 10_000;
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(200);
    private readonly SeenEvents _seen = new(RememberedEvents);

    // The client's calls block, so the loop has a thread of its own.
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.Factory.StartNew(() => Run(stoppingToken), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private void Run(CancellationToken stoppingToken)
    {
        consumer.Subscribe(Topic);
        try
        {
            while (true)
            {
                try
                {
                    var result = consumer.Consume(stoppingToken);
                    var pushed = Handle(result, stoppingToken);
                    if (replayed.IsReplay(result))
                        continue;
                    // Stored offsets are committed once a second and when the group is left: never one whose push is not done.
                    consumer.StoreOffset(result);
                    // A push is committed at once, so that a crash repeats at most the one it fell upon.
                    if (pushed)
                        consumer.Commit(result);
                }
                catch (KafkaException error) when (!error.Error.IsFatal)
                {
                    // The client goes on by itself; an offset that was not committed means a redelivery, which the event id catches.
                    LogKafka(logger, error.Error.Code, error.Error.Reason);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            LogStopped(logger);
        }
        finally
        {
            // Leaves the group at once, so that the partitions have a new owner without waiting for the session to end.
            consumer.Close();
        }
    }

    /// <returns>Whether something was pushed.</returns>
    private bool Handle(ConsumeResult<string, byte[]> result, CancellationToken stoppingToken)
    {
        MissedDelivery? missed;
        try
        {
            missed = result.Message.Value is { } value ? MissedDelivery.Parse(value) : null;
        }
        catch (JsonException error)
        {
            // One record that nobody can read must not stop those behind it.
            LogUnreadable(logger, result.TopicPartitionOffset, error.Message);
            return false;
        }

        if (missed is null || _seen.Contains(missed.EventId))
            return false;
        var again = replayed.IsReplay(result);
        if (!again)
            WaitPolling(pusher.PushAsync(missed, stoppingToken), stoppingToken);
        _seen.Add(missed.EventId);
        return !again;
    }

    private void WaitPolling(Task push, CancellationToken stoppingToken)
    {
        if (Task.WaitAny([push], (int)PollInterval.TotalMilliseconds, stoppingToken) < 0)
        {
            consumer.Pause(consumer.Assignment);
            try
            {
                while (!push.IsCompleted)
                {
                    // A rebalance may have brought a partition that is not paused: its record comes again later.
                    if (consumer.Consume(PollInterval) is { } early)
                    {
                        consumer.Pause([early.TopicPartition]);
                        consumer.Seek(early.TopicPartitionOffset);
                    }

                    stoppingToken.ThrowIfCancellationRequested();
                }
            }
            finally
            {
                consumer.Resume(consumer.Assignment);
            }
        }

        push.GetAwaiter().GetResult();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Kafka: {Code}: {Reason}")]
    private static partial void LogKafka(ILogger logger, ErrorCode code, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "The record at {Place} is no event that can be read and is passed over: {Reason}")]
    private static partial void LogUnreadable(ILogger logger, TopicPartitionOffset place, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "The consumer leaves its group")]
    private static partial void LogStopped(ILogger logger);
}
