using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using ChatPlatform.ServiceTests.Events;
using ChatPlatform.ServiceTests.Processes;
using Confluent.Kafka;

namespace ChatPlatform.ServiceTests.Lambda;

/// <summary>https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html and the pages below it, over the emulator as a process.</summary>
public sealed class EventSourceMappingTests
{
    [Fact]
    public async Task Records_reach_firehose_as_flat_lines_in_order_over_shards_and_their_children()
    {
        await using var emulator = await EmulatorFixture.StartAsync();
        emulator.Aws.AddShard("shardId-1");
        emulator.Aws.AddShard("shardId-2", parent: "shardId-1");
        emulator.Aws.RefuseFirstRecord = 1;
        for (var i = 0; i < 1_200; i++)
            emulator.Aws.Put(i < 600 ? "shardId-1" : "shardId-2", $"k{i % 200}", $"{i}");
        emulator.Aws.Faults.Enqueue(("GetRecords", "ThrottlingException"));
        emulator.Aws.Faults.Enqueue(("GetRecords", "ExpiredIteratorException"));
        emulator.Aws.Faults.Enqueue(("GetRecords", "InternalServerError"));
        await emulator.MapAsync("cdc", new { BatchSize = 1_000, FunctionResponseTypes = (string[])["ReportBatchItemFailures"] });
        await emulator.WaitForAsync(() => emulator.Aws.Delivered.Count >= 600, "the first shard's lines");
        emulator.Aws.Delivered.Count.ShouldBe(600);
        emulator.Aws.CloseShard("shardId-1");
        await emulator.WaitForAsync(() => emulator.Aws.Delivered.Count >= 1_200, "all lines");

        var expected = Enumerable.Range(0, 1_200).Select(i => $$"""{"text":"{{i}}","id":"k{{i % 200}}","n":1.50}""" + "\n").ToArray();
        var delivered = emulator.Aws.Delivered.ToArray();
        delivered.Order().ShouldBe(expected.Order());
        // One record was refused singly and came again after its call, yet before the next of its item.
        var index = delivered.Select((line, at) => (line, at)).ToDictionary(l => l.line, l => l.at);
        for (var i = 200; i < expected.Length; i++)
            index[expected[i]].ShouldBeGreaterThan(index[expected[i - 200]]);
    }

    [Fact]
    public async Task A_killed_emulator_resumes_without_a_gap_and_with_its_mappings()
    {
        await using var emulator = await EmulatorFixture.StartAsync(("Functions__scripted__Environment__DELAY", "20"));
        emulator.Aws.AddShard("shardId-1");
        var sequences = Enumerable.Range(0, 300).Select(i => emulator.Aws.Put("shardId-1", $"k{i % 7}", "x")).ToArray();
        var uuid = await emulator.MapAsync("scripted", new { BatchSize = 10, ParallelizationFactor = 3 });
        await emulator.WaitForAsync(() => emulator.Batches().Length >= 5, "some batches");
        var pids = emulator.Batches().Select(b => b.Pid).Distinct().ToArray();
        await emulator.KillAndRestartAsync();
        await emulator.WaitForAsync(() => emulator.Batches().Length >= 15, "more batches");
        await emulator.KillAndRestartAsync();
        await emulator.WaitForAsync(() => emulator.Batches().SelectMany(b => b.Sequence).Distinct().Count() == 300, "all records");

        var handled = emulator.Batches().SelectMany(b => b.Sequence).ToArray();
        handled.Distinct().Order().ShouldBe(sequences);
        // At least once, but not from the beginning again.
        handled.Length.ShouldBeLessThan(300 + (2 * 120));
        // The killed emulator's functions died with it.
        pids.ShouldAllBe(pid => !Directory.Exists($"/proc/{pid}"));
        (await emulator.GetAsync(uuid)).GetProperty("BatchSize").GetInt32().ShouldBe(10);
    }

    [Fact]
    public async Task An_item_stays_in_order_while_several_batches_of_a_shard_run_at_once()
    {
        await using var emulator = await EmulatorFixture.StartAsync(("Functions__scripted__Environment__DELAY", "50"));
        emulator.Aws.AddShard("shardId-1");
        for (var i = 0; i < 200; i++)
            emulator.Aws.Put("shardId-1", $"k{i % 20}", "x");
        await emulator.MapAsync("scripted", new { BatchSize = 10, ParallelizationFactor = 4 });
        await emulator.WaitForAsync(() => emulator.Batches().Sum(b => b.Sequence.Length) >= 200, "all records");

        var batches = emulator.Batches();
        batches.Select(b => b.Pid).Distinct().Count().ShouldBeGreaterThan(1);
        foreach (var item in batches.SelectMany(b => b.Keys.Zip(b.Sequence)).GroupBy(r => r.First))
            item.Select(r => r.Second).ShouldBe(item.Select(r => r.Second).Order());
        batches.Any(a => batches.Any(b => a != b && a.Began < b.Ended && b.Began < a.Ended)).ShouldBeTrue("batches overlap in time");
    }

    [Fact]
    public async Task Bisecting_isolates_a_poisoned_record_and_the_rest_flows()
    {
        await using var emulator = await EmulatorFixture.StartAsync();
        emulator.Aws.AddShard("shardId-1");
        var sequences = Enumerable.Range(0, 32).Select(i => emulator.Aws.Put("shardId-1", "k", i == 21 ? "poison" : "x")).ToArray();
        await emulator.MapAsync("scripted", new { BatchSize = 32, BisectBatchOnFunctionError = true, MaximumRetryAttempts = 2 });
        await emulator.WaitForAsync(() => emulator.Batches().Any(b => b.Sequence[^1] == sequences[^1] && !b.Sequence.Contains(sequences[21])), "what follows the poison");

        var batches = emulator.Batches();
        // Splitting takes no retry: alone, the record has its first attempt and both retries.
        batches.Count(b => b.Sequence.SequenceEqual([sequences[21]])).ShouldBe(3);
        var succeeded = batches.Where(b => !b.Sequence.Contains(sequences[21])).SelectMany(b => b.Sequence).ToArray();
        succeeded.ShouldBe(sequences.Where(s => s != sequences[21]));
        await emulator.WaitForAsync(() => emulator.Process.Output.Contains("RetryAttemptsExhausted: 1 records of shardId-1"), "the discarded record in the log");
    }

    [Fact]
    public async Task A_discarded_record_is_in_the_bucket_with_its_event_before_the_checkpoint_passes_it()
    {
        await using var emulator = await EmulatorFixture.StartAsync();
        emulator.Aws.AddShard("shardId-1");
        var sequences = Enumerable.Range(0, 8).Select(i => emulator.Aws.Put("shardId-1", "k", i == 3 ? "poison" : "x")).ToArray();
        for (var i = 0; i < 6; i++)
            emulator.Aws.Faults.Enqueue(("PutObject", "SlowDown"));
        var uuid = await emulator.MapAsync("scripted", new
        {
            BatchSize = 8,
            BisectBatchOnFunctionError = true,
            MaximumRetryAttempts = 1,
            DestinationConfig = new { OnFailure = new { Destination = "arn:aws:s3:::failed" } },
        });
        await emulator.WaitForAsync(() => emulator.Batches().Any(b => b.Sequence[^1] == sequences[^1] && !b.Sequence.Contains(sequences[3])), "what follows the poison");

        var (key, text) = emulator.Aws.Objects.ShouldHaveSingleItem();
        key.ShouldMatch($@"^failed/aws/lambda/{uuid}/shardId-1/\d{{4}}/\d\d/\d\d/\d{{4}}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{{36}}$");
        var record = JsonSerializer.Deserialize<JsonElement>(text[text.IndexOf('{')..(text.LastIndexOf('}') + 1)]);
        record.GetProperty("requestContext").GetProperty("condition").GetString().ShouldBe("RetryAttemptsExhausted");
        record.GetProperty("requestContext").GetProperty("approximateInvokeCount").GetInt32().ShouldBe(2);
        record.GetProperty("DDBStreamBatchInfo").GetProperty("startSequenceNumber").GetString().ShouldBe(sequences[3]);
        record.GetProperty("DDBStreamBatchInfo").GetProperty("batchSize").GetInt32().ShouldBe(1);
        JsonSerializer.Deserialize<JsonElement>(record.GetProperty("payload").GetString()!)
            .GetProperty("Records")[0].GetProperty("dynamodb").GetProperty("NewImage").GetProperty("text").GetProperty("S").GetString().ShouldBe("poison");
        (await emulator.GetAsync(uuid)).GetProperty("DestinationConfig").GetProperty("OnFailure").GetProperty("Destination").GetString().ShouldBe("arn:aws:s3:::failed");
    }

    [Fact]
    public async Task A_discarded_record_reaches_the_topic_of_its_mapping()
    {
        var (port, health) = (ServiceProcess.FreePort(), ServiceProcess.FreePort());
        await using var kafka = ServiceProcess.StartService("services/local/ChatPlatform.LocalKafka", EventServices.LocalKafka(port, health));
        await kafka.WaitForHealthAsync($"http://127.0.0.1:{health}/health");
        await using var emulator = await EmulatorFixture.StartAsync(("ConnectionStrings__kafka", $"127.0.0.1:{port}"));
        emulator.Aws.AddShard("shardId-1");
        var poison = emulator.Aws.Put("shardId-1", "k", "poison");
        await emulator.MapAsync("scripted", new { MaximumRetryAttempts = 0, DestinationConfig = new { OnFailure = new { Destination = "kafka://chat.events" } } });

        using var consumer = new ConsumerBuilder<Ignore, string>(new ConsumerConfig { BootstrapServers = $"127.0.0.1:{port}", GroupId = "test", AutoOffsetReset = AutoOffsetReset.Earliest }).Build();
        consumer.Assign(Enumerable.Range(0, 6).Select(p => new TopicPartitionOffset("chat.events", p, Offset.Beginning)));
        ConsumeResult<Ignore, string>? message = null;
        await emulator.WaitForAsync(() => (message ??= consumer.Consume(TimeSpan.FromMilliseconds(50))) is not null, "the record in the topic");
        JsonSerializer.Deserialize<JsonElement>(message!.Message.Value).GetProperty("DDBStreamBatchInfo").GetProperty("startSequenceNumber").GetString().ShouldBe(poison);
    }

    [Fact]
    public async Task A_filtered_record_is_never_seen_and_the_checkpoint_passes_it()
    {
        await using var emulator = await EmulatorFixture.StartAsync();
        emulator.Aws.AddShard("shardId-1");
        var sequences = Enumerable.Range(0, 9).Select(i => emulator.Aws.Put("shardId-1", "k", i % 3 == 0 ? "keep" : "leave")).ToArray();
        const string Pattern = """{"eventName":["INSERT"],"dynamodb":{"NewImage":{"text":{"S":["keep"]}}}}""";
        var uuid = await emulator.MapAsync("scripted", new { FilterCriteria = new { Filters = new[] { new { Pattern } } } });
        await emulator.Process.WaitForAsync(async () =>
        {
            using var answer = await emulator.SendAsync(HttpMethod.Get, $"/2015-03-31/event-source-mappings/{uuid}/_shards");
            var shards = await answer.Content.ReadFromJsonAsync<JsonElement>();
            return shards.GetArrayLength() > 0 && shards[0].GetProperty("SequenceNumber").GetString() == sequences[^1];
        }, "the checkpoint at the end");

        emulator.Batches().SelectMany(b => b.Sequence).ShouldBe([sequences[0], sequences[3], sequences[6]]);
        (await emulator.GetAsync(uuid)).GetProperty("FilterCriteria").GetProperty("Filters")[0].GetProperty("Pattern").GetString().ShouldBe(Pattern);
    }

    [Fact]
    public async Task A_partial_failure_moves_the_checkpoint_to_the_lowest_failed_record()
    {
        await using var emulator = await EmulatorFixture.StartAsync(("Functions__scripted__Environment__PARTIAL", "true"));
        emulator.Aws.AddShard("shardId-1");
        var sequences = Enumerable.Range(0, 10).Select(i => emulator.Aws.Put("shardId-1", "k", i is 4 or 7 ? "poison" : "x")).ToArray();
        var uuid = await emulator.MapAsync("scripted", new { BatchSize = 10, FunctionResponseTypes = (string[])["ReportBatchItemFailures"] });
        await emulator.WaitForAsync(() => emulator.Batches().Length >= 4, "retries");

        var batches = emulator.Batches();
        batches[0].Sequence.ShouldBe(sequences);
        batches[1..].ShouldAllBe(b => b.Sequence.SequenceEqual(sequences.Skip(4)));
        using var answer = await emulator.SendAsync(HttpMethod.Get, $"/2015-03-31/event-source-mappings/{uuid}/_shards");
        (await answer.Content.ReadFromJsonAsync<JsonElement>())[0].GetProperty("SequenceNumber").GetString().ShouldBe(sequences[3]);
        (await emulator.GetAsync(uuid)).GetProperty("LastProcessingResult").GetString().ShouldStartWith("PROBLEM");
    }

    [Fact]
    public async Task A_function_that_crashes_or_is_killed_for_its_time_is_retried_until_the_retries_are_used_up()
    {
        await using var emulator = await EmulatorFixture.StartAsync();
        emulator.Aws.AddShard("shardId-1");
        var crash = emulator.Aws.Put("shardId-1", "k", "crash");
        var after = emulator.Aws.Put("shardId-1", "k", "x");
        await emulator.MapAsync("scripted", new { BatchSize = 1, MaximumRetryAttempts = 2 });
        await emulator.WaitForAsync(() => emulator.Batches().Any(b => b.Sequence[0] == after), "the record after it");
        emulator.Batches().Where(b => b.Sequence[0] == crash).Select(b => b.Pid).Distinct().Count().ShouldBe(3);
    }

    [Fact]
    public async Task Records_over_the_maximum_age_are_given_up_without_being_tried()
    {
        await using var emulator = await EmulatorFixture.StartAsync();
        emulator.Aws.AddShard("shardId-1");
        emulator.Aws.Put("shardId-1", "k", "x", DateTimeOffset.UtcNow.AddSeconds(-90));
        var young = emulator.Aws.Put("shardId-1", "k", "x");
        await emulator.MapAsync("scripted", new { MaximumRecordAgeInSeconds = 60 });
        await emulator.WaitForAsync(() => emulator.Batches().Length > 0, "the young record");
        emulator.Batches().SelectMany(b => b.Sequence).ShouldBe([young]);
        emulator.Process.Output.ShouldContain("MaximumRecordAgeExceeded: 1 records");
    }

    [Fact]
    public async Task A_batching_window_gathers_records_until_it_ends()
    {
        await using var emulator = await EmulatorFixture.StartAsync();
        emulator.Aws.AddShard("shardId-1");
        await emulator.MapAsync("scripted", new { BatchSize = 100, MaximumBatchingWindowInSeconds = 1 });
        var watch = Stopwatch.StartNew();
        emulator.Aws.Put("shardId-1", "k", "x");
        await emulator.WaitForAsync(() => watch.ElapsedMilliseconds > 300, "another poll");
        emulator.Aws.Put("shardId-1", "k", "x");
        await emulator.WaitForAsync(() => emulator.Batches().Length > 0, "the batch");
        emulator.Batches().ShouldHaveSingleItem().Sequence.Length.ShouldBe(2);
        watch.ElapsedMilliseconds.ShouldBeGreaterThanOrEqualTo(1_000);
    }

    [Fact]
    public async Task Latest_begins_after_what_was_there_and_survives_a_kill_before_the_first_batch()
    {
        await using var emulator = await EmulatorFixture.StartAsync();
        emulator.Aws.AddShard("shardId-1");
        emulator.Aws.Put("shardId-1", "k", "old", DateTimeOffset.UtcNow.AddSeconds(-10));
        await emulator.MapAsync("scripted", new { BatchSize = 10 }, "LATEST");
        await emulator.Process.KillAsync();
        var fresh = emulator.Aws.Put("shardId-1", "k", "new");
        await emulator.KillAndRestartAsync();
        await emulator.WaitForAsync(() => emulator.Batches().Length > 0, "the new record");
        emulator.Batches().SelectMany(b => b.Sequence).ShouldBe([fresh]);
    }

    [Fact]
    public async Task Mappings_are_created_once_listed_changed_stopped_and_deleted_as_at_aws()
    {
        await using var emulator = await EmulatorFixture.StartAsync();
        emulator.Aws.AddShard("shardId-1");
        var uuid = await emulator.MapAsync("scripted", new { });
        const string Root = "/2015-03-31/event-source-mappings";
        var again = new { EventSourceArn = FakeAws.StreamArn, FunctionName = "scripted", StartingPosition = "LATEST" };
        await ShouldFailAsync(emulator.SendAsync(HttpMethod.Post, Root, again), 409, "ResourceConflictException", uuid);
        await ShouldFailAsync(emulator.SendAsync(HttpMethod.Post, Root, again with { FunctionName = "nobody" }), 404, "ResourceNotFoundException", "nobody");
        await ShouldFailAsync(
            emulator.SendAsync(HttpMethod.Post, Root, again with { FunctionName = "cdc", EventSourceArn = FakeAws.StreamArn + "9" }), 400, "InvalidParameterValueException", "Stream not found");
        await ShouldFailAsync(emulator.SendAsync(HttpMethod.Put, $"{Root}/{uuid}", new { TumblingWindowInSeconds = 5 }), 400, "InvalidParameterValueException", "TumblingWindowInSeconds");

        using var stopped = await emulator.SendAsync(HttpMethod.Put, $"{Root}/{uuid}", new { Enabled = false, BatchSize = 5 });
        ((int)stopped.StatusCode).ShouldBe(202);
        (await emulator.GetAsync(uuid)).GetProperty("State").GetString().ShouldBe("Disabled");
        for (var i = 0; i < 10; i++)
            emulator.Aws.Put("shardId-1", "k", "x");
        using var started = await emulator.SendAsync(HttpMethod.Put, $"{Root}/{uuid}", new { Enabled = true });
        await emulator.WaitForAsync(() => emulator.Batches().Sum(b => b.Sequence.Length) == 10, "the records written in between");
        emulator.Batches().Select(b => b.Sequence.Length).ShouldBe([5, 5]);

        using var list = await emulator.SendAsync(HttpMethod.Get, $"{Root}/?FunctionName=scripted&EventSourceArn={Uri.EscapeDataString(FakeAws.StreamArn)}");
        var only = (await list.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("EventSourceMappings").EnumerateArray().ShouldHaveSingleItem();
        only.GetProperty("UUID").GetString().ShouldBe(uuid);
        only.GetProperty("FunctionArn").GetString().ShouldBe("arn:aws:lambda:ap-northeast-2:000000000000:function:scripted");
        only.GetProperty("LastProcessingResult").GetString().ShouldBe("OK");

        using var deleted = await emulator.SendAsync(HttpMethod.Delete, $"{Root}/{uuid}");
        ((int)deleted.StatusCode).ShouldBe(202);
        (await deleted.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("State").GetString().ShouldBe("Deleting");
        await ShouldFailAsync(emulator.SendAsync(HttpMethod.Get, $"{Root}/{uuid}"), 404, "ResourceNotFoundException", "does not exist");
    }

    [Fact]
    public async Task Stopping_ends_the_emulator_and_its_functions_within_seconds()
    {
        await using var emulator = await EmulatorFixture.StartAsync();
        emulator.Aws.AddShard("shardId-1");
        emulator.Aws.Put("shardId-1", "k", "x");
        await emulator.MapAsync("scripted", new { });
        await emulator.WaitForAsync(() => emulator.Batches().Length > 0, "a batch");
        var pid = emulator.Batches()[0].Pid;
        (await emulator.Process.StopAsync(TimeSpan.FromSeconds(8))).ShouldBe(0);
        Directory.Exists($"/proc/{pid}").ShouldBeFalse();
    }

    private static async Task ShouldFailAsync(Task<HttpResponseMessage> request, int status, string type, string message)
    {
        using var answer = await request;
        var body = await answer.Content.ReadFromJsonAsync<JsonElement>();
        ((int)answer.StatusCode).ShouldBe(status, body.ToString());
        answer.Headers.GetValues("x-amzn-ErrorType").ShouldBe([type]);
        body.GetProperty("Message").GetString()!.ShouldContain(message);
    }
}
