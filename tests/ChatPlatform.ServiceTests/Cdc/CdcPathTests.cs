using System.Globalization;
using System.IO.Compression;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using Amazon.KinesisFirehose.Model;
using Amazon.Runtime;
using Amazon.S3.Model;
using ChatPlatform.ServiceTests.LocalAws;
using ChatPlatform.ServiceTests.Processes;

namespace ChatPlatform.ServiceTests.Cdc;

/// <summary>
/// Table → stream → function → Firehose → bucket with the real processes. <c>CDC_ITEMS</c> sets the number of writes of the long test (2,000 unless set; 1000000 for the whole of it).
/// </summary>
public sealed class CdcPathTests
{
    private const string Table = "items";
    private const int Versions = 4;
    private const int Seed = 20260301;
    private static readonly BasicAWSCredentials Credentials = new("local", ObjectStorageProcess.Secret);

    [Fact]
    public async Task Every_new_image_is_in_the_lake_in_order_per_item_whatever_was_killed_on_the_way()
    {
        var writes = int.TryParse(Environment.GetEnvironmentVariable("CDC_ITEMS"), out var set) ? set : 2_000;
        var items = Math.Max(25, writes / Versions);
        var patience = TimeSpan.FromSeconds(60 + (writes / 500));
        await using var aws = await new ObjectStorageProcess(durable: true).StartAsync();
        var folder = Directory.CreateTempSubdirectory("cdc-").FullName;
        var port = ServiceProcess.FreePort();
        var emulator = await StartEmulatorAsync(aws, folder, port);
        try
        {
            await ProvisionAsync(aws, port);
            var kills = 0;
            using var written = new CancellationTokenSource();
            var writing = WriteAsync(aws, items).ContinueWith(
                async task =>
                {
                    await written.CancelAsync();
                    await task;
                },
                TaskScheduler.Default).Unwrap();
            var random = new Random(Seed);
            while (!written.IsCancellationRequested || kills < 3)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(random.Next(200, 1_500)));
                switch (kills++ % 3)
                {
                    case 0:
                        await emulator.KillAsync();
                        await emulator.DisposeAsync();
                        emulator = await StartEmulatorAsync(aws, folder, port);
                        break;
                    case 1:
                        KillFunctions(folder);
                        break;
                    default:
                        await aws.KillAndRestartAsync();
                        break;
                }
            }

            await writing;
            var expected = items * Versions;
            var lines = new List<string>();
            await emulator.WaitForAsync(async () => (lines = await LakeAsync(aws)).Distinct().Count() >= expected, $"{expected} different lines in the lake", patience);
            Check(lines, items);
        }
        finally
        {
            await emulator.DisposeAsync();
            Directory.Delete(folder, recursive: true);
        }
    }

    // Every version of every item is there, exactly as unwrapping makes it, and was first there after the version before it.
    private static void Check(List<string> lines, int items)
    {
        var first = new Dictionary<string, int>();
        for (var i = 0; i < lines.Count; i++)
            first.TryAdd(lines[i], i);
        first.Count.ShouldBe(items * Versions, $"seed {Seed}");
        for (var item = 0; item < items; item++)
        {
            var before = -1;
            for (var version = 1; version <= Versions; version++)
            {
                first.TryGetValue(Line(item, version), out var at).ShouldBeTrue($"item {item} version {version}, seed {Seed}; a line is {lines[0]}");
                at.ShouldBeGreaterThan(before, $"item {item} version {version}, seed {Seed}");
                before = at;
            }
        }
    }

    private static string Line(int item, int version) => Unescaped(
        $$$$"""{"id":"item-{{{{item}}}}","version":{{{{version}}}},"text":"안녕 \"{{{{item}}}}\" 🚲","list":[1.5,"a",null,true],"map":{"deep":{"x":"y"}}}""");

    // Order of members and numbers stay as they are; only how a character is escaped does not count: Lambda may write an emoji as it is or as \u….
    private static string Unescaped(string line) => JsonNode.Parse(line)!.ToJsonString();

    private static Dictionary<string, AttributeValue> Item(int item, int version) => new()
    {
        ["id"] = new() { S = $"item-{item}" },
        ["version"] = new() { N = version.ToString(CultureInfo.InvariantCulture) },
        ["text"] = new() { S = $"안녕 \"{item}\" 🚲" },
        ["list"] = new() { L = [new() { N = "1.5" }, new() { S = "a" }, new() { NULL = true }, new() { BOOL = true }] },
        ["map"] = new() { M = new() { ["deep"] = new() { M = new() { ["x"] = new() { S = "y" } } } } },
    };

    private static AmazonDynamoDBClient DynamoDb(ObjectStorageProcess aws) => new(Credentials, new AmazonDynamoDBConfig { ServiceURL = aws.Url, AuthenticationRegion = "ap-northeast-2", MaxErrorRetry = 0 });

    private static async Task ProvisionAsync(ObjectStorageProcess aws, int lambda)
    {
        await aws.Buckets.PutBucketAsync("lake");
        await aws.Firehose.CreateDeliveryStreamAsync(new CreateDeliveryStreamRequest
        {
            DeliveryStreamName = "items-stream",
            DeliveryStreamType = "DirectPut",
            ExtendedS3DestinationConfiguration = new ExtendedS3DestinationConfiguration
            {
                RoleARN = "arn:aws:iam::000000000000:role/firehose",
                BucketARN = "arn:aws:s3:::lake",
                BufferingHints = new BufferingHints { SizeInMBs = 128, IntervalInSeconds = 1 },
                CompressionFormat = "GZIP",
            },
        });
        using var dynamo = DynamoDb(aws);
        await dynamo.CreateTableAsync(new CreateTableRequest
        {
            TableName = Table,
            KeySchema = [new KeySchemaElement("id", Amazon.DynamoDBv2.KeyType.HASH)],
            AttributeDefinitions = [new AttributeDefinition("id", ScalarAttributeType.S)],
            BillingMode = BillingMode.PAY_PER_REQUEST,
            StreamSpecification = new StreamSpecification { StreamEnabled = true, StreamViewType = Amazon.DynamoDBv2.StreamViewType.NEW_AND_OLD_IMAGES },
        });
        var stream = (await dynamo.DescribeTableAsync(Table)).Table.LatestStreamArn;
        using var answer = await aws.Http.PostAsJsonAsync($"http://127.0.0.1:{lambda}/2015-03-31/event-source-mappings", new
        {
            EventSourceArn = stream,
            FunctionName = "cdc",
            StartingPosition = "TRIM_HORIZON",
            BatchSize = 500,
            ParallelizationFactor = 2,
            BisectBatchOnFunctionError = true,
            FunctionResponseTypes = new[] { "ReportBatchItemFailures" },
        }, JsonSerializerOptions.Default);
        ((int)answer.StatusCode).ShouldBe(202, await answer.Content.ReadAsStringAsync());
    }

    private static async Task WriteAsync(ObjectStorageProcess aws, int items)
    {
        using var dynamo = DynamoDb(aws);
        for (var version = 1; version <= Versions; version++)
        {
            foreach (var group in Enumerable.Range(0, items).Chunk(25))
            {
                var rest = group.Select(i => new WriteRequest(new PutRequest(Item(i, version)))).ToList();
                while (rest.Count > 0)
                {
                    try
                    {
                        var answer = await dynamo.BatchWriteItemAsync(new BatchWriteItemRequest(new Dictionary<string, List<WriteRequest>> { [Table] = rest }));
                        rest = answer.UnprocessedItems?.GetValueOrDefault(Table) ?? [];
                    }
                    catch (Exception error) when (error is AmazonServiceException or AmazonClientException or HttpRequestException)
                    {
                        // The store was killed: what it has not acknowledged is written again.
                        await Task.Delay(50);
                    }
                }
            }
        }
    }

    private static async Task<ServiceProcess> StartEmulatorAsync(ObjectStorageProcess aws, string folder, int port)
    {
        var configuration = Path.GetFileName(Path.GetDirectoryName(Path.GetDirectoryName(typeof(CdcPathTests).Assembly.Location)))!;
        var process = ServiceProcess.StartService("services/local/ChatPlatform.LambdaEmulator", new Dictionary<string, string?>
        {
            ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{port}",
            ["DataPath"] = folder,
            ["PollInterval"] = "00:00:00.050",
            ["RetryBackoff"] = "00:00:00.050",
            ["AWS_ENDPOINT_URL"] = aws.Url,
            ["AWS_REGION"] = "ap-northeast-2",
            ["AWS_ACCESS_KEY_ID"] = "local",
            ["AWS_SECRET_ACCESS_KEY"] = ObjectStorageProcess.Secret,
            ["Functions__cdc__Command"] = "dotnet",
            ["Functions__cdc__Arguments__0"] = Path.Combine(ServiceProcess.RepositoryRoot, "services/ChatPlatform.CdcLambda/bin", configuration, "net10.0/ChatPlatform.CdcLambda.dll"),
            ["Functions__cdc__Environment__DELIVERY_STREAM"] = "items-stream",
            // By this the test finds the processes it may kill.
            ["Functions__cdc__Environment__OWNER"] = folder,
        });
        await process.WaitForHealthAsync($"http://127.0.0.1:{port}/health", TimeSpan.FromSeconds(60));
        return process;
    }

    // The processes that the emulator of this test started, and no other.
    private static void KillFunctions(string folder)
    {
        foreach (var path in Directory.GetDirectories("/proc").Where(p => int.TryParse(Path.GetFileName(p), out _)))
        {
            try
            {
                if (File.ReadAllText(Path.Combine(path, "environ")).Split('\0').Contains($"OWNER={folder}"))
                    System.Diagnostics.Process.GetProcessById(int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture)).Kill();
            }
            catch (Exception gone) when (gone is IOException or UnauthorizedAccessException or ArgumentException or InvalidOperationException)
            {
                // It ended on its own, or is somebody else's.
                continue;
            }
        }
    }

    // All lines, in the order of the objects: their names begin with the time of their oldest record, and a buffer of one second makes one a second at most.
    private static async Task<List<string>> LakeAsync(ObjectStorageProcess aws)
    {
        var keys = new List<string>();
        var request = new ListObjectsV2Request { BucketName = "lake" };
        ListObjectsV2Response page;
        do
        {
            page = await aws.Buckets.ListObjectsV2Async(request);
            keys.AddRange((page.S3Objects ?? []).Select(o => o.Key));
            request.ContinuationToken = page.NextContinuationToken;
        }
        while (page.IsTruncated == true);

        var lines = new List<string>();
        foreach (var key in keys.Order(StringComparer.Ordinal))
        {
            using var got = await aws.Buckets.GetObjectAsync("lake", key);
            using var reader = new StreamReader(new GZipStream(got.ResponseStream, CompressionMode.Decompress));
            lines.AddRange((await reader.ReadToEndAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Unescaped));
        }

        return lines;
    }
}
