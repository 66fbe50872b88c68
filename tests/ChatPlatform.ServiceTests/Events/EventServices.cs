using Confluent.Kafka;
using ChatPlatform.ServiceTests.Processes;

namespace ChatPlatform.ServiceTests.Events;

/// <summary>The agent, the cluster and their ports, started and stopped by a test, in a folder that goes with it.</summary>
internal sealed class EventServices : IAsyncDisposable
{
    private const string ForwarderFolder = "services/local/ChatPlatform.Forwarder";
    private readonly int _kafkaHealth = ServiceProcess.FreePort();
    private readonly int _forwarderHealth = ServiceProcess.FreePort();

    public string Folder { get; } = Directory.CreateTempSubdirectory("chat-events-").FullName;

    public int KafkaPort { get; } = ServiceProcess.FreePort();

    public int ForwardPort { get; } = ServiceProcess.FreePort();

    public string StoragePath => Path.Combine(Folder, "storage");

    public string ForwarderUrl => $"http://127.0.0.1:{_forwarderHealth}";

    public string ForwarderHealthUrl => $"http://127.0.0.1:{_forwarderHealth}/health";

    public string Bootstrap => $"127.0.0.1:{KafkaPort}";

    public ServiceProcess? Kafka { get; private set; }

    public ServiceProcess? Forwarder { get; private set; }

    public static Dictionary<string, string?> LocalKafka(int port, int health) =>
        new() { ["KAFKA_PORT"] = $"{port}", ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{health}" };

    public async Task StartKafkaAsync()
    {
        Kafka = ServiceProcess.StartService("services/local/ChatPlatform.LocalKafka", LocalKafka(KafkaPort, _kafkaHealth));
        await Kafka.WaitForHealthAsync($"http://127.0.0.1:{_kafkaHealth}/health");
    }

    /// <param name="stallSeconds">How long a record may wait before the health turns red.</param>
    /// <param name="configuration">The pipeline; by default the repo's own fluent-bit.yaml.</param>
    /// <param name="storageMegabytes">With a number, the storage path lies on a disk of its own of this size.</param>
    public async Task StartForwarderAsync(double stallSeconds = 60, string? configuration = null, int? storageMegabytes = null)
    {
        var environment = new Dictionary<string, string?>
        {
            ["FLUENT_LISTEN"] = "127.0.0.1",
            ["FLUENT_PORT"] = $"{ForwardPort}",
            ["KAFKA_BROKERS"] = Bootstrap,
            ["STORAGE_PATH"] = StoragePath,
            ["HEALTH_STALL_SECONDS"] = stallSeconds.ToString(System.Globalization.CultureInfo.InvariantCulture),
            ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{_forwarderHealth}",
            ["AWS_ACCESS_KEY_ID"] = "local",
            ["AWS_SECRET_ACCESS_KEY"] = "local",
        };
        var file = Path.Combine(ServiceProcess.RepositoryRoot, "services/fluent-bit/fluent-bit.yaml");
        if (configuration is not null)
            await File.WriteAllTextAsync(file = Path.Combine(Folder, "pipeline.yaml"), configuration);
        Directory.CreateDirectory(StoragePath);
        Forwarder = storageMegabytes is null
            ? ServiceProcess.StartService(ForwarderFolder, environment, "--config", file)
            : ServiceProcess.StartProgram(
                "ChatPlatform.Forwarder",
                "unshare",
                // A mount namespace of its own, so that no right on this machine is needed and nothing has to be unmounted.
                ["--map-root-user", "--mount", "sh", "-c", $"mount -t tmpfs -o size={storageMegabytes}m tmpfs '{StoragePath}' && exec dotnet '{ServiceProcess.AssemblyOf(ForwarderFolder)}' --config '{file}'"],
                environment);
        await Forwarder.WaitForHealthAsync($"http://127.0.0.1:{_forwarderHealth}/alive");
    }

    /// <summary>Reads the topic from its beginning until <paramref name="enough"/> holds or two minutes have passed, twice as long as a Kafka client may wait for one answer; what was read comes in the order of each partition.</summary>
    public List<(string Key, string Value)> Read(Func<List<(string Key, string Value)>, bool> enough)
    {
        using var consumer = new ConsumerBuilder<string, string>(new ConsumerConfig
        {
            BootstrapServers = Bootstrap,
            GroupId = Guid.NewGuid().ToString(),
            AutoOffsetReset = AutoOffsetReset.Earliest,
            EnableAutoCommit = false,
        }).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
        // Assigned, not subscribed: no group to wait for.
        consumer.Assign(Enumerable.Range(0, 6).Select(p => new TopicPartitionOffset("chat.events", p, Offset.Beginning)));
        var read = new List<(string, string)>();
        var limit = DateTime.UtcNow.AddSeconds(120);
        while (!enough(read) && DateTime.UtcNow < limit)
        {
            if (consumer.Consume(TimeSpan.FromMilliseconds(100)) is { } result)
                read.Add((result.Message.Key, result.Message.Value));
        }

        return read;
    }

    public async ValueTask DisposeAsync()
    {
        if (Forwarder is not null)
            await Forwarder.DisposeAsync();
        if (Kafka is not null)
            await Kafka.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }
}
