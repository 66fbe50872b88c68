using System.Buffers;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using ChatPlatform.Api.Events;
using ChatPlatform.Forwarder.Forward;
using MessagePack;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace ChatPlatform.UnitTests.Events;

public sealed class EventClientTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_cloud_event_has_exactly_these_bytes()
    {
        var bytes = CloudEventWriter.Write(
            "r1:7:chat.message.created.v1",
            "chat.message.created.v1",
            "r1",
            new DateTimeOffset(2026, 1, 2, 12, 4, 5, 678, TimeSpan.FromHours(9)),
            "안녕 <b>😀</b> \"q\" \n\u0001",
            static (json, text) =>
            {
                json.WriteStartObject();
                json.WriteString("text", text);
                json.WriteEndObject();
            });

        Encoding.UTF8.GetString(bytes).ShouldBe(
            """{"specversion":"1.0","id":"r1:7:chat.message.created.v1","source":"/chat/api","type":"chat.message.created.v1","subject":"rooms/r1","time":"2026-01-02T03:04:05.678Z","datacontenttype":"application/json","data":{"text":"안녕 <b>😀</b> \"q\" \n\u0001"}}""");
    }

    [Fact]
    public async Task Events_reach_the_agent_in_order_and_leave_the_spool_when_acknowledged()
    {
        await using var agent = new Agent();
        using var host = StartClient(agent.Port);
        await host.StartAsync();
        var spool = host.Services.GetRequiredService<EventSpool>();
        for (var i = 0; i < 500; i++)
            await spool.AppendAsync("r1", Encoding.UTF8.GetBytes($"{{\"n\":{i}}}"), CancellationToken.None);

        await UntilAsync(() => spool.Unacknowledged.PendingBytes == 0);
        agent.Messages.SelectMany(m => Texts(m)).ShouldBe(Enumerable.Range(0, 500).Select(i => $"{{\"n\":{i}}}"));
        await host.StopAsync();
    }

    [Fact]
    public async Task What_was_not_acknowledged_is_sent_again_with_the_same_ids_and_bytes()
    {
        await using var agent = new Agent { Acknowledge = false };
        using var host = StartClient(agent.Port);
        await host.StartAsync();
        var spool = host.Services.GetRequiredService<EventSpool>();
        await spool.AppendAsync("r1", "{\"n\":1}"u8.ToArray(), CancellationToken.None);
        await UntilAsync(() => agent.Messages.Count == 1);
        spool.Unacknowledged.PendingBytes.ShouldBeGreaterThan(0);

        agent.Acknowledge = true;
        agent.DropConnections();
        await UntilAsync(() => spool.Unacknowledged.PendingBytes == 0);

        agent.Messages.Count.ShouldBe(2);
        agent.Messages.Select(m => m.Chunk).Distinct().Count().ShouldBe(1);
        agent.Messages.Select(m => Convert.ToHexString(m.Entries.Span)).Distinct().Count().ShouldBe(1);
        await host.StopAsync();
    }

    [Fact]
    public async Task Events_of_a_process_that_ended_are_sent_by_the_next_one()
    {
        using (var deaf = StartClient(port: 1))
        {
            await deaf.StartAsync();
            await deaf.Services.GetRequiredService<IEventPublisher>().AppendAsync("r1", "{\"n\":1}"u8.ToArray(), CancellationToken.None);
            await deaf.StopAsync();
        }

        await using var agent = new Agent();
        using var host = StartClient(agent.Port);
        await host.StartAsync();
        await UntilAsync(() => agent.Messages.Count == 1);
        Texts(agent.Messages.Single()).ShouldBe(["{\"n\":1}"]);
        await host.StopAsync();
    }

    [Fact]
    public async Task Events_of_a_replica_that_is_gone_are_sent_by_one_that_runs()
    {
        await using var agent = new Agent();
        using var gone = StartClient(port: 1);
        await gone.StartAsync();
        await gone.Services.GetRequiredService<IEventPublisher>().AppendAsync("r1", "{\"n\":1}"u8.ToArray(), CancellationToken.None);
        using var running = StartClient(agent.Port, ("Events:AdoptSeconds", "0.1"));
        await running.StartAsync();
        var left = gone.Services.GetRequiredService<EventSpool>().Folder;
        running.Services.GetRequiredService<EventSpool>().Folder.ShouldNotBe(left);
        agent.Messages.ShouldBeEmpty();

        await gone.StopAsync();
        gone.Dispose();

        await UntilAsync(() => agent.Messages.Count == 1);
        Texts(agent.Messages.Single()).ShouldBe(["{\"n\":1}"]);
        await running.StopAsync();
    }

    [Theory]
    [InlineData("Reject", true)]
    [InlineData("Drop", false)]
    public async Task A_full_spool_does_what_the_policy_says(string policy, bool throws)
    {
        using var host = StartClient(port: 1, ("Events:SpoolLimitBytes", "65536"), ("Events:WhenFull", policy));
        await host.StartAsync();
        var publisher = host.Services.GetRequiredService<IEventPublisher>();
        async Task Fill()
        {
            for (var i = 0; i < 80; i++)
                await publisher.AppendAsync("r1", new byte[1_000], CancellationToken.None);
        }

        if (throws)
            await Should.ThrowAsync<EventSpoolFullException>(Fill);
        else
            await Fill();
        await host.StopAsync();
    }

    [Fact]
    public async Task A_wrong_setting_stops_the_start_and_is_named()
    {
        using var host = StartClient(port: 1, ("Events:Endpoint", "http://x"), ("Events:SpoolLimitBytes", "5"));
        var error = await Should.ThrowAsync<Microsoft.Extensions.Options.OptionsValidationException>(() => host.StartAsync());
        error.Message.ShouldContain("Events:Endpoint is 'http://x/'; it must be tcp://host:port.");
        error.Message.ShouldContain("Events:SpoolLimitBytes is 5");
    }

    private static IEnumerable<string> Texts(ForwardMessage message)
    {
        var frame = new ArrayBufferWriter<byte>();
        ChunkFrame.Write(frame, message.Tag, message.Entries.Span);
        var records = new List<Forwarder.Outputs.Record>();
        Forwarder.Outputs.Record.Read(frame.WrittenMemory, new Forwarder.Outputs.TagPattern("chat.events"), records);
        return records.Select(r => Encoding.UTF8.GetString(r.Text("event"u8)!.Value.ToArray()));
    }

    private IHost StartClient(int port, params (string Key, string Value)[] settings)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration["Events:Endpoint"] = $"tcp://127.0.0.1:{port}";
        builder.Configuration["Events:SpoolPath"] = _folder.Path;
        foreach (var (key, value) in settings)
            builder.Configuration[key] = value;
        builder.AddEventPublishing();
        return builder.Build();
    }

    private static async Task UntilAsync(Func<bool> holds)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!holds())
            await Task.Delay(10, limit.Token);
    }

    /// <summary>The agent's half of the protocol, as little as there can be.</summary>
    private sealed class Agent : IAsyncDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly ConcurrentBag<TcpClient> _open = [];
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _serving;

        public Agent()
        {
            _listener.Start();
            _serving = ServeAsync();
        }

        public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

        public bool Acknowledge { get; set; } = true;

        public ConcurrentQueue<ForwardMessage> Messages { get; } = new();

        public void DropConnections()
        {
            while (_open.TryTake(out var client))
                client.Dispose();
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            _listener.Dispose();
            DropConnections();
            await _serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _stop.Dispose();
        }

        private async Task ServeAsync()
        {
            var answering = new List<Task>();
            try
            {
                while (true)
                {
                    var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                    _open.Add(client);
                    answering.Add(AnswerAsync(client.GetStream()));
                }
            }
            finally
            {
                await Task.WhenAll(answering).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        private async Task AnswerAsync(NetworkStream stream)
        {
            using var reader = new MessagePackStreamReader(stream);
            while (await reader.ReadAsync(_stop.Token) is { } bytes)
            {
                var message = ForwardMessage.Read(bytes, 10_000_000, new ArrayBufferWriter<byte>())!;
                // Its entries lie in the reader's buffer.
                Messages.Enqueue(message with { Entries = message.Entries.ToArray() });
                if (!Acknowledge)
                    continue;
                var ack = new ArrayBufferWriter<byte>();
                MessagePackSerializer.Serialize(ack, new Dictionary<string, string> { ["ack"] = message.Chunk! });
                await stream.WriteAsync(ack.WrittenMemory, _stop.Token);
            }
        }
    }
}
