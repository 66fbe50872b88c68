using System.Globalization;
using System.Text.Json;
using ChatPlatform.LocalAws.Protocol;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace ChatPlatform.UnitTests.LocalAws;

/// <summary>The life of shards: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html and the pages of the four operations.</summary>
public sealed class ShardTests : IDisposable
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromHours(4);
    private readonly string _folder = Directory.CreateTempSubdirectory("localaws-").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 5, 11, 12, 0, 0, TimeSpan.Zero));

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_shard_of_four_hours_is_closed_and_its_child_takes_the_same_items()
    {
        await using var aws = await OpenWithTableAsync();
        await PutAllAsync(aws, 1);
        var first = await ShardsAsync(aws);
        first.ShouldAllBe(s => s.Parent == null && s.End == null);

        Pass(aws, Lifetime - TimeSpan.FromSeconds(1));
        (await ShardsAsync(aws)).ShouldBe(first);
        Pass(aws, TimeSpan.FromSeconds(1));
        var second = await ShardsAsync(aws);
        second.Count.ShouldBe(8);
        foreach (var parent in first)
        {
            var (closed, child) = (second.Single(s => s.Id == parent.Id), second.Single(s => s.Parent == parent.Id));
            closed.End.ShouldNotBeNull();
            string.CompareOrdinal(child.Start, closed.End).ShouldBePositive();
            string.CompareOrdinal(child.Id, parent.Id).ShouldBePositive("children are listed after their parents");
            child.End.ShouldBeNull();
        }

        await PutAllAsync(aws, 2);
        foreach (var parent in first)
        {
            var keys = (await ReadAsync(aws, parent.Id)).Records.ConvertAll(r => r.Key);
            keys.ShouldNotBeEmpty();
            (await ReadAsync(aws, second.Single(s => s.Parent == parent.Id).Id)).Records.ConvertAll(r => r.Key).ShouldBe(keys);
        }
    }

    [Fact]
    public async Task Every_item_keeps_its_order_from_parent_to_child_over_many_generations()
    {
        await using var aws = await OpenWithTableAsync();
        for (var round = 1; round <= 5; round++)
        {
            await PutAllAsync(aws, round);
            Pass(aws, Lifetime);
        }

        var shards = await ShardsAsync(aws);
        shards.Count.ShouldBe(4 * 6);
        var seen = new Dictionary<string, List<int>>();
        foreach (var root in shards.Where(s => s.Parent is null))
        {
            for (var shard = root; shard is not null; shard = shards.SingleOrDefault(s => s.Parent == shard.Id))
            {
                foreach (var (key, value, sequence) in (await ReadAsync(aws, shard.Id)).Records)
                {
                    seen.TryAdd(key, []);
                    seen[key].Add(value);
                    string.CompareOrdinal(sequence, shard.Start).ShouldBeGreaterThanOrEqualTo(0);
                    if (shard.End is not null)
                        string.CompareOrdinal(sequence, shard.End).ShouldBeLessThanOrEqualTo(0);
                }
            }
        }

        seen.Count.ShouldBe(20);
        seen.Values.ShouldAllBe(values => values.SequenceEqual(Enumerable.Range(1, 5)));
    }

    [Fact]
    public async Task A_closed_shard_that_was_read_out_has_no_next_iterator_and_an_open_one_always_has()
    {
        await using var aws = await OpenWithTableAsync(shards: 1);
        await PutAllAsync(aws, 1);
        var shard = (await ShardsAsync(aws)).Single().Id;
        (await ReadAsync(aws, shard)).Ended.ShouldBeFalse();
        var latest = await IteratorAsync(aws, shard, "LATEST");
        Pass(aws, Lifetime);

        (await ReadAsync(aws, shard)).Ended.ShouldBeTrue();
        latest = await IteratorAsync(aws, shard, "LATEST");
        (await GetAsync(aws, latest)).TryGetProperty("NextShardIterator", out _).ShouldBeFalse();
        var (records, ended) = await ReadAsync(aws, shard, limit: 20);
        (records.Count, ended).ShouldBe((20, true));
    }

    [Fact]
    public async Task Shards_without_records_roll_over_too_and_every_closed_one_has_a_range()
    {
        List<Shard> before;
        await using (var aws = await OpenWithTableAsync())
        {
            for (var day = 0; day < 3; day++)
                Pass(aws, Lifetime);
            before = await ShardsAsync(aws);
        }

        await using var again = Open();
        var shards = await ShardsAsync(again);
        shards.ShouldBe(before);
        shards.Count.ShouldBe(16);
        shards.Count(s => s.End is null).ShouldBe(4);
        foreach (var shard in shards.Where(s => s.End is not null))
        {
            string.CompareOrdinal(shard.Start, shard.End).ShouldBeLessThanOrEqualTo(0);
            string.CompareOrdinal(shard.End, shards.Single(s => s.Parent == shard.Id).Start).ShouldBeLessThan(0);
            (await ReadAsync(again, shard.Id)).Records.ShouldBeEmpty();
        }

        await PutAllAsync(again, 1);
        var records = 0;
        foreach (var shard in shards.Where(s => s.End is null))
            records += (await ReadAsync(again, shard.Id)).Records.Count;
        records.ShouldBe(20);
    }

    [Fact]
    public async Task Closed_shards_go_a_day_after_their_closing_also_over_a_restart()
    {
        List<string> gone;
        await using (var aws = await OpenWithTableAsync())
        {
            await PutAllAsync(aws, 1);
            gone = [.. (await ShardsAsync(aws)).Select(s => s.Id)];
            Pass(aws, Lifetime);
            Pass(aws, TimeSpan.FromHours(24));
            (await ShardsAsync(aws)).Count.ShouldBe(12);
            Pass(aws, TimeSpan.FromSeconds(1));
            await ShouldBeGoneAsync(aws);
        }

        // Even when the clock of the machine has gone back in between.
        _time.AdjustTime(_time.GetUtcNow() - TimeSpan.FromHours(6));
        await using var again = Open();
        await ShouldBeGoneAsync(again);

        async Task ShouldBeGoneAsync(LocalAwsServices aws)
        {
            var left = await ShardsAsync(aws);
            left.Count.ShouldBe(8);
            left.Select(s => s.Parent).OfType<string>().Where(gone.Contains).ShouldBe(gone, ignoreOrder: true);
            (await Should.ThrowAsync<AwsException>(() => IteratorAsync(aws, gone[0], "TRIM_HORIZON"))).Type.ShouldBe("ResourceNotFoundException");
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_restart_loses_nothing_of_the_last_day_and_brings_nothing_older_back(bool snapshot)
    {
        (string Key, string Value)[] settings = snapshot ? [("DynamoDb:SnapshotAfterBytes", "1048576")] : [];
        List<Shard> shards;
        await using (var aws = await OpenWithTableAsync(settings: settings))
        {
            await PutAllAsync(aws, 1);
            Pass(aws, TimeSpan.FromHours(3));
            await PutAllAsync(aws, 2);
            Pass(aws, TimeSpan.FromHours(3));
            await PutAllAsync(aws, 3);
            Pass(aws, TimeSpan.FromHours(19));
            if (snapshot)
            {
                await aws.SendAsync("dynamodb", "CreateTable", """
                    {"TableName":"large","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"}
                    """);
                for (var i = 0; i < 4; i++)
                    await aws.SendAsync("dynamodb", "PutItem", $$$$"""{"TableName":"large","Item":{"id":{"S":"1"},"text":{"S":"{{{{new string((char)('a' + i), 390_000)}}}}"}}}""");
            }

            shards = await ShardsAsync(aws);
            (await ValuesAsync(aws)).ShouldBe([2, 3]);
        }

        Directory.GetFiles(Path.Combine(_folder, "dynamodb"), "snapshot-*.snap").Length.ShouldBe(snapshot ? 1 : 0);
        _time.AdjustTime(_time.GetUtcNow() - TimeSpan.FromHours(5));
        await using var again = Open(settings);
        (await ShardsAsync(again)).ShouldBe(shards);
        (await ValuesAsync(again)).ShouldBe([2, 3]);
        // Sequence numbers go on where they were.
        await PutAllAsync(again, 4);
        (await ValuesAsync(again)).ShouldBe([2, 3, 4]);
    }

    [Fact]
    public async Task A_reader_behind_the_retention_is_told_so_and_one_at_its_edge_reads_on()
    {
        await using var aws = await OpenWithTableAsync(shards: 1, settings: ("DynamoDb:ShardLifetime", "1.00:00:00"));
        await PutAsync(aws, "a", 1);
        await PutAsync(aws, "b", 1);
        var shard = (await ShardsAsync(aws)).Single().Id;
        var old = (await ReadAsync(aws, shard)).Records.ConvertAll(r => r.Sequence);
        _time.Advance(TimeSpan.FromHours(23));
        await PutAsync(aws, "c", 1);
        var inTime = await IteratorAsync(aws, shard, "AT_SEQUENCE_NUMBER", old[1]);
        _time.Advance(TimeSpan.FromHours(1) + TimeSpan.FromMilliseconds(1));

        // Without a sweep: the rule holds to the millisecond.
        (await Should.ThrowAsync<AwsException>(() => IteratorAsync(aws, shard, "AT_SEQUENCE_NUMBER", old[1]))).Type.ShouldBe("TrimmedDataAccessException");
        (await Should.ThrowAsync<AwsException>(() => IteratorAsync(aws, shard, "AFTER_SEQUENCE_NUMBER", old[0]))).Type.ShouldBe("TrimmedDataAccessException");
        (await Should.ThrowAsync<AwsException>(() => GetAsync(aws, inTime))).Type.ShouldBe("ExpiredIteratorException");
        (await ReadAsync(aws, shard)).Records.ConvertAll(r => r.Key).ShouldBe(["c"]);
        var edge = await IteratorAsync(aws, shard, "AFTER_SEQUENCE_NUMBER", old[1]);
        (await GetAsync(aws, edge)).GetProperty("Records").GetArrayLength().ShouldBe(1);
    }

    [Fact]
    public async Task An_iterator_lives_for_15_minutes_and_may_be_overtaken_by_the_retention()
    {
        await using var aws = await OpenWithTableAsync(shards: 1);
        await PutAsync(aws, "a", 1);
        var shard = (await ShardsAsync(aws)).Single().Id;
        var first = (await ReadAsync(aws, shard)).Records.Single().Sequence;
        _time.Advance(TimeSpan.FromHours(24) - TimeSpan.FromMinutes(10));
        var iterator = await IteratorAsync(aws, shard, "AT_SEQUENCE_NUMBER", first);
        (await GetAsync(aws, iterator)).GetProperty("Records").GetArrayLength().ShouldBe(1);
        _time.Advance(TimeSpan.FromMinutes(11));
        (await Should.ThrowAsync<AwsException>(() => GetAsync(aws, iterator))).Type.ShouldBe("TrimmedDataAccessException");
        _time.Advance(TimeSpan.FromMinutes(4));
        (await Should.ThrowAsync<AwsException>(() => GetAsync(aws, iterator))).Type.ShouldBe("TrimmedDataAccessException");
        _time.Advance(TimeSpan.FromMilliseconds(1));
        (await Should.ThrowAsync<AwsException>(() => GetAsync(aws, iterator))).Type.ShouldBe("ExpiredIteratorException");
    }

    [Fact]
    public async Task Shards_and_streams_are_listed_page_by_page_and_children_by_their_parent()
    {
        await using var aws = await OpenWithTableAsync();
        await PutAllAsync(aws, 1);
        Pass(aws, Lifetime);
        var all = await ShardsAsync(aws);
        var pages = new List<string>();
        string? last = null;
        do
        {
            var start = last is null ? "" : $",\"ExclusiveStartShardId\":\"{last}\"";
            var page = (await aws.SendAsync("dynamodbstreams", "DescribeStream", $$"""{"StreamArn":"{{Arn(aws)}}","Limit":3{{start}}}""")).GetProperty("StreamDescription");
            var ids = page.GetProperty("Shards").EnumerateArray().Select(s => s.GetProperty("ShardId").GetString()!).ToList();
            ids.Count.ShouldBeLessThanOrEqualTo(3);
            pages.AddRange(ids);
            last = page.TryGetProperty("LastEvaluatedShardId", out var id) ? id.GetString() : null;
        }
        while (last is not null);
        pages.ShouldBe(all.Select(s => s.Id));

        var children = (await aws.SendAsync("dynamodbstreams", "DescribeStream",
            $$$"""{"StreamArn":"{{{Arn(aws)}}}","ShardFilter":{"Type":"CHILD_SHARDS","ShardId":"{{{all[0].Id}}}"}}""")).GetProperty("StreamDescription").GetProperty("Shards");
        children.EnumerateArray().Single().GetProperty("ParentShardId").GetString().ShouldBe(all[0].Id);

        for (var i = 0; i < 4; i++)
            await CreateAsync(aws, $"more{i}");
        var streams = new List<string>();
        last = null;
        do
        {
            var start = last is null ? "" : $",\"ExclusiveStartStreamArn\":\"{last}\"";
            var page = await aws.SendAsync("dynamodbstreams", "ListStreams", $$"""{"Limit":2{{start}}}""");
            streams.AddRange(page.GetProperty("Streams").EnumerateArray().Select(s => s.GetProperty("TableName").GetString()!));
            last = page.TryGetProperty("LastEvaluatedStreamArn", out var arn) ? arn.GetString() : null;
        }
        while (last is not null);
        streams.ShouldBe(["rooms", "more0", "more1", "more2", "more3"]);
    }

    [Theory]
    [InlineData("00:00:00.099")]
    [InlineData("1.00:00:01")]
    public async Task A_lifetime_out_of_range_is_refused_by_name(string value)
    {
        await using var aws = Open(("DynamoDb:ShardLifetime", value));
        Should.Throw<OptionsValidationException>(() => aws.Store).Message.ShouldContain("DynamoDb:ShardLifetime is");
    }

    private LocalAwsServices Open(params (string Key, string Value)[] settings) => new(_folder, _time, settings);

    private async Task<LocalAwsServices> OpenWithTableAsync(int shards = 4, params (string Key, string Value)[] settings)
    {
        var aws = Open([("DynamoDb:ShardsPerStream", shards.ToString(CultureInfo.InvariantCulture)), .. settings]);
        await CreateAsync(aws, "rooms");
        return aws;
    }

    private static Task CreateAsync(LocalAwsServices aws, string table) => aws.SendAsync("dynamodb", "CreateTable", $$$"""
        {"TableName":"{{{table}}}","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],
         "BillingMode":"PAY_PER_REQUEST","StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_IMAGE"}}
        """);

    /// <summary>Time passes, and the sweep that would have come comes.</summary>
    private void Pass(LocalAwsServices aws, TimeSpan time)
    {
        _time.Advance(time);
        aws.Store.Sweep();
    }

    private static async Task PutAllAsync(LocalAwsServices aws, int value)
    {
        for (var i = 0; i < 20; i++)
            await PutAsync(aws, $"item{i}", value);
    }

    private static Task PutAsync(LocalAwsServices aws, string key, int value) =>
        aws.SendAsync("dynamodb", "PutItem", $$$$"""{"TableName":"rooms","Item":{"id":{"S":"{{{{key}}}}"},"n":{"N":"{{{{value}}}}"}}}""");

    private static string Arn(LocalAwsServices aws)
    {
        lock (aws.Store.Gate)
            return aws.Store.StreamArn(aws.Store.Streams.Single(s => s.Definition.TableName == "rooms").Definition);
    }

    private static async Task<List<Shard>> ShardsAsync(LocalAwsServices aws)
    {
        var description = (await aws.SendAsync("dynamodbstreams", "DescribeStream", $$"""{"StreamArn":"{{Arn(aws)}}"}""")).GetProperty("StreamDescription");
        return [.. description.GetProperty("Shards").EnumerateArray().Select(s => new Shard(
            s.GetProperty("ShardId").GetString()!,
            s.TryGetProperty("ParentShardId", out var parent) ? parent.GetString() : null,
            s.GetProperty("SequenceNumberRange").GetProperty("StartingSequenceNumber").GetString()!,
            s.GetProperty("SequenceNumberRange").TryGetProperty("EndingSequenceNumber", out var end) ? end.GetString() : null))];
    }

    private static async Task<string> IteratorAsync(LocalAwsServices aws, string shard, string type, string? sequence = null)
    {
        var number = sequence is null ? "" : $",\"SequenceNumber\":\"{sequence}\"";
        var answer = await aws.SendAsync("dynamodbstreams", "GetShardIterator", $$"""{"StreamArn":"{{Arn(aws)}}","ShardId":"{{shard}}","ShardIteratorType":"{{type}}"{{number}}}""");
        return answer.GetProperty("ShardIterator").GetString()!;
    }

    private static Task<JsonElement> GetAsync(LocalAwsServices aws, string iterator, int limit = 1000) =>
        aws.SendAsync("dynamodbstreams", "GetRecords", $$"""{"ShardIterator":"{{iterator}}","Limit":{{limit}}}""");

    /// <summary>Everything a shard holds, and whether it said that nothing will follow.</summary>
    private static async Task<(List<(string Key, int Value, string Sequence)> Records, bool Ended)> ReadAsync(LocalAwsServices aws, string shard, int limit = 7)
    {
        var records = new List<(string Key, int Value, string Sequence)>();
        var iterator = await IteratorAsync(aws, shard, "TRIM_HORIZON");
        while (true)
        {
            var page = await GetAsync(aws, iterator, limit);
            foreach (var change in page.GetProperty("Records").EnumerateArray().Select(r => r.GetProperty("dynamodb")))
            {
                records.Add((
                    change.GetProperty("Keys").GetProperty("id").GetProperty("S").GetString()!,
                    int.Parse(change.GetProperty("NewImage").GetProperty("n").GetProperty("N").GetString()!, CultureInfo.InvariantCulture),
                    change.GetProperty("SequenceNumber").GetString()!));
            }

            if (!page.TryGetProperty("NextShardIterator", out var next))
                return (records, true);
            if (page.GetProperty("Records").GetArrayLength() == 0)
                return (records, false);
            iterator = next.GetString()!;
        }
    }

    /// <summary>The values of all records of the stream, each once.</summary>
    private static async Task<List<int>> ValuesAsync(LocalAwsServices aws)
    {
        var values = new SortedSet<int>();
        foreach (var shard in await ShardsAsync(aws))
            values.UnionWith((await ReadAsync(aws, shard.Id)).Records.Select(r => r.Value));
        return [.. values];
    }

    private sealed record Shard(string Id, string? Parent, string Start, string? End);
}
