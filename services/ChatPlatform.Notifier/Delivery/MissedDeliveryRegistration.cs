using ChatPlatform.Notifier.Devices;
using Confluent.Kafka;

namespace ChatPlatform.Notifier.Delivery;

internal static class MissedDeliveryRegistration
{
    private const string Group = "chat-notifier";

    /// <summary>Adds the consumer of <c>ConnectionStrings:kafka</c> with its readiness check, and what it pushes with.</summary>
    public static void AddMissedDeliveries(this IHostApplicationBuilder builder)
    {
        builder.AddKafkaConsumer<string, byte[]>(
            "kafka",
            settings =>
            {
                settings.Config.GroupId = Group;
                // A new group begins with what is there: a push that comes late is better than one that never comes.
                settings.Config.AutoOffsetReset = AutoOffsetReset.Earliest;
                settings.Config.EnableAutoOffsetStore = false;
                settings.Config.EnableAutoCommit = true;
                settings.Config.AutoCommitIntervalMs = 1_000;
                settings.Config.AllowAutoCreateTopics = true;
            },
            (provider, consumer) => consumer.SetPartitionsAssignedHandler((client, partitions) => provider.GetRequiredService<ReplayedOffsets>().Assign(client, partitions)));
        builder.Services.AddSingleton<ReplayedOffsets>();
        builder.Services.AddSingleton<DeviceDirectory>();
        builder.Services.AddSingleton<UnreadCounts>();
        builder.Services.AddSingleton<MissedDeliveryPusher>();
        builder.Services.AddHostedService<MissedDeliveryConsumer>();
    }
}
