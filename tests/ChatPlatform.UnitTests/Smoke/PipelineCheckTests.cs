using System.Text.Json.Nodes;
using ChatPlatform.Smoke;
using ChatPlatform.Smoke.Checks;
using ChatPlatform.Smoke.Conversations;
using ChatPlatform.Smoke.Replay;
using Confluent.Kafka;

namespace ChatPlatform.UnitTests.Smoke;

/// <summary>The checks of what leaves the chat: pushes, the lake, and Kafka on the broker that librdkafka hosts in its own process.</summary>
public sealed class PipelineCheckTests
{
    private static readonly Conversation Whole = ConversationLoader.Load(Path.Combine(AppContext.BaseDirectory, "data", "conversation.jsonl"));
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Pushes_and_lake_are_compared_for_the_whole_conversation()
    {
        await using var chat = await FakeChat.StartAsync();
        await using var replay = await SentAsync(chat, Whole, "127.0.0.1:9");
        (await PushCheck.RunAsync(replay, Patience, default)).ShouldContain("pushes at 3 device(s)");
        (await LakeCheck.RunAsync(replay, Patience, default)).ShouldContain("1 objects, 0 lines came twice");
    }

    [Fact]
    public async Task Events_are_compared_through_repeats_and_a_wrong_one_is_named()
    {
        var config = new ProducerConfig { BootstrapServers = "mock", LingerMs = 0 };
        config.Set("test.mock.num.brokers", "1");
        using var producer = new ProducerBuilder<string, string>(config).Build();
        using var admin = new DependentAdminClientBuilder(producer.Handle).Build();
        var broker = admin.GetMetadata(TimeSpan.FromSeconds(10)).Brokers[0];
        await using var chat = await FakeChat.StartAsync();
        await using var replay = await SentAsync(chat, Whole, $"{broker.Host}:{broker.Port}");

        foreach (var sent in replay.Sent.Values.SelectMany(room => room))
        {
            for (var times = sent.Answer.Seq % 7 == 0 ? 2 : 1; times > 0; times--)
                await ProduceAsync(sent, sent.Input.Text);
        }

        (await KafkaCheck.RunAsync(replay, Patience, default)).ShouldContain("613 events in order");

        var other = new Conversation(Whole.Users, Whole.Rooms, [.. Whole.Messages.Where(message => message.Room == "rug")]);
        await using var changed = await SentAsync(chat, other, $"{broker.Host}:{broker.Port}");
        foreach (var sent in changed.Sent["rug"])
            await ProduceAsync(sent, sent.Input.Text.Replace("₩", "W", StringComparison.Ordinal));
        (await Should.ThrowAsync<CheckFailedException>(() => KafkaCheck.RunAsync(changed, Patience, default))).Message.ShouldContain("expected E2 82 A9");

        Task ProduceAsync(SentMessage sent, string text) => producer.ProduceAsync("chat.events", new Message<string, string>
        {
            Key = sent.RoomId,
            Value = new JsonObject
            {
                ["id"] = $"{sent.RoomId}-{sent.Answer.Seq}",
                ["type"] = "chat.message.created.v1",
                ["data"] = new JsonObject
                {
                    ["roomId"] = sent.RoomId,
                    ["seq"] = sent.Answer.Seq,
                    ["message"] = new JsonObject { ["clientMessageId"] = sent.Input.ClientMessageId, ["senderId"] = sent.SenderId, ["text"] = text },
                },
            }.ToJsonString(),
        });
    }

    private static async Task<ConversationReplay> SentAsync(FakeChat chat, Conversation conversation, string kafka)
    {
        var replay = new ConversationReplay(new SystemEndpoints(chat.Url, chat.Url, kafka, chat.Url), conversation);
        await replay.PrepareAsync(default);
        await replay.SendAllAsync(default);
        return replay;
    }
}
