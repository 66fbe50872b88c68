using System.Collections.Concurrent;
using System.Globalization;
using Amazon.DynamoDBStreams;
using Amazon.DynamoDBStreams.Model;
using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using Amazon.Runtime;
using AttributeValue = Amazon.DynamoDBv2.Model.AttributeValue;

namespace ChatPlatform.ServiceTests.LocalAws;

public sealed class DurabilityTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("localaws-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Kill_9_loses_no_acknowledged_write()
    {
        var acknowledged = new ConcurrentDictionary<string, byte>();
        for (var round = 0; round < 2; round++)
        {
            await using var running = await RunningLocalAws.StartAsync(_folder);
            if (round == 0)
                await CreateAsync(running.DynamoDb);
            var writers = Enumerable.Range(0, 6).Select(writer => Task.Run(async () =>
            {
                try
                {
                    for (var i = 0; ; i++)
                    {
                        var id = $"{round}-{writer}-{i}";
                        await running.DynamoDb.PutItemAsync("durable", new() { ["pk"] = new() { S = id }, ["n"] = new() { N = "0" } });
                        acknowledged[id] = 1;
                    }
                }
                catch (Exception error) when (error is AmazonServiceException or AmazonClientException or HttpRequestException)
                {
                    // The process is gone, as it should be.
                }
            })).ToList();
            var target = (round + 1) * 300;
            await running.Process.WaitForAsync(() => Task.FromResult(acknowledged.Count >= target), "writes");
            await running.Process.KillAsync();
            await Task.WhenAll(writers);
        }

        await using var again = await RunningLocalAws.StartAsync(_folder);
        var found = new HashSet<string>();
        Dictionary<string, AttributeValue>? start = null;
        do
        {
            var page = await again.DynamoDb.ScanAsync(new ScanRequest("durable") { ExclusiveStartKey = start });
            found.UnionWith(page.Items.Select(i => i["pk"].S));
            start = page.LastEvaluatedKey;
        }
        while (start is { Count: > 0 });
        acknowledged.Keys.Except(found).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_stream_holds_every_change_of_an_item_in_order_and_goes_on_after_a_restart()
    {
        const int items = 10;
        const int changes = 30;
        await using (var running = await RunningLocalAws.StartAsync(_folder))
        {
            await CreateAsync(running.DynamoDb);
            await Task.WhenAll(Enumerable.Range(0, items).Select(async item =>
            {
                for (var i = 0; i < changes; i++)
                    await running.DynamoDb.PutItemAsync("durable", new() { ["pk"] = new() { S = $"item{item}" }, ["n"] = new() { N = $"{i}" } });
            }));
            await running.Process.KillAsync();
        }

        await using var again = await RunningLocalAws.StartAsync(_folder);
        using var streams = new AmazonDynamoDBStreamsClient(new BasicAWSCredentials("local", "local"),
            new AmazonDynamoDBStreamsConfig { ServiceURL = again.Url, AuthenticationRegion = "ap-northeast-2" });
        var arn = (await streams.ListStreamsAsync(new ListStreamsRequest { TableName = "durable" })).Streams.Single().StreamArn;
        var description = (await streams.DescribeStreamAsync(new DescribeStreamRequest { StreamArn = arn })).StreamDescription;
        description.Shards.Count.ShouldBe(4);
        var seen = new Dictionary<string, List<int>>();
        foreach (var shard in description.Shards)
        {
            var last = "";
            var iterator = (await streams.GetShardIteratorAsync(new GetShardIteratorRequest
            {
                StreamArn = arn,
                ShardId = shard.ShardId,
                ShardIteratorType = ShardIteratorType.TRIM_HORIZON,
            })).ShardIterator;
            while (true)
            {
                var page = await streams.GetRecordsAsync(new GetRecordsRequest { ShardIterator = iterator, Limit = 7 });
                if (page.Records.Count == 0)
                    break;
                foreach (var record in page.Records)
                {
                    string.CompareOrdinal(record.Dynamodb.SequenceNumber, last).ShouldBePositive();
                    last = record.Dynamodb.SequenceNumber;
                    var key = record.Dynamodb.Keys["pk"].S;
                    if (!seen.TryGetValue(key, out var order))
                        seen[key] = order = [];
                    order.Add(int.Parse(record.Dynamodb.NewImage["n"].N, CultureInfo.InvariantCulture));
                }

                iterator = page.NextShardIterator;
            }
        }

        seen.Count.ShouldBe(items);
        seen.Values.ShouldAllBe(order => order.SequenceEqual(Enumerable.Range(0, changes)));
    }

    [Fact]
    public async Task Two_processes_cannot_share_a_folder()
    {
        await using var first = await RunningLocalAws.StartAsync(_folder);
        (await Should.ThrowAsync<InvalidOperationException>(() => RunningLocalAws.StartAsync(_folder))).Message.ShouldContain("in use by another process");
    }

    private static Task CreateAsync(IAmazonDynamoDB client) => client.CreateTableAsync(
        new CreateTableRequest("durable", [new("pk", Amazon.DynamoDBv2.KeyType.HASH)], [new("pk", ScalarAttributeType.S)], null)
        {
            BillingMode = BillingMode.PAY_PER_REQUEST,
            StreamSpecification = new() { StreamEnabled = true, StreamViewType = Amazon.DynamoDBv2.StreamViewType.NEW_AND_OLD_IMAGES },
        });
}
