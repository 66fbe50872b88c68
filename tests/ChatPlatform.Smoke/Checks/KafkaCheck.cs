using System.Text.Json;
using ChatPlatform.Smoke.Clients;
using ChatPlatform.Smoke.Replay;
using Confluent.Kafka;

namespace ChatPlatform.Smoke.Checks;

/// <summary>
/// For every message at least one <c>chat.message.created.v1</c> on the topic, keyed by room, with the same id when it comes again, in order per room,
/// every byte of its text.
/// </summary>
internal static class KafkaCheck
{
    private const string Topic = "chat.events";

    public static Task<string> RunAsync(ConversationReplay replay, TimeSpan patience, CancellationToken cancellationToken) =>
        // The client blocks its thread.
        Task.Factory.StartNew(() => Run(replay, patience, cancellationToken), cancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static string Run(ConversationReplay replay, TimeSpan patience, CancellationToken cancellationToken)
    {
        var config = new ConsumerConfig
        {
            BootstrapServers = replay.System.KafkaBootstrap,
            GroupId = $"smoke-{Guid.NewGuid():N}",
            EnableAutoCommit = false,
            AutoOffsetReset = AutoOffsetReset.Earliest,
        };
        var rooms = replay.Sent.ToDictionary(room => replay.RoomIds[room.Key], room => new RoomEvents(room.Key, room.Value));
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = replay.System.KafkaBootstrap }).Build();
        using var consumer = new ConsumerBuilder<string?, byte[]>(config).SetErrorHandler((_, _) => { }).Build();
        var topic = admin.GetMetadata(Topic, TimeSpan.FromSeconds(10)).Topics.FirstOrDefault(found => found.Topic == Topic && found.Partitions.Count > 0)
            ?? throw new CheckFailedException($"there is no topic {Topic}");
        consumer.Assign(topic.Partitions.Select(partition => new TopicPartitionOffset(Topic, partition.PartitionId, Offset.Beginning)));

        var deadline = TimeProvider.System.GetUtcNow() + patience;
        var read = 0;
        while (rooms.Values.Any(room => !room.Complete))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (TimeProvider.System.GetUtcNow() > deadline)
            {
                var (missing, of) = (rooms.Values.Sum(room => room.Missing), rooms.Values.Sum(room => room.Sent.Count));
                throw new CheckFailedException($"{missing} of {of} messages have no event after {patience.TotalSeconds:0} s; {read} records read");
            }

            if (consumer.Consume(TimeSpan.FromMilliseconds(250)) is not { } record)
                continue;
            read++;
            using var json = JsonDocument.Parse(record.Message.Value);
            var cloudEvent = json.RootElement;
            if (cloudEvent.GetProperty("type").GetString() != "chat.message.created.v1")
                continue;
            var data = cloudEvent.GetProperty("data");
            if (!rooms.TryGetValue(data.GetProperty("roomId").GetString()!, out var room))
                continue;
            if (record.Message.Key != data.GetProperty("roomId").GetString())
                throw new CheckFailedException($"room {room.Name}: the key is '{record.Message.Key}', not the room id");
            room.Take(cloudEvent.GetProperty("id").GetString()!, data);
        }

        return $"{rooms.Values.Sum(room => room.Sent.Count)} events in order, {rooms.Values.Sum(room => room.Doubles)} came twice; {read} records on {topic.Partitions.Count} partition(s)";
    }

    private sealed class RoomEvents(string name, IReadOnlyList<SentMessage> sent)
    {
        private readonly Dictionary<long, string> _ids = [];
        private int _next;

        public string Name => name;

        public IReadOnlyList<SentMessage> Sent => sent;

        public int Doubles { get; private set; }

        public bool Complete => _next == sent.Count;

        public int Missing => sent.Count - _next;

        public void Take(string id, JsonElement data)
        {
            var seq = data.GetProperty("seq").GetInt64();
            if (_ids.TryGetValue(seq, out var first))
            {
                Doubles++;
                if (first != id)
                    throw new CheckFailedException($"room {name}, seq {seq}: the event came twice with different ids");
                return;
            }

            if (Complete)
                throw new CheckFailedException($"room {name}: an event for seq {seq}, which nobody sent");
            var message = data.GetProperty("message");
            var entry = new SeenEntry(
                name, seq, "message.created", EntryJson.Text(message, "clientMessageId"), EntryJson.Text(message, "senderId"), EntryJson.Text(message, "text"));
            if (RoomComparison.Messages([sent[_next]], [entry]) is { } difference)
                throw new CheckFailedException($"room {name}, event {_next + 1}: {difference}");
            _ids[seq] = id;
            _next++;
        }
    }
}
