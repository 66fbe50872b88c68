using System.Collections.Concurrent;
using System.Globalization;
using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using Amazon.Runtime;
using Amazon.S3;
using ChatPlatform.ServiceTests.Processes;

namespace ChatPlatform.ServiceTests.LocalAws;

/// <summary>A disk that takes no more (<see cref="ServiceProcess.LimitFileSizeAsync"/>); it needs no root and no mount, and can be lifted while the process runs.</summary>
public sealed class FullDiskTests : IDisposable
{
    private readonly HashSet<string> _acknowledged = [];
    private readonly ConcurrentBag<string> _refused = [];
    private readonly string _folder = Directory.CreateTempSubdirectory("localaws-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_full_disk_refuses_writes_loses_nothing_lets_reads_go_on_and_recovers()
    {
        await using (var running = await RunningLocalAws.StartAsync(_folder, survivesFileSizeLimit: true))
        {
            using var buckets = new AmazonS3Client(new BasicAWSCredentials("local", "local"),
                new AmazonS3Config { ServiceURL = running.Url, AuthenticationRegion = "ap-northeast-2", ForcePathStyle = true, MaxErrorRetry = 0 });
            await CreateAsync(running.DynamoDb);
            await buckets.PutBucketAsync("bucket");
            await buckets.PutObjectAsync(new() { BucketName = "bucket", Key = "k", ContentBody = "before" });
            for (var i = 0; i < 20; i++)
                await PutAsync(running.DynamoDb, $"before-{i}");

            await running.Process.LimitFileSizeAsync("65536");
            var refused = await FillAsync(running.DynamoDb);
            refused.ErrorCode.ShouldBe("InternalServerError");
            refused.StatusCode.ShouldBe(System.Net.HttpStatusCode.InternalServerError);
            await Should.ThrowAsync<InternalServerErrorException>(() => PutAsync(running.DynamoDb, "while-full"));
            await Should.ThrowAsync<InternalServerErrorException>(() => running.DynamoDb.TransactWriteItemsAsync(new()
            {
                TransactItems = [new() { Put = new() { TableName = "full", Item = Item("t1") } }, new() { Put = new() { TableName = "full", Item = Item("t2") } }],
            }));

            // What got an error is not there, or in doubt; never shown.
            foreach (var key in _refused)
                (await IsShownAsync(running.DynamoDb, key)).ShouldBeFalse(key);
            // Reads go on, and so do objects that fit.
            foreach (var key in _acknowledged)
                (await running.DynamoDb.GetItemAsync("full", Key(key))).IsItemSet.ShouldBeTrue(key);
            (await running.DynamoDb.QueryAsync(new QueryRequest("full")
            {
                KeyConditionExpression = "pk = :pk",
                ExpressionAttributeValues = new() { [":pk"] = new() { S = "before-3" } },
            })).Items.Count.ShouldBe(1);
            (await running.DynamoDb.DescribeTableAsync("full")).Table.TableStatus.ShouldBe(TableStatus.ACTIVE);
            (await Should.ThrowAsync<AmazonS3Exception>(() => buckets.PutObjectAsync(new() { BucketName = "bucket", Key = "k", ContentBody = new string('x', 200_000) })))
                .ErrorCode.ShouldBe("InternalError");
            (await TextAsync(buckets)).ShouldBe("before");
            Directory.GetFiles(Path.Combine(_folder, "s3", "staging")).ShouldBeEmpty();

            // There is room again: the process goes on by itself, and keeps what it takes from then on.
            await running.Process.LimitFileSizeAsync("unlimited");
            await running.Process.WaitForAsync(async () =>
            {
                try
                {
                    await PutAsync(running.DynamoDb, "after");
                    return true;
                }
                catch (InternalServerErrorException)
                {
                    return false;
                }
            }, "writes to be taken again");
            await buckets.PutObjectAsync(new() { BucketName = "bucket", Key = "k", ContentBody = "after" });
            await running.Process.KillAsync();
        }

        await ShouldHoldAsync();
    }

    [Fact]
    public async Task A_kill_while_the_disk_is_full_loses_nothing_that_was_acknowledged_and_the_start_is_clean()
    {
        await using (var running = await RunningLocalAws.StartAsync(_folder, survivesFileSizeLimit: true))
        {
            await CreateAsync(running.DynamoDb);
            await running.Process.LimitFileSizeAsync("65536");
            await FillAsync(running.DynamoDb);
            await running.Process.KillAsync();
        }

        await ShouldHoldAsync();
    }

    private static Dictionary<string, AttributeValue> Key(string key) => new() { ["pk"] = new() { S = key } };

    private static Dictionary<string, AttributeValue> Item(string key) => new(Key(key)) { ["text"] = new() { S = new string('x', 1_000) } };

    private static Task CreateAsync(IAmazonDynamoDB client) => client.CreateTableAsync(
        new CreateTableRequest("full", [new("pk", KeyType.HASH)], [new("pk", ScalarAttributeType.S)], null) { BillingMode = BillingMode.PAY_PER_REQUEST });

    private async Task PutAsync(IAmazonDynamoDB client, string key)
    {
        await client.PutItemAsync("full", Item(key));
        lock (_acknowledged)
            _acknowledged.Add(key);
    }

    /// <summary>Several writers go on until each was refused; gives one refusal.</summary>
    private async Task<AmazonDynamoDBException> FillAsync(IAmazonDynamoDB client)
    {
        var refusals = await Task.WhenAll(Enumerable.Range(0, 4).Select(writer => Task.Run(async () =>
        {
            for (var i = 0; i < 10_000; i++)
            {
                var key = string.Create(CultureInfo.InvariantCulture, $"fill-{writer}-{i}");
                try
                {
                    await PutAsync(client, key);
                }
                catch (AmazonDynamoDBException error)
                {
                    _refused.Add(key);
                    return error;
                }
            }

            throw new InvalidOperationException("10,000 writes of 1 kB fitted into 64 kB.");
        })));
        return refusals[0];
    }

    private static async Task<bool> IsShownAsync(IAmazonDynamoDB client, string key)
    {
        try
        {
            return (await client.GetItemAsync("full", Key(key))).IsItemSet;
        }
        catch (InternalServerErrorException)
        {
            return false;
        }
    }

    private async Task ShouldHoldAsync()
    {
        await using var again = await RunningLocalAws.StartAsync(_folder);
        _acknowledged.Count.ShouldBeGreaterThan(0);
        foreach (var key in _acknowledged)
            (await again.DynamoDb.GetItemAsync("full", Key(key))).Item["text"].S.Length.ShouldBe(1_000, key);
        // A transaction that was refused left nothing, or all of it.
        var halves = await Task.WhenAll(((string[])["t1", "t2"]).Select(k => again.DynamoDb.GetItemAsync("full", Key(k))));
        halves[0].IsItemSet.ShouldBe(halves[1].IsItemSet);
        await PutAsync(again.DynamoDb, "after the restart");
    }

    private static async Task<string> TextAsync(AmazonS3Client buckets)
    {
        using var answer = await buckets.GetObjectAsync("bucket", "k");
        using var reader = new StreamReader(answer.ResponseStream);
        return await reader.ReadToEndAsync();
    }
}
