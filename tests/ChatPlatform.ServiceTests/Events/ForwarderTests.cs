using System.Buffers.Binary;
using System.IO.Compression;
using System.Net.Http.Json;
using System.Text.Json;
using Amazon.KinesisFirehose;
using Amazon.KinesisFirehose.Model;
using Amazon.Runtime;
using Amazon.S3;
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
    public async Task Sixty_malformed_inputs_close_their_own_connections_harm_nothing_else_and_leave_no_memory_behind()
    {
        await using var services = new EventServices();
        await services.StartKafkaAsync();
        await services.StartForwarderAsync();
        using var good = new ForwardClient(services.ForwardPort);
        await good.SendAsync("first", ("room-1", "{\"n\":0}"));
        MalformedInputs.All.Count.ShouldBe(60);
        var before = ResidentMegabytes(services.Forwarder!.Id);
        for (var round = 0; round < 3; round++)
        {
            foreach (var (name, bytes) in MalformedInputs.All)
            {
                using var bad = new ForwardClient(services.ForwardPort);
                await bad.SendRawAsync(bytes);
                bad.EndSending();
                (await bad.AckAsync()).ShouldBeNull(name);
            }

            await good.SendAsync($"g{round}", ("room-1", $"{{\"n\":{round + 1}}}"));
        }

        services.Read(r => r.Count >= 4).Select(r => r.Value).ShouldBe(Enumerable.Range(0, 4).Select(i => $"{{\"n\":{i}}}"));
        ResidentMegabytes(services.Forwarder!.Id).ShouldBeLessThan(before + 60);
    }

    [Fact]
    public async Task One_output_s_outage_holds_up_no_other_and_a_chunk_goes_when_all_have_it()
    {
        await using var services = new EventServices();
        var aws = $"http://127.0.0.1:{ServiceProcess.FreePort()}";
        await using var edge = ServiceProcess.StartService("services/local/ChatPlatform.LocalAws", new Dictionary<string, string?> { ["ASPNETCORE_URLS"] = aws, ["ASPNETCORE_ENVIRONMENT"] = "Development" });
        await edge.WaitForHealthAsync(aws + "/health");
        using var s3 = new AmazonS3Client(new BasicAWSCredentials("local", "local"), new AmazonS3Config { ServiceURL = aws, ForcePathStyle = true, AuthenticationRegion = "us-east-1" });
        await s3.PutBucketAsync("copies");
        await services.StartForwarderAsync(configuration: $$"""
            service:
              storage.path: ${STORAGE_PATH}
              flush: 0.1
              scheduler.base: 0.2
              scheduler.cap: 1
            pipeline:
              inputs:
                - name: forward
                  listen: ${FLUENT_LISTEN}
                  port: ${FLUENT_PORT}
                  storage.type: filesystem
              filters:
                - name: grep
                  match: '*'
                  exclude: event secret
              outputs:
                - name: kafka
                  match: chat.*
                  brokers: ${KAFKA_BROKERS}
                  topics: chat.events
                  format: raw
                  raw_log_key: event
                  message_key_field: key
                  retry_limit: no_limits
                - name: s3
                  match_regex: ^chat\.
                  bucket: copies
                  endpoint: {{aws}}
                  use_put_object: on
                  upload_timeout: 1
                  compression: gzip
                  s3_key_format: /$TAG/%Y/$UUID.gz
                  log_key: event
                  retry_limit: no_limits
                - name: file
                  match: '*'
                  path: {{services.Folder}}/lines
                  file: all.txt
                  format: plain
                  retry_limit: no_limits
                - name: 'null'
                  match: nothing
                  retry_limit: no_limits
            """);
        using (var client = new ForwardClient(services.ForwardPort))
        {
            for (var i = 0; i < 20; i++)
                await client.SendAsync($"n{i}", ("room-1", $"{{\"n\":{i}}}"), ("room-1", "a secret"));
        }

        var expected = Enumerable.Range(0, 20).Select(i => $"{{\"n\":{i}}}").ToList();
        await services.Forwarder!.WaitForAsync(async () => (await ObjectLinesAsync(s3)).Count >= 20, "the objects", TimeSpan.FromSeconds(60));
        (await ObjectLinesAsync(s3)).ShouldBe(expected);
        using var http = new HttpClient();
        // What is delivered is counted after its place is written down.
        await services.Forwarder!.WaitForAsync(
            async () => await http.GetStringAsync(services.ForwarderUrl + "/api/v1/metrics") is { } metrics
                && metrics.Contains("\"grep.0\":{\"drop_records\":20", StringComparison.Ordinal)
                && metrics.Contains("\"s3.1\":{\"proc_records\":20", StringComparison.Ordinal)
                && metrics.Contains("\"file.2\":{\"proc_records\":20", StringComparison.Ordinal),
            "every output's count",
            TimeSpan.FromSeconds(30));
        (await File.ReadAllLinesAsync(Path.Combine(services.Folder, "lines/all.txt"))).Length.ShouldBe(20);
        (await http.GetStringAsync(services.ForwarderUrl + "/api/v1/health")).ShouldBe("ok\n");

        await services.Forwarder!.KillAsync();
        await services.StartKafkaAsync();
        await services.StartForwarderAsync(configuration: await File.ReadAllTextAsync(Path.Combine(services.Folder, "pipeline.yaml")));
        services.Read(r => r.Count >= 20).Select(r => r.Value).ShouldBe(expected);
        (await ObjectLinesAsync(s3)).Count.ShouldBe(20);
    }

    [Fact]
    public async Task Firehose_gets_every_record_also_when_it_throttles_and_the_forwarder_is_killed_meanwhile()
    {
        await using var services = new EventServices();
        var aws = $"http://127.0.0.1:{ServiceProcess.FreePort()}";
        await using var edge = ServiceProcess.StartService(
            "services/local/ChatPlatform.LocalAws", new Dictionary<string, string?> { ["ASPNETCORE_URLS"] = aws, ["LocalAws__DataPath"] = Path.Combine(services.Folder, "aws") });
        await edge.WaitForHealthAsync(aws + "/health");
        using var s3 = new AmazonS3Client(new BasicAWSCredentials("local", "local"), new AmazonS3Config { ServiceURL = aws, ForcePathStyle = true, AuthenticationRegion = "us-east-1" });
        await s3.PutBucketAsync("copies");
        using var firehose = new AmazonKinesisFirehoseClient(new BasicAWSCredentials("local", "local"), new AmazonKinesisFirehoseConfig { ServiceURL = aws, AuthenticationRegion = "us-east-1" });
        await firehose.CreateDeliveryStreamAsync(new CreateDeliveryStreamRequest
        {
            DeliveryStreamName = "events",
            ExtendedS3DestinationConfiguration = new()
            {
                BucketARN = "arn:aws:s3:::copies",
                RoleARN = "arn:aws:iam::000000000000:role/firehose",
                Prefix = "chat.events/",
                CompressionFormat = CompressionFormat.GZIP,
                BufferingHints = new() { IntervalInSeconds = 1, SizeInMBs = 1 },
            },
        });
        using var http = new HttpClient();
        (await http.PostAsJsonAsync(aws + "/_localaws/faults", new { service = "firehose", operation = "PutRecordBatch", kind = "throttling", count = 3 })).EnsureSuccessStatusCode();
        var configuration = $$"""
            service:
              storage.path: ${STORAGE_PATH}
              flush: 0.1
              scheduler.base: 0.2
              scheduler.cap: 1
            pipeline:
              inputs:
                - name: forward
                  listen: ${FLUENT_LISTEN}
                  port: ${FLUENT_PORT}
                  storage.type: filesystem
              outputs:
                - name: kinesis_firehose
                  match: chat.*
                  delivery_stream: events
                  region: us-east-1
                  endpoint: {{aws}}
                  auto_retry_requests: off
                  log_key: event
                  retry_limit: no_limits
            """;
        await services.StartForwarderAsync(configuration: configuration);
        using (var client = new ForwardClient(services.ForwardPort))
        {
            for (var i = 0; i < 20; i++)
                await client.SendAsync($"n{i}", Enumerable.Range(i * 60, 60).Select(n => ("room-1", $"{{\"n\":{n}}}")).ToArray());
        }

        await services.Forwarder!.KillAsync();
        await services.StartForwarderAsync(configuration: configuration);

        var expected = Enumerable.Range(0, 1_200).Select(n => $"{{\"n\":{n}}}").ToList();
        await services.Forwarder!.WaitForAsync(async () => (await ObjectLinesAsync(s3)).Distinct().Count() >= expected.Count, "every line in the bucket", TimeSpan.FromSeconds(60));
        (await ObjectLinesAsync(s3)).Distinct().ShouldBe(expected);
        (await http.GetFromJsonAsync<JsonElement>(aws + "/_localaws/faults")).GetProperty("faults")[0].GetProperty("struck").GetInt32().ShouldBe(3);
    }

    private static async Task<List<string>> ObjectLinesAsync(AmazonS3Client s3)
    {
        var lines = new List<string>();
        foreach (var item in (await s3.ListObjectsV2Async(new() { BucketName = "copies", Prefix = "chat.events/" })).S3Objects ?? [])
        {
            using var answer = await s3.GetObjectAsync("copies", item.Key);
            using var text = new StreamReader(new GZipStream(answer.ResponseStream, CompressionMode.Decompress));
            while (await text.ReadLineAsync() is { } line)
                lines.Add(line);
        }

        return [.. lines.OrderBy(line => int.Parse(line[5..^1]))];
    }

    private static double ResidentMegabytes(int process) =>
        long.Parse(File.ReadAllLines($"/proc/{process}/status").Single(line => line.StartsWith("VmRSS:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]) / 1024.0;

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
