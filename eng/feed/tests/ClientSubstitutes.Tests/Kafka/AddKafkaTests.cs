using System.Collections.Concurrent;
using Confluent.Kafka;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ClientSubstitutes.Tests.Kafka;

public sealed class AddKafkaTests : IClassFixture<AddKafkaTests.Cluster>
{
    private readonly string _brokers;

    public AddKafkaTests(Cluster cluster) => _brokers = cluster.Kafka.BootstrapServers;

    [Fact]
    public async Task What_the_registered_producer_sends_the_registered_consumer_reads()
    {
        using var host = Build(
            new()
            {
                ["ConnectionStrings:kafka"] = _brokers,
                ["Aspire:Confluent:Kafka:Producer:Config:Acks"] = "All",
                ["Aspire:Confluent:Kafka:Consumer:Config:GroupId"] = "readers",
                ["Aspire:Confluent:Kafka:Consumer:kafka:Config:AutoOffsetReset"] = "Earliest",
            },
            builder =>
            {
                builder.AddKafkaProducer<string, string>("kafka");
                builder.AddKafkaConsumer<string, string>("kafka");
            });
        var producer = host.Services.GetRequiredService<IProducer<string, string>>();
        var consumer = host.Services.GetRequiredService<IConsumer<string, string>>();

        var sent = await producer.ProduceAsync("greetings", new Message<string, string> { Key = "room", Value = "안녕 👋" });
        consumer.Subscribe("greetings");
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(15));
        var read = consumer.Consume(patience.Token);

        sent.Status.ShouldBe(PersistenceStatus.Persisted);
        read.Message.Key.ShouldBe("room");
        read.Message.Value.ShouldBe("안녕 👋");
        consumer.Close();
    }

    [Fact]
    public async Task Reachable_brokers_are_healthy_and_unreachable_ones_unhealthy_within_seconds()
    {
        using var host = Build(
            new() { ["ConnectionStrings:up"] = _brokers, ["ConnectionStrings:down"] = "127.0.0.1:1", ["Aspire:Confluent:Kafka:Consumer:up:Config:GroupId"] = "g" },
            builder =>
            {
                builder.AddKeyedKafkaProducer<string, string>("up");
                builder.AddKeyedKafkaProducer<string, string>("down");
                builder.AddKeyedKafkaConsumer<string, string>("up");
            });

        var report = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync().WaitAsync(TimeSpan.FromSeconds(5));

        report.Entries.ToDictionary(entry => entry.Key, entry => entry.Value.Status).ShouldBe(new Dictionary<string, HealthStatus>
        {
            ["Aspire.Confluent.Kafka.Producer_up"] = HealthStatus.Healthy,
            ["Aspire.Confluent.Kafka.Producer_down"] = HealthStatus.Unhealthy,
            ["Aspire.Confluent.Kafka.Consumer_up"] = HealthStatus.Healthy,
        }, ignoreOrder: true);
    }

    [Fact]
    public void Without_bootstrap_servers_or_group_the_error_says_so()
    {
        using var host = Build(
            new() { ["ConnectionStrings:kafka"] = _brokers },
            builder =>
            {
                builder.AddKafkaProducer<string, string>("elsewhere");
                builder.AddKafkaConsumer<string, string>("kafka");
            });

        Should.Throw<InvalidOperationException>(() => host.Services.GetRequiredService<IProducer<string, string>>()).Message.ShouldBe("No bootstrap servers configured.");
        Should.Throw<InvalidOperationException>(() => host.Services.GetRequiredService<IConsumer<string, string>>()).Message.ShouldBe("No group id configured.");
    }

    [Fact]
    public async Task Settings_and_builders_given_in_code_are_used()
    {
        using var host = Build(
            new() { ["ConnectionStrings:kafka"] = "127.0.0.1:1" },
            builder => builder.AddKafkaProducer<string, byte[]>(
                "kafka",
                settings =>
                {
                    settings.ConnectionString = _brokers;
                    settings.Config.ClientId = "from-code";
                    settings.DisableHealthChecks = true;
                },
                (services, producer) => producer.SetKeySerializer(services.GetRequiredService<ISerializer<string>>())),
            services => services.AddSingleton(Serializers.Utf8));
        var producer = host.Services.GetRequiredService<IProducer<string, byte[]>>();

        var sent = await producer.ProduceAsync("bytes", new Message<string, byte[]> { Key = "k", Value = [1, 2, 3] }).WaitAsync(TimeSpan.FromSeconds(10));

        sent.Status.ShouldBe(PersistenceStatus.Persisted);
        producer.Name.ShouldStartWith("from-code");
        (await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Entries.ShouldBeEmpty();
    }

    [Fact]
    public async Task The_client_library_logs_to_the_application()
    {
        var log = new CollectedLog();
        using var host = Build(
            new() { ["ConnectionStrings:kafka"] = "127.0.0.1:1" },
            builder => builder.AddKafkaProducer<string, string>("kafka", settings => settings.DisableHealthChecks = true),
            services => services.AddSingleton<ILoggerProvider>(log));

        _ = host.Services.GetRequiredService<IProducer<string, string>>();

        await Eventually.HoldsAsync("the refused connection is logged", () =>
            Task.FromResult(log.Lines.Any(line => line.StartsWith("Aspire.Confluent.Kafka: ", StringComparison.Ordinal) && line.Contains("127.0.0.1:1"))));
    }

    private static IHost Build(Dictionary<string, string?> configuration, Action<HostApplicationBuilder> add, Action<IServiceCollection>? services = null)
    {
        var builder = TestHost.CreateBuilder(configuration);
        services?.Invoke(builder.Services);
        add(builder);
        builder.Services.AddHealthChecks();
        return builder.Build();
    }

    public sealed class Cluster : IDisposable
    {
        internal MockKafka Kafka { get; } = new();

        public void Dispose() => Kafka.Dispose();
    }

    private sealed class CollectedLog : ILoggerProvider
    {
        public ConcurrentQueue<string> Lines { get; } = new();

        public ILogger CreateLogger(string categoryName) => new Category(this, categoryName);

        public void Dispose()
        {
        }

        private sealed class Category(CollectedLog log, string name) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(LogLevel level, EventId id, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
                log.Lines.Enqueue($"{name}: {formatter(state, exception)}");
        }
    }
}
