using System.Globalization;
using System.Text.Json;
using Amazon.DynamoDBStreams;
using Amazon.DynamoDBStreams.Model;
using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using Amazon.Runtime;
using ChatPlatform.AwsRules;
using ChatPlatform.ServiceTests.LocalAws;

namespace ChatPlatform.ServiceTests.Lambda;

/// <summary>The event source mapping over LocalAws itself, whose shards live for a third of a second.</summary>
public sealed class ShardRolloverTests
{
    private const int Items = 8;
    private const int ShardsPerStream = 2;

    [Theory]
    [AwsPage("https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html")]
    [InlineData("TRIM_HORIZON")]
    [InlineData("LATEST")]
    public async Task Records_of_shards_that_appear_later_arrive_in_order_parents_before_children_also_over_a_kill(string position)
    {
        await using var aws = await RunningLocalAws.StartAsync(null, new Dictionary<string, string?>
        {
            ["DynamoDb__ShardLifetime"] = "00:00:00.300",
            ["DynamoDb__ShardsPerStream"] = $"{ShardsPerStream}",
        });
        await using var emulator = await EmulatorFixture.StartAsync(("AWS_ENDPOINT_URL", aws.Url));
        using var streams = new AmazonDynamoDBStreamsClient(new BasicAWSCredentials("local", "local"),
            new AmazonDynamoDBStreamsConfig { ServiceURL = aws.Url, AuthenticationRegion = "ap-northeast-2" });
        var arn = (await aws.DynamoDb.CreateTableAsync(new CreateTableRequest("rolling", [new("id", Amazon.DynamoDBv2.KeyType.HASH)], [new("id", ScalarAttributeType.S)], null)
        {
            BillingMode = BillingMode.PAY_PER_REQUEST,
            StreamSpecification = new() { StreamEnabled = true, StreamViewType = Amazon.DynamoDBv2.StreamViewType.NEW_IMAGE },
        })).TableDescription.LatestStreamArn;
        var uuid = await emulator.MapAsync("scripted", new { BatchSize = 10, ParallelizationFactor = 2 }, position, arn);

        var writes = 0;
        await WriteThroughAsync(generations: 2);
        await emulator.KillAndRestartAsync();
        await WriteThroughAsync(generations: 2);
        await emulator.WaitForAsync(() => emulator.Batches().SelectMany(b => b.Sequence).Distinct().Count() >= writes, $"all {writes} records");

        // Delivered at least once, so what comes again after the kill is passed over; sequence numbers are in the order of the writes.
        var seen = new HashSet<string>();
        var order = new Dictionary<string, string>();
        foreach (var batch in emulator.Batches())
        {
            for (var i = 0; i < batch.Sequence.Length; i++)
            {
                if (!seen.Add(batch.Sequence[i]))
                    continue;
                string.CompareOrdinal(batch.Sequence[i], order.GetValueOrDefault(batch.Keys[i], "")).ShouldBePositive($"{batch.Keys[i]} is out of order");
                order[batch.Keys[i]] = batch.Sequence[i];
            }
        }

        seen.Count.ShouldBe(writes);
        order.Count.ShouldBe(Items);

        // Every shard has its checkpoint on the disk, the open ones before anything came through them.
        var checkpoints = Path.Combine(emulator.Folder, "data", "checkpoints", uuid);
        var shards = await ShardsAsync();
        await emulator.Process.WaitForAsync(() => Task.FromResult(shards.All(s => File.Exists(Path.Combine(checkpoints, s.ShardId + ".json"))
            && (s.SequenceNumberRange.EndingSequenceNumber is null || IsFinished(Path.Combine(checkpoints, s.ShardId + ".json"))))), "the checkpoints");

        async Task WriteThroughAsync(int generations)
        {
            for (var enough = (await ShardsAsync()).Count + (generations * ShardsPerStream); (await ShardsAsync()).Count < enough;)
            {
                writes++;
                await aws.DynamoDb.PutItemAsync("rolling", new()
                {
                    ["id"] = new() { S = $"item{writes % Items}" },
                    ["n"] = new() { N = writes.ToString(CultureInfo.InvariantCulture) },
                });
            }
        }

        // A page holds a hundred, which take 15 s to come about.
        async Task<List<Shard>> ShardsAsync()
        {
            List<Shard> all = [];
            for (string? from = null; ;)
            {
                var page = (await streams.DescribeStreamAsync(new DescribeStreamRequest { StreamArn = arn, ExclusiveStartShardId = from })).StreamDescription;
                all.AddRange(page.Shards);
                if ((from = page.LastEvaluatedShardId) is null)
                    return all;
            }
        }
    }

    private static bool IsFinished(string file)
    {
        using var checkpoint = JsonDocument.Parse(File.ReadAllBytes(file));
        return checkpoint.RootElement.GetProperty("Finished").GetBoolean();
    }
}
