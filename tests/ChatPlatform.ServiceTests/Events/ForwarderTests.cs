using System.Buffers.Binary;
using ChatPlatform.ServiceTests.Processes;

namespace ChatPlatform.ServiceTests.Events;

public sealed class ForwarderTests
{
    private static readonly (string Key, string Event)[] Conversation =
    [
        ("room-1", "{\"text\":\"안녕하세요 \\\"당근\\\" 😀\"}"),
        ("room-2", "{\"text\":\"줄\\n바꿈\\u0001 <b>&amp;</b>\"}"),
        ("room-1", "{\"text\":\"" + new string('가', 5_000) + "\"}"),
    ];

    [Fact]
    public async Task Events_arrive_in_kafka_byte_for_byte_in_the_order_of_their_room_and_leave_the_disk()
    {
        await using var services = new EventServices();
        await services.StartKafkaAsync();
        await services.StartForwarderAsync();
        using (var client = new ForwardClient(services.ForwardPort))
        {
            await client.SendAsync("c1", Conversation);
            for (var i = 0; i < 200; i++)
                await client.SendAsync($"n{i}", ($"room-{i % 7}", $"{{\"n\":{i}}}"));
        }

        var read = services.Read(r => r.Count >= 203);

        read.Count.ShouldBe(203);
        foreach (var sent in Conversation)
            read.ShouldContain(sent);
        foreach (var room in read.Where(r => r.Value.StartsWith("{\"n\":", StringComparison.Ordinal)).GroupBy(r => r.Key))
            room.Select(r => int.Parse(r.Value[5..^1])).ShouldBeInOrder();
        await services.Forwarder!.StopAsync();
        Undelivered(services).ShouldBe(0);
    }

    [Fact]
    public async Task Killing_the_forwarder_while_kafka_is_away_loses_nothing_that_was_acknowledged()
    {
        await using var services = new EventServices();
        await services.StartForwarderAsync(stallSeconds: 0.2);
        using (var client = new ForwardClient(services.ForwardPort))
        {
            for (var i = 0; i < 300; i++)
                await client.SendAsync($"n{i}", ("room-1", $"{{\"n\":{i}}}"));
        }

        await services.Forwarder!.WaitForAsync(async () => !await IsHealthyAsync(services), "the health to turn red");
        await services.Forwarder!.DisposeAsync();
        await services.StartForwarderAsync();
        await services.StartKafkaAsync();

        var read = services.Read(r => r.Select(x => x.Value).Distinct().Count() >= 300);

        read.Select(r => r.Value).ShouldBe(Enumerable.Range(0, 300).Select(i => $"{{\"n\":{i}}}"));
        await services.Forwarder!.WaitForAsync(() => IsHealthyAsync(services), "the health to turn green");
    }

    [Fact]
    public async Task A_restarted_cluster_is_found_again_and_gets_what_came_meanwhile()
    {
        await using var services = new EventServices();
        await services.StartKafkaAsync();
        await services.StartForwarderAsync();
        using var client = new ForwardClient(services.ForwardPort);
        await client.SendAsync("before", ("room-1", "{\"n\":0}"));
        services.Read(r => r.Count >= 1).Count.ShouldBe(1);

        await services.Kafka!.DisposeAsync();
        for (var i = 1; i <= 20; i++)
            await client.SendAsync($"n{i}", ("room-1", $"{{\"n\":{i}}}"));
        await services.StartKafkaAsync();

        services.Read(r => r.Select(x => x.Value).Distinct().Count() >= 20).Select(r => r.Value).Distinct().ShouldBe(Enumerable.Range(1, 20).Select(i => $"{{\"n\":{i}}}"));
    }

    [Fact]
    public async Task Malformed_input_closes_its_own_connection_and_harms_nothing_else()
    {
        await using var services = new EventServices();
        await services.StartKafkaAsync();
        await services.StartForwarderAsync();
        using var good = new ForwardClient(services.ForwardPort);
        var random = new Random(7);
        var whole = ForwardClient.Message("bad", ("room-1", "{\"n\":-1}"));
        for (var i = 0; i < 60; i++)
        {
            using var bad = new ForwardClient(services.ForwardPort);
            byte[] bytes = (i % 6) switch
            {
                0 => [0xc1],
                1 => "GET / HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray(),
                2 => Enumerable.Repeat((byte)0x91, 5_000).ToArray(),
                3 => [0xdd, 0xff, 0xff, 0xff, 0xff],
                4 => whole[..random.Next(1, whole.Length)],
                _ => [0x93, 0x01, .. BitConverter.GetBytes(random.NextInt64())],
            };
            await bad.SendRawAsync(bytes);
            bad.EndSending();
            (await bad.AckAsync()).ShouldBeNull();
            if (i % 10 == 0)
                await good.SendAsync($"g{i}", ("room-1", $"{{\"n\":{i}}}"));
        }

        await good.SendAsync("last", ("room-1", "{\"n\":60}"));
        services.Read(r => r.Count >= 7).Select(r => r.Value).ShouldBe(Enumerable.Range(0, 7).Select(i => $"{{\"n\":{i * 10}}}"));
    }

    [Fact]
    public async Task A_record_that_can_never_be_sent_is_put_aside_and_its_neighbours_arrive()
    {
        await using var services = new EventServices();
        await services.StartKafkaAsync();
        await services.StartForwarderAsync();
        using var client = new ForwardClient(services.ForwardPort);
        // The tag, one entry whose record has no "event", and the id to acknowledge.
        byte[] odd = [0x93, 0xab, .. "chat.events"u8, 0x91, 0x92, 0x01, 0x81, 0xa1, (byte)'x', 0x01, 0x81, 0xa5, .. "chunk"u8, 0xa3, .. "odd"u8];
        await client.SendAsync("a", ("room-1", "{\"n\":1}"));
        await client.SendRawAsync(odd);
        (await client.AckAsync()).ShouldBe("odd");
        await client.SendAsync("b", ("room-1", "{\"n\":2}"));

        services.Read(r => r.Count >= 2).Select(r => r.Value).ShouldBe(["{\"n\":1}", "{\"n\":2}"]);
        var line = (await File.ReadAllLinesAsync(Path.Combine(services.StoragePath, "dead-letter", "kafka.0.jsonl"))).ShouldHaveSingleItem();
        line.ShouldContain("no text field 'event'");
    }

    [Fact]
    public async Task A_taken_port_or_an_unknown_key_is_one_line_and_exit_code_1()
    {
        await using var services = new EventServices();
        await services.StartKafkaAsync();
        await using var second = ServiceProcess.StartService("services/local/ChatPlatform.LocalKafka", EventServices.LocalKafka(services.KafkaPort, ServiceProcess.FreePort()));
        await WaitForEndAsync(second);
        second.ExitCode.ShouldBe(1);
        second.Output.ShouldContain($"127.0.0.1:{services.KafkaPort} (KAFKA_PORT) cannot be used");

        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "service:\n  storage.path: /nowhere\n  hot_reload: on\npipeline: {}\n");
        await using var wrong = ServiceProcess.StartService("services/local/ChatPlatform.Forwarder", new Dictionary<string, string?>(), "--config", file);
        await WaitForEndAsync(wrong);
        File.Delete(file);
        wrong.ExitCode.ShouldBe(1);
        wrong.Output.ShouldContain(":3: service: 'hot_reload' is not supported");
    }

    private static async Task WaitForEndAsync(ServiceProcess process)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!process.HasExited)
            await Task.Delay(50, limit.Token);
    }

    private static async Task<bool> IsHealthyAsync(EventServices services)
    {
        using var http = new HttpClient();
        using var answer = await http.GetAsync(services.ForwarderHealthUrl);
        return answer.IsSuccessStatusCode;
    }

    /// <summary>What the output has not passed: the end of the log less the place it wrote down.</summary>
    private static long Undelivered(EventServices services)
    {
        var chunks = Path.Combine(services.StoragePath, "chunks");
        var last = new FileInfo(Directory.GetFiles(chunks, "*.seg").Max()!);
        var end = long.Parse(Path.GetFileNameWithoutExtension(last.Name)) + last.Length;
        return end - BinaryPrimitives.ReadInt64LittleEndian(File.ReadAllBytes(Path.Combine(chunks, "kafka.0.cursor")));
    }
}
