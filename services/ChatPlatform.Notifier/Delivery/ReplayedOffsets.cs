using System.Collections.Concurrent;
using Confluent.Kafka;

namespace ChatPlatform.Notifier.Delivery;

/// <summary>
/// Where a new owner of a partition begins: a little before the committed offset. What it reads up to there was pushed already, by it or by another; it only learns the ids, so that an event
/// which a producer sent twice around the change of owner is not pushed twice. Thread-safe.
/// </summary>
internal sealed class ReplayedOffsets
{
    private const int Events = 1_000;
    private static readonly TimeSpan AskTime = TimeSpan.FromSeconds(10);
    private readonly ConcurrentDictionary<TopicPartition, Offset> _committed = new();

    /// <summary>The handler of an assignment. Where the group does not answer, it begins as if there were no replay.</summary>
    public IEnumerable<TopicPartitionOffset> Assign(IConsumer<string, byte[]> consumer, List<TopicPartition> partitions)
    {
        foreach (var partition in partitions)
            _committed.TryRemove(partition, out _);
        try
        {
            return [.. consumer.Committed(partitions, AskTime).Select(committed => Begin(consumer, committed))];
        }
        catch (KafkaException)
        {
            return partitions.Select(partition => new TopicPartitionOffset(partition, Offset.Unset));
        }
    }

    public bool IsReplay(ConsumeResult<string, byte[]> result) => _committed.TryGetValue(result.TopicPartition, out var committed) && result.Offset < committed;

    private TopicPartitionOffset Begin(IConsumer<string, byte[]> consumer, TopicPartitionOffset committed)
    {
        if (committed.Offset.IsSpecial)
            return committed;
        // A cluster that forgot the topic starts again at 0: an offset beyond its end is no place to replay from.
        var range = consumer.QueryWatermarkOffsets(committed.TopicPartition, AskTime);
        var done = Math.Min(committed.Offset, range.High);
        _committed[committed.TopicPartition] = done;
        return new TopicPartitionOffset(committed.TopicPartition, Math.Max(range.Low, done - Events));
    }
}
