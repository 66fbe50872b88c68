using System.Diagnostics.Metrics;
using System.Text.Json;
using ChatPlatform.Insights.Articles;
using Confluent.Kafka;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace ChatPlatform.Insights.Events;

internal static class ChatEventRegistration
{
    /// <summary>Adds the consumer of <c>ConnectionStrings:kafka</c> with its readiness check.</summary>
    public static void AddChatEvents(this IHostApplicationBuilder builder)
    {
        builder.AddKafkaConsumer<string, byte[]>(
            "kafka",
            settings =>
            {
                settings.Config.GroupId = "chat-insights";
                settings.Config.AutoOffsetReset = AutoOffsetReset.Earliest;
                // The journal holds the offsets, beside the counts; what the group knows is of no use.
                settings.Config.EnableAutoCommit = false;
                settings.Config.EnableAutoOffsetStore = false;
                settings.Config.AllowAutoCreateTopics = true;
            },
            (provider, consumer) => consumer.SetPartitionsAssignedHandler((_, partitions) => Begin(partitions, provider.GetRequiredService<ArticleCounts>().Offsets)));
        builder.Services.AddSingleton<ChatEventConsumer>();
        builder.Services.AddHostedService(provider => provider.GetRequiredService<ChatEventConsumer>());
        builder.Services.AddHealthChecks().Add(new("journal", provider => provider.GetRequiredService<ChatEventConsumer>(), null, null));
    }

    private static IEnumerable<TopicPartitionOffset> Begin(List<TopicPartition> partitions, IReadOnlyDictionary<int, long> offsets) =>
        partitions.Select(partition => new TopicPartitionOffset(partition, offsets.TryGetValue(partition.Partition, out var offset) ? offset : Offset.Beginning));
}

/// <summary>Reads the topic in batches: what a batch changes and the offsets after it go to the journal in one write. Unhealthy while the disk refuses.</summary>
internal sealed partial class ChatEventConsumer(
    IConsumer<string, byte[]> consumer, ArticleCounts counts, CountsJournal journal, IMeterFactory meters, ILogger<ChatEventConsumer> logger) : BackgroundService, IHealthCheck
{
    private const string Topic = "chat.events";
    private const int MostEvents = 1_000;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private readonly Counter<long> _counted = meters.Create("ChatPlatform.Insights").CreateCounter<long>("insights.events", "{event}", "Events that were read, by whether they can be read.");
    private volatile string? _refused;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(_refused is null ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("the journal cannot be written"));

    // The client's calls block, so the loop has a thread of its own.
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.Factory.StartNew(() => Run(stoppingToken), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private void Run(CancellationToken stoppingToken)
    {
        consumer.Subscribe(Topic);
        var events = new List<ChatEvent>();
        var offsets = new Dictionary<int, long>();
        try
        {
            while (true)
            {
                try
                {
                    Read(consumer.Consume(stoppingToken), events, offsets);
                    while (events.Count < MostEvents && consumer.Consume(TimeSpan.Zero) is { } next)
                        Read(next, events, offsets);
                }
                catch (KafkaException error) when (!error.Error.IsFatal)
                {
                    // The client goes on by itself.
                    LogKafka(logger, error.Error.Code, error.Error.Reason);
                }

                if (offsets.Count == 0)
                    continue;
                Keep(counts.Plan(events, offsets), stoppingToken);
                events.Clear();
                offsets.Clear();
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            LogStopped(logger);
        }
        finally
        {
            consumer.Close();
        }
    }

    private void Read(ConsumeResult<string, byte[]> result, List<ChatEvent> events, Dictionary<int, long> offsets)
    {
        offsets[result.Partition] = result.Offset + 1;
        try
        {
            if (result.Message.Value is { } value && ChatEvent.Parse(value) is { } happened)
                events.Add(happened);
            _counted.Add(1, new KeyValuePair<string, object?>("outcome", "read"));
        }
        catch (JsonException error)
        {
            // One record that nobody can read must not stop those behind it.
            _counted.Add(1, new KeyValuePair<string, object?>("outcome", "unreadable"));
            LogUnreadable(logger, result.TopicPartitionOffset, error.Message);
        }
    }

    private void Keep(CountsChange change, CancellationToken stoppingToken)
    {
        while (true)
        {
            try
            {
                journal.Keep(change);
                _refused = null;
                return;
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                _refused = error.Message;
                LogRefused(logger, error.Message);
                stoppingToken.WaitHandle.WaitOne(Pause);
                stoppingToken.ThrowIfCancellationRequested();
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Kafka: {Code}: {Reason}")]
    private static partial void LogKafka(ILogger logger, ErrorCode code, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "The record at {Place} is no event that can be read and is passed over: {Reason}")]
    private static partial void LogUnreadable(ILogger logger, TopicPartitionOffset place, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "The journal cannot be written and is tried again: {Reason}")]
    private static partial void LogRefused(ILogger logger, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "The consumer leaves its group")]
    private static partial void LogStopped(ILogger logger);
}
