using System.Globalization;
using System.Text;
using System.Text.Json;
using ChatPlatform.LocalAws.DynamoDb;
using ChatPlatform.LocalAws.Protocol;
using ChatPlatform.LocalAws.Storage;
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
        running.Store.Streams.Single().Freeze().SelectMany(s => s.Records).Count(r => r.Expired && r.New is null).ShouldBe(1);
    }

    [Fact]
    public async Task Stream_records_are_kept_for_24_hours_and_iterators_for_15_minutes()
    {
        await using var running = Open();
        await running.CreateAsync();
        await running.PutAsync(1);
        var arn = running.Store.StreamArn(running.Store.Streams.Single().Definition);
        var shard = running.Store.Streams.Single().Freeze().Single(s => s.Records.Any()).Shard;
        var iterator = (await running.RunAsync("GetShardIterator", $$"""{"StreamArn":"{{arn}}","ShardId":"{{shard}}","ShardIteratorType":"TRIM_HORIZON"}""", "dynamodbstreams"))
            .GetProperty("ShardIterator").GetString();
        (await running.RunAsync("GetRecords", $$"""{"ShardIterator":"{{iterator}}"}""", "dynamodbstreams")).GetProperty("Records").GetArrayLength().ShouldBe(1);
        _time.Advance(TimeSpan.FromMinutes(16));
        (await Should.ThrowAsync<AwsException>(() => running.RunAsync("GetRecords", $$"""{"ShardIterator":"{{iterator}}"}""", "dynamodbstreams"))).Type.ShouldBe("ExpiredIteratorException");
        _time.Advance(TimeSpan.FromHours(24));
        running.Store.Sweep();
        running.Store.Streams.Single().Count.ShouldBe(0);
    }

    [Fact]
    public void An_ordered_index_behaves_like_a_sorted_dictionary()
    {
        var random = new Random(42);
        var index = new OrderedIndex<string, TextOrder>(default);
        var model = new SortedDictionary<string, string>(StringComparer.Ordinal);
        IEnumerable<string> frozen = [];
        List<string> asItWas = [];
        for (var i = 0; i < 30_000; i++)
        {
            if (i == 15_000)
                (frozen, asItWas) = (index.Freeze(), [.. model.Keys]);
            // Some of them differ only behind their first eight bytes.
            var key = (i % 2 == 0 ? "" : "the same ") + random.Next(4_000).ToString("x", CultureInfo.InvariantCulture);
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
        frozen.ShouldBe(asItWas);
        index.Ascend([]).Select(e => e.Entry).ShouldBe(model.Keys);
        index.Descend(null).Select(e => e.Entry).ShouldBe(model.Keys.Reverse());
        foreach (var bound in (string[])["8", "the same 8", "the same 80", "zzz"])
        {
            var key = Encoding.UTF8.GetBytes(bound);
            index.TryGet(key, out _).ShouldBe(model.ContainsKey(bound));
            index.Ascend(key, inclusive: false).Select(e => e.Entry).ShouldBe(model.Keys.Where(k => string.CompareOrdinal(k, bound) > 0));
            index.Descend(key).Select(e => e.Entry).ShouldBe(model.Keys.Reverse().Where(k => string.CompareOrdinal(k, bound) < 0));
        }
    }

    [Fact]
    public void A_list_of_records_grows_and_is_trimmed_and_what_was_frozen_stays()
    {
        var list = new AppendList<int>();
        var (first, next) = (0, 0);
        var random = new Random(7);
        IEnumerable<int> frozen = [];
        List<int> asItWas = [];
        for (var round = 0; round < 200; round++)
        {
            if (round == 100)
                (frozen, asItWas) = (list.Freeze(), [.. Enumerable.Range(first, list.Count)]);
            for (var i = random.Next(100); i > 0; i--)
                list.Add(next++);
            var removed = random.Next(Math.Min(list.Count, 90) + 1);
            list.RemoveFirst(removed);
            first += removed;
            list.Count.ShouldBe(next - first);
            list.GetRange(0, list.Count).ShouldBe(Enumerable.Range(first, next - first));
        }

        list.RemoveFirst(list.Count);
        list.Add(next);
        list[0].ShouldBe(next);
        frozen.ShouldBe(asItWas);
    }

    [Fact]
    public async Task What_is_written_while_a_snapshot_is_taken_is_in_the_log_and_not_in_the_snapshot()
    {
        var text = new string('x', 2000);
        await using (var first = Open(snapshotAfter: 1024 * 1024))
        {
            await first.CreateAsync();
            // Several snapshots are taken on the way; every one freezes blocks that the next writes change.
            for (var i = 0; i < 3000; i++)
                await first.PutAsync(i % 700, $"{text}{i}");
        }

        await using var second = Open();
        (await second.CountAsync()).ShouldBe(700);
        for (var i = 2300; i < 3000; i++)
        {
            var item = (await second.RunAsync("GetItem", $$$$"""{"TableName":"rooms","Key":{"id":{"S":"{{{{i % 700}}}}"}}}""")).GetProperty("Item");
            item.GetProperty("text").GetProperty("S").GetString().ShouldBe($"{text}{i}");
        }
    }

    private readonly struct TextOrder : IKeyOrder<string>
    {
        public int Compare(ReadOnlySpan<byte> key, string entry) => key.SequenceCompareTo(Encoding.UTF8.GetBytes(entry));
    }

    private Running Open(long snapshotAfter = 256 * 1024 * 1024) => new(_folder, _time, snapshotAfter);

    /// <summary>The services over one table.</summary>
    private sealed class Running(string folder, TimeProvider time, long snapshotAfter) : IAsyncDisposable
    {
        private readonly LocalAwsServices _aws = new(folder, time, ("DynamoDb:SnapshotAfterBytes", snapshotAfter.ToString(CultureInfo.InvariantCulture)));

        public DynamoStore Store => _aws.Store;

        public Task<JsonElement> RunAsync(string operation, string body, string service = "dynamodb") => _aws.SendAsync(service, operation, body);

        public Task CreateAsync() => RunAsync("CreateTable", """
            {"TableName":"rooms","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],
             "BillingMode":"PAY_PER_REQUEST","StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_AND_OLD_IMAGES"}}
            """);

        public Task PutAsync(int id, string text = "") =>
            RunAsync("PutItem", $$$$"""{"TableName":"rooms","Item":{"id":{"S":"{{{{id}}}}"},"n":{"N":"{{{{id}}}}"},"text":{"S":"{{{{text}}}}"}}}""");

        public async Task<string?> GetAsync(int id) =>
            (await RunAsync("GetItem", $$$$"""{"TableName":"rooms","Key":{"id":{"S":"{{{{id}}}}"}}}""")).TryGetProperty("Item", out var item)
                ? item.GetProperty("n").GetProperty("N").GetString()
                : null;

        public async Task<int> CountAsync()
        {
            var count = 0;
            var start = "";
            do
            {
                var page = await RunAsync("Scan", $$"""{"TableName":"rooms","Select":"COUNT"{{start}}}""");
                count += page.GetProperty("Count").GetInt32();
                start = page.TryGetProperty("LastEvaluatedKey", out var last) ? $",\"ExclusiveStartKey\":{last.GetRawText()}" : "";
            }
            while (start.Length > 0);
            return count;
        }

        public ValueTask DisposeAsync() => _aws.DisposeAsync();
    }
}
