using System.Text.RegularExpressions;
using Confluent.Kafka;

namespace ClientSubstitutes.Tests.Kafka;

/// <summary>librdkafka's mock cluster: one real-protocol broker inside this process, alive as long as this object.</summary>
internal sealed partial class MockKafka : IDisposable
{
    private readonly IProducer<Null, Null> _host;

    public MockKafka()
    {
        var found = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var config = new ProducerConfig { Debug = "mock" };
        config.Set("test.mock.num.brokers", "1");
        _host = new ProducerBuilder<Null, Null>(config)
            .SetLogHandler((_, message) =>
            {
                if (Bootstrap().Match(message.Message) is { Success: true } match)
                    found.TrySetResult(match.Groups[1].Value);
            })
            .Build();
        BootstrapServers = found.Task.WaitAsync(TimeSpan.FromSeconds(10)).GetAwaiter().GetResult();
    }

    public string BootstrapServers { get; }

    public void Dispose() => _host.Dispose();

    [GeneratedRegex(@"bootstrap\.servers=(\S+:\d+)")]
    private static partial Regex Bootstrap();
}
