using System.Diagnostics.Metrics;
using System.Text;
using System.Text.Json;
using ChatPlatform.LocalAws.DynamoDb;
using ChatPlatform.LocalAws.DynamoDb.Operations;
using ChatPlatform.LocalAws.Protocol;
using ChatPlatform.LocalAws.Storage;
using ChatPlatform.LocalAws.Streams;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace ChatPlatform.UnitTests.LocalAws;

public sealed class DurabilityTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("localaws-").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 5, 11, 12, 0, 0, TimeSpan.Zero));

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task What_was_written_is_there_after_a_restart()
    {
        await using (var first = Open())
        {
            await first.CreateAsync();
            for (var i = 0; i < 300; i++)
                await first.PutAsync(i);
            await first.RunAsync("DeleteItem", """{"TableName":"rooms","Key":{"id":{"S":"7"}}}""");
        }

        await using var second = Open();
        (await second.CountAsync()).ShouldBe(299);
        (await second.GetAsync(7)).ShouldBeNull();
        (await second.GetAsync(299)).ShouldBe("299");
        second.Store.Streams.Single().Count.ShouldBe(301);
    }

    [Fact]
    public async Task A_torn_tail_is_cut_at_every_length_and_nothing_before_it_is_lost()
    {
        await using (var first = Open())
        {
            await first.CreateAsync();
            for (var i = 0; i < 5; i++)
                await first.PutAsync(i);
        }

        var log = Directory.GetFiles(Path.Combine(_folder, "dynamodb"), "log-*.wal").Single();
        var whole = await File.ReadAllBytesAsync(log);
        // The last frame is 48 bytes long.
        for (var cut = 1; cut < 48; cut += 3)
        {
            foreach (var newer in Directory.GetFiles(Path.Combine(_folder, "dynamodb")))
                File.Delete(newer);
            await File.WriteAllBytesAsync(log, whole[..^cut]);
            await using var again = Open();
            (await again.CountAsync()).ShouldBe(4, $"cut by {cut}");
            await again.PutAsync(4);
            (await again.CountAsync()).ShouldBe(5);
        }
    }

    [Fact]
    public async Task A_flipped_bit_at_the_end_is_noticed_and_cut()
    {
        await using (var first = Open())
        {
            await first.CreateAsync();
            await first.PutAsync(1);
            await first.PutAsync(2);
        }

        var log = Directory.GetFiles(Path.Combine(_folder, "dynamodb"), "log-*.wal").Single();
        var bytes = await File.ReadAllBytesAsync(log);
        bytes[^3] ^= 0x10;
        await File.WriteAllBytesAsync(log, bytes);
        await using var again = Open();
        (await again.GetAsync(1)).ShouldBe("1");
        (await again.GetAsync(2)).ShouldBeNull();
    }

    [Fact]
    public async Task A_snapshot_replaces_the_log_and_holds_the_same()
    {
        var large = new string('x', 4000);
        await using (var first = Open(snapshotAfter: 1024 * 1024))
        {
            await first.CreateAsync();
            for (var i = 0; i < 600; i++)
                await first.PutAsync(i, large);
        }

        var files = Directory.GetFiles(Path.Combine(_folder, "dynamodb")).Select(Path.GetFileName).ToList();
        files.Count(f => f!.StartsWith("snapshot-", StringComparison.Ordinal)).ShouldBe(1);
        await using var second = Open();
        (await second.CountAsync()).ShouldBe(600);
        second.Store.Streams.Single().Count.ShouldBe(600);
        (await second.GetAsync(599)).ShouldBe("599");
    }

    [Fact]
    public void A_folder_of_a_newer_format_is_refused()
    {
        File.WriteAllText(Path.Combine(_folder, "format"), "99\n");
        Should.Throw<InvalidOperationException>(() => new DataFolder(_folder)).Message.ShouldContain("format 99");
    }

    [Fact]
    public void A_folder_belongs_to_one_process()
    {
        using var first = new DataFolder(_folder);
        Should.Throw<InvalidOperationException>(() => new DataFolder(_folder)).Message.ShouldContain("in use");
    }

    [Fact]
    public async Task Expired_items_go_and_the_stream_names_the_service()
    {
        await using var running = Open();
        await running.CreateAsync();
        await running.RunAsync("UpdateTimeToLive", """{"TableName":"rooms","TimeToLiveSpecification":{"AttributeName":"expiresAt","Enabled":true}}""");
        var expiry = _time.GetUtcNow().ToUnixTimeSeconds() + 60;
        await running.RunAsync("PutItem", $$$$"""{"TableName":"rooms","Item":{"id":{"S":"1"},"expiresAt":{"N":"{{{{expiry}}}}"}}}""");
        await running.RunAsync("PutItem", """{"TableName":"rooms","Item":{"id":{"S":"2"},"expiresAt":{"S":"no number"}}}""");
        running.Store.Sweep().ShouldBe(0);
        _time.Advance(TimeSpan.FromSeconds(62));
        running.Store.Sweep().ShouldBe(1);
        (await running.CountAsync()).ShouldBe(1);
        running.Store.Streams.Single().All().SelectMany(s => s.Records).Count(r => r.Expired && r.New is null).ShouldBe(1);
    }

    [Fact]
    public async Task Stream_records_are_kept_for_24_hours_and_iterators_for_15_minutes()
    {
        await using var running = Open();
        await running.CreateAsync();
        await running.PutAsync(1);
        var streams = new StreamsService(running.Store);
        var arn = running.Store.StreamArn(running.Store.Streams.Single().Definition);
        var shard = running.Store.Streams.Single().All().Single(s => s.Records.Count > 0).Shard;
        var iterator = (await Running.RunAsync(streams, "GetShardIterator", $$"""{"StreamArn":"{{arn}}","ShardId":"{{shard}}","ShardIteratorType":"TRIM_HORIZON"}"""))
            .RootElement.GetProperty("ShardIterator").GetString();
        (await Running.RunAsync(streams, "GetRecords", $$"""{"ShardIterator":"{{iterator}}"}""")).RootElement.GetProperty("Records").GetArrayLength().ShouldBe(1);
        _time.Advance(TimeSpan.FromMinutes(16));
        (await Should.ThrowAsync<AwsException>(async () => await Running.RunAsync(streams, "GetRecords", $$"""{"ShardIterator":"{{iterator}}"}"""))).Type.ShouldBe("ExpiredIteratorException");
        _time.Advance(TimeSpan.FromHours(24));
        running.Store.Sweep();
        running.Store.Streams.Single().Count.ShouldBe(0);
    }

    [Fact]
    public void An_ordered_index_behaves_like_a_sorted_dictionary()
    {
        var random = new Random(42);
        var index = new OrderedIndex<string>();
        var model = new SortedDictionary<string, string>(StringComparer.Ordinal);
        for (var i = 0; i < 30_000; i++)
        {
            var key = random.Next(4_000).ToString("x", System.Globalization.CultureInfo.InvariantCulture);
            if (random.Next(3) == 0)
            {
                index.Remove(Encoding.UTF8.GetBytes(key)).ShouldBe(model.Remove(key));
            }
            else
            {
                index.Set(Encoding.UTF8.GetBytes(key), key);
                model[key] = key;
            }
        }

        index.Count.ShouldBe(model.Count);
        index.Ascend([]).Select(e => e.Value).ShouldBe(model.Keys);
        index.Descend(null).Select(e => e.Value).ShouldBe(model.Keys.Reverse());
        index.Ascend("8"u8.ToArray(), inclusive: false).Select(e => e.Value).ShouldBe(model.Keys.Where(k => string.CompareOrdinal(k, "8") > 0));
        index.Descend("8"u8.ToArray()).Select(e => e.Value).ShouldBe(model.Keys.Reverse().Where(k => string.CompareOrdinal(k, "8") < 0));
    }

    private Running Open(long snapshotAfter = 256 * 1024 * 1024) => new(_folder, _time, snapshotAfter);

    /// <summary>The store and its API without a server.</summary>
    private sealed class Running : IAsyncDisposable
    {
        private readonly DataFolder _data;
        private readonly DynamoDbService _service;
        private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();

        public Running(string folder, TimeProvider time, long snapshotAfter)
        {
            _data = new DataFolder(folder);
            Store = new DynamoStore(_data, Options.Create(new DynamoDbOptions { SnapshotAfterBytes = snapshotAfter }), time,
                new Meters(_services.GetRequiredService<IMeterFactory>()), NullLogger<DynamoStore>.Instance);
            _service = new DynamoDbService(Store);
        }

        public DynamoStore Store { get; }

        public static async Task<JsonDocument> RunAsync(IAwsJsonService service, string operation, string body)
        {
            var answer = new System.Buffers.ArrayBufferWriter<byte>();
            await service.HandleAsync(operation, Encoding.UTF8.GetBytes(body), answer, CancellationToken.None);
            return JsonDocument.Parse(answer.WrittenMemory);
        }

        public Task<JsonDocument> RunAsync(string operation, string body) => RunAsync(_service, operation, body);

        public Task CreateAsync() => RunAsync("CreateTable", """
            {"TableName":"rooms","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],
             "BillingMode":"PAY_PER_REQUEST","StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_AND_OLD_IMAGES"}}
            """);

        public Task PutAsync(int id, string text = "") =>
            RunAsync("PutItem", $$$$"""{"TableName":"rooms","Item":{"id":{"S":"{{{{id}}}}"},"n":{"N":"{{{{id}}}}"},"text":{"S":"{{{{text}}}}"}}}""");

        public async Task<string?> GetAsync(int id) =>
            (await RunAsync("GetItem", $$$$"""{"TableName":"rooms","Key":{"id":{"S":"{{{{id}}}}"}}}""")).RootElement.TryGetProperty("Item", out var item)
                ? item.GetProperty("n").GetProperty("N").GetString()
                : null;

        public async Task<int> CountAsync()
        {
            var count = 0;
            var start = "";
            do
            {
                var page = (await RunAsync("Scan", $$"""{"TableName":"rooms","Select":"COUNT"{{start}}}""")).RootElement;
                count += page.GetProperty("Count").GetInt32();
                start = page.TryGetProperty("LastEvaluatedKey", out var last) ? $",\"ExclusiveStartKey\":{last.GetRawText()}" : "";
            }
            while (start.Length > 0);
            return count;
        }

        public async ValueTask DisposeAsync()
        {
            await Store.DisposeAsync();
            _data.Dispose();
            await _services.DisposeAsync();
        }
    }
}
