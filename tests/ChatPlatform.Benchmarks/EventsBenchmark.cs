using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Reflection;
using ChatPlatform.Smoke.Running;
using Confluent.Kafka;
using MessagePack;

namespace ChatPlatform.Benchmarks;

/// <summary>
/// Events through the forwarder, forward in, Kafka out, with the repo's fluent-bit.yaml: CPU and resident memory of its process and the time to an acknowledgement at 10,000 events/s of
/// 300 bytes on one connection (100 messages/s of 100 events, acknowledged one by one), then the highest rate that one connection gets with four messages of 500 events in flight. Every
/// event is looked for in Kafka. <c>EVENTS_SECONDS</c> sets the length of the first part (default 20, after a warm-up of 10). The peer's numbers are those measured with stock Fluent Bit 5.1 on two cores.
/// </summary>
/// <remarks>
/// librdkafka's own cluster keeps 5 MB of a partition (<c>max_size</c> of rdkafka_mock.c), which the second part writes faster than anyone reads: what is gone before it was read counts as
/// arrived by the partition's end offset, and is told.
/// </remarks>
internal sealed class EventsBenchmark : IAsyncDisposable
{
    private const int Rate = 10_000;
    private const int PerMessage = 100;
    private const int EventBytes = 300;
    private const int Rooms = 64;
    private const int MaxRateBatch = 500;
    private const int MaxRateInFlight = 4;
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan MaxRateTime = TimeSpan.FromSeconds(5);
    private static readonly IReadOnlyList<TopicPartition> Partitions = [.. Enumerable.Range(0, 6).Select(partition => new TopicPartition("chat.events", partition))];
    private readonly string _folder = Directory.CreateTempSubdirectory("chat-bench-").FullName;
    private readonly List<Process> _processes = [];
    private readonly IReadOnlyList<int> _ports = FreePorts.Take(4);
    private int _next;

    public static async Task RunAsync(TextWriter output)
    {
        await using var benchmark = new EventsBenchmark();
        await benchmark.MeasureAsync(output, typeof(EventsBenchmark).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "RepositoryRoot").Value!);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in Enumerable.Reverse(_processes))
        {
            if (!process.HasExited)
                process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }

        Directory.Delete(_folder, recursive: true);
    }

    private async Task MeasureAsync(TextWriter output, string root)
    {
        var seconds = int.Parse(Environment.GetEnvironmentVariable("EVENTS_SECONDS") ?? "20", CultureInfo.InvariantCulture);
        var (kafkaPort, kafkaHealth, forwardPort, forwarderHealth) = (_ports[0], _ports[1], _ports[2], _ports[3]);
        await StartAsync(root, "LocalKafka", kafkaHealth, new() { ["KAFKA_PORT"] = $"{kafkaPort}" });
        var forwarder = await StartAsync(
            root,
            "Forwarder",
            forwarderHealth,
            new() { ["FLUENT_LISTEN"] = "127.0.0.1", ["FLUENT_PORT"] = $"{forwardPort}", ["KAFKA_BROKERS"] = $"127.0.0.1:{kafkaPort}", ["STORAGE_PATH"] = _folder },
            "--config",
            Path.Combine(root, "services/fluent-bit/fluent-bit.yaml"));

        using var stop = new CancellationTokenSource();
        var seen = new List<int>();
        var reading = Task.Factory.StartNew(() => Read(kafkaPort, seen, stop.Token), TaskCreationOptions.LongRunning);
        using var connection = new ForwardConnection(forwardPort);

        await AtRateAsync(connection, WarmUp);
        var (cpuBefore, watch) = (Cpu(forwarder), Stopwatch.StartNew());
        var acks = await AtRateAsync(connection, TimeSpan.FromSeconds(seconds));
        var cpu = (Cpu(forwarder) - cpuBefore) / watch.Elapsed * 100;
        forwarder.Refresh();
        var resident = forwarder.WorkingSet64 / 1e6;
        var rate = acks.Count * PerMessage / watch.Elapsed.TotalSeconds;
        var highest = await HighestRateAsync(connection);

        var limit = Stopwatch.StartNew();
        while (Arrived(kafkaPort) < _next && limit.Elapsed < TimeSpan.FromSeconds(60))
            await Task.Delay(100, CancellationToken.None);
        var arrived = Arrived(kafkaPort);
        await stop.CancelAsync();
        await reading;
        var duplicates = seen.Count - seen.Distinct().Count();

        acks.Sort();
        var median = acks[acks.Count / 2];
        output.WriteLine($"{_next} events of {EventBytes} bytes, {rate:0} a second for {seconds} s; {seen.Count} read back, {arrived} by the partitions' end offsets");
        output.WriteLine($"{"",-24}{"CPU, % of a core",18}{"resident, MB",14}{"ack p50, ms",13}{"ack p99, ms",13}{"highest/s",12}");
        output.WriteLine($"{"forwarder",-24}{cpu,18:0.0}{resident,14:0}{median,13:0.00}{acks[acks.Count * 99 / 100],13:0.00}{highest,12:0}");
        output.WriteLine($"{"Fluent Bit 5.1, known",-24}{9.6,18:0.0}{"23-33",14}{"0.04-0.5",13}");
        output.WriteLine(FormattableString.Invariant(
            $"RESULT events cpu_pct={cpu:0.0} rss_mb={resident:0} ack_p50_ms={median:0.00} max_per_s={highest:0} lost={_next - (arrived - duplicates)} duplicates={duplicates}"));
    }

    /// <summary>Milliseconds from the write of each message to its acknowledgement.</summary>
    private async Task<List<double>> AtRateAsync(ForwardConnection connection, TimeSpan time)
    {
        var acks = new List<double>();
        var watch = Stopwatch.StartNew();
        for (var message = 0; watch.Elapsed < time; message++)
        {
            var due = TimeSpan.FromSeconds((double)message * PerMessage / Rate);
            if (due > watch.Elapsed)
                await Task.Delay(due - watch.Elapsed);
            var bytes = Message(PerMessage);
            var sent = Stopwatch.GetTimestamp();
            await connection.SendAsync(bytes);
            await connection.AckAsync();
            acks.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
        }

        return acks;
    }

    /// <summary>Acknowledged events a second.</summary>
    private async Task<double> HighestRateAsync(ForwardConnection connection)
    {
        var (inFlight, acknowledged, watch) = (0, 0, Stopwatch.StartNew());
        while (watch.Elapsed < MaxRateTime || inFlight > 0)
        {
            while (inFlight < MaxRateInFlight && watch.Elapsed < MaxRateTime)
            {
                await connection.SendAsync(Message(MaxRateBatch));
                inFlight++;
            }

            await connection.AckAsync();
            inFlight--;
            acknowledged += MaxRateBatch;
        }

        return acknowledged / watch.Elapsed.TotalSeconds;
    }

    /// <summary>A PackedForward message of the next events; an event begins with its number.</summary>
    private ReadOnlyMemory<byte> Message(int count)
    {
        var entries = new ArrayBufferWriter<byte>(count * (EventBytes + 64));
        var inner = new MessagePackWriter(entries);
        var text = new byte[EventBytes];
        text.AsSpan().Fill((byte)'x');
        for (var i = 0; i < count; i++, _next++)
        {
            inner.WriteArrayHeader(2);
            inner.Write(1_700_000_000);
            inner.WriteMapHeader(2);
            inner.WriteString("key"u8);
            inner.Write($"room-{_next % Rooms}");
            inner.WriteString("event"u8);
            _next.TryFormat(text, out _, "D9", CultureInfo.InvariantCulture);
            inner.WriteString(text);
        }

        inner.Flush();
        var buffer = new ArrayBufferWriter<byte>(entries.WrittenCount + 64);
        var writer = new MessagePackWriter(buffer);
        writer.WriteArrayHeader(3);
        writer.Write("chat.events");
        writer.Write(entries.WrittenSpan);
        writer.WriteMapHeader(1);
        writer.Write("chunk");
        writer.Write(_next.ToString(CultureInfo.InvariantCulture));
        writer.Flush();
        return buffer.WrittenMemory;
    }

    private async Task<Process> StartAsync(string root, string name, int healthPort, Dictionary<string, string> environment, params string[] arguments)
    {
        var assembly = Path.Combine(root, $"services/local/ChatPlatform.{name}/bin/Release/net10.0/ChatPlatform.{name}.dll");
        var start = new ProcessStartInfo("dotnet", [assembly, .. arguments]) { RedirectStandardOutput = true };
        start.Environment["ASPNETCORE_URLS"] = $"http://127.0.0.1:{healthPort}";
        foreach (var (key, value) in environment)
            start.Environment[key] = value;
        var process = Process.Start(start)!;
        process.BeginOutputReadLine();
        _processes.Add(process);
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        for (var watch = Stopwatch.StartNew(); ;)
        {
            try
            {
                if ((await http.GetAsync($"http://127.0.0.1:{healthPort}/health")).IsSuccessStatusCode)
                    return process;
            }
            catch (HttpRequestException) when (!process.HasExited && watch.Elapsed < TimeSpan.FromSeconds(60))
            {
                await Task.Delay(100);
            }
        }
    }

    private static TimeSpan Cpu(Process process)
    {
        process.Refresh();
        return process.TotalProcessorTime;
    }

    /// <summary>Records that the topic ever took.</summary>
    private static long Arrived(int port)
    {
        using var consumer = Consumer(port);
        return Partitions.Sum(partition => consumer.QueryWatermarkOffsets(partition, TimeSpan.FromSeconds(10)).High.Value);
    }

    private static IConsumer<Ignore, byte[]> Consumer(int port) =>
        new ConsumerBuilder<Ignore, byte[]>(new ConsumerConfig { BootstrapServers = $"127.0.0.1:{port}", GroupId = "bench", AutoOffsetReset = AutoOffsetReset.Earliest })
            .SetLogHandler((_, _) => { })
            .Build();

    private static void Read(int port, List<int> seen, CancellationToken cancellationToken)
    {
        using var consumer = Consumer(port);
        consumer.Assign(Partitions.Select(partition => new TopicPartitionOffset(partition, Offset.Beginning)));
        while (!cancellationToken.IsCancellationRequested)
        {
            if (consumer.Consume(TimeSpan.FromMilliseconds(100)) is not { } result)
                continue;
            seen.Add(int.Parse(result.Message.Value.AsSpan(0, 9), CultureInfo.InvariantCulture));
        }
    }

    /// <summary>The client's half of the protocol.</summary>
    private sealed class ForwardConnection : IDisposable
    {
        private readonly TcpClient _client;
        private readonly NetworkStream _stream;
        private readonly MessagePackStreamReader _answers;

        public ForwardConnection(int port)
        {
            _client = new TcpClient("127.0.0.1", port) { NoDelay = true };
            _stream = _client.GetStream();
            _answers = new MessagePackStreamReader(_stream, leaveOpen: true);
        }

        public ValueTask SendAsync(ReadOnlyMemory<byte> message) => _stream.WriteAsync(message);

        public async ValueTask AckAsync()
        {
            if (await _answers.ReadAsync(CancellationToken.None) is null)
                throw new IOException("The forwarder closed the connection.");
        }

        public void Dispose()
        {
            _answers.Dispose();
            _client.Dispose();
        }
    }
}
