using System.Globalization;
using System.IO.Compression;
using System.Net.Http.Json;
using System.Text.Json;
using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using Amazon.KinesisFirehose.Model;
using Amazon.Runtime;
using Amazon.S3.Model;
using ChatPlatform.ServiceTests.LocalAws;
using ChatPlatform.ServiceTests.Processes;

namespace ChatPlatform.ServiceTests.Cdc;

/// <summary>
/// Table → stream → function → Firehose → bucket with the real processes: LocalAws and the Lambda emulator on one port each for their lives, whatever is
/// killed, and their folders, which are deleted at the end. Not thread-safe.
/// </summary>
public sealed class CdcSystem : IAsyncDisposable
{
    public const string Table = "items";
    public const string Bucket = "lake";
    private const string DeliveryStream = "items-stream";
    private static readonly BasicAWSCredentials Credentials = new("local", ObjectStorageProcess.Secret);

    private readonly string _folder = Directory.CreateTempSubdirectory("cdc-").FullName;
    private readonly int _port = ServiceProcess.FreePort();
    private readonly HashSet<string> _read = [];
    private readonly (string Name, string Value)[] _settings;

    private CdcSystem(ObjectStorageProcess aws, (string Name, string Value)[] settings) => (Aws, _settings) = (aws, settings);

    public ObjectStorageProcess Aws { get; }

    public ServiceProcess Emulator { get; private set; } = null!;

    /// <summary>Starts both, with bucket, table and delivery stream, and without a mapping.</summary>
    /// <param name="settings">Of the emulator.</param>
    public static async Task<CdcSystem> StartAsync(int bufferSeconds, bool survivesFileSizeLimit = false, params (string Name, string Value)[] settings)
    {
        var system = new CdcSystem(new ObjectStorageProcess(durable: true) { SurvivesFileSizeLimit = survivesFileSizeLimit }, settings);
        try
        {
            await system.Aws.StartAsync();
            await system.StartEmulatorAsync();
            await system.ProvisionAsync(bufferSeconds);
            return system;
        }
        catch
        {
            await system.DisposeAsync();
            throw;
        }
    }

    public AmazonDynamoDBClient NewDynamoDb() =>
        new(Credentials, new AmazonDynamoDBConfig { ServiceURL = Aws.Url, AuthenticationRegion = "ap-northeast-2", MaxErrorRetry = 0, Timeout = TimeSpan.FromSeconds(20) });

    /// <summary>Maps the stream, from its beginning, to the function.</summary>
    public async Task MapAsync(int batchSize, int parallelizationFactor = 1)
    {
        using var dynamo = NewDynamoDb();
        var stream = (await dynamo.DescribeTableAsync(Table)).Table.LatestStreamArn;
        using var answer = await Aws.Http.PostAsJsonAsync($"http://127.0.0.1:{_port}/2015-03-31/event-source-mappings", new
        {
            EventSourceArn = stream,
            FunctionName = "cdc",
            StartingPosition = "TRIM_HORIZON",
            BatchSize = batchSize,
            ParallelizationFactor = parallelizationFactor,
            BisectBatchOnFunctionError = true,
            FunctionResponseTypes = new[] { "ReportBatchItemFailures" },
        }, JsonSerializerOptions.Default);
        ((int)answer.StatusCode).ShouldBe(202, await answer.Content.ReadAsStringAsync());
    }

    public async Task KillAndRestartEmulatorAsync()
    {
        await Emulator.DisposeAsync();
        await StartEmulatorAsync();
    }

    /// <summary>kill -9 for the function's processes of this system's emulator, and no others.</summary>
    public void KillFunctions()
    {
        foreach (var path in Directory.GetDirectories("/proc").Where(p => int.TryParse(Path.GetFileName(p), out _)))
        {
            try
            {
                if (File.ReadAllText(Path.Combine(path, "environ")).Split('\0').Contains($"OWNER={_folder}"))
                    System.Diagnostics.Process.GetProcessById(int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture)).Kill();
            }
            catch (Exception gone) when (gone is IOException or UnauthorizedAccessException or ArgumentException or InvalidOperationException)
            {
                // It ended on its own, or is somebody else's.
                continue;
            }
        }
    }

    /// <summary>
    /// Every line of the objects that were not read before, with the time at which its object was listed, in the order of delivery: names begin with the time
    /// of their oldest record, and one object follows the other. Holds one line at a time.
    /// </summary>
    public async IAsyncEnumerable<(DateTimeOffset Listed, string Line)> NewLinesAsync()
    {
        var keys = new List<string>();
        var request = new ListObjectsV2Request { BucketName = Bucket };
        ListObjectsV2Response page;
        do
        {
            page = await Aws.Buckets.ListObjectsV2Async(request);
            keys.AddRange((page.S3Objects ?? []).Select(o => o.Key).Where(key => !_read.Contains(key)));
            request.ContinuationToken = page.NextContinuationToken;
        }
        while (page.IsTruncated == true);

        var listed = DateTimeOffset.UtcNow;
        foreach (var key in keys.Order(StringComparer.Ordinal))
        {
            using var got = await Aws.Buckets.GetObjectAsync(Bucket, key);
            using var reader = new StreamReader(new GZipStream(got.ResponseStream, CompressionMode.Decompress));
            while (await reader.ReadLineAsync() is { } line)
                yield return (listed, line);
            _read.Add(key);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Emulator is not null)
            await Emulator.DisposeAsync();
        await Aws.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task ProvisionAsync(int bufferSeconds)
    {
        await Aws.Buckets.PutBucketAsync(Bucket);
        await Aws.Firehose.CreateDeliveryStreamAsync(new CreateDeliveryStreamRequest
        {
            DeliveryStreamName = DeliveryStream,
            DeliveryStreamType = "DirectPut",
            ExtendedS3DestinationConfiguration = new ExtendedS3DestinationConfiguration
            {
                RoleARN = "arn:aws:iam::000000000000:role/firehose",
                BucketARN = $"arn:aws:s3:::{Bucket}",
                BufferingHints = new BufferingHints { SizeInMBs = 128, IntervalInSeconds = bufferSeconds },
                CompressionFormat = "GZIP",
            },
        });
        using var dynamo = NewDynamoDb();
        await dynamo.CreateTableAsync(new CreateTableRequest
        {
            TableName = Table,
            KeySchema = [new KeySchemaElement("id", Amazon.DynamoDBv2.KeyType.HASH)],
            AttributeDefinitions = [new AttributeDefinition("id", ScalarAttributeType.S)],
            BillingMode = BillingMode.PAY_PER_REQUEST,
            StreamSpecification = new StreamSpecification { StreamEnabled = true, StreamViewType = Amazon.DynamoDBv2.StreamViewType.NEW_AND_OLD_IMAGES },
        });
    }

    private async Task StartEmulatorAsync()
    {
        var environment = new Dictionary<string, string?>
        {
            ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{_port}",
            ["DataPath"] = _folder,
            ["AWS_ENDPOINT_URL"] = Aws.Url,
            ["AWS_REGION"] = "ap-northeast-2",
            ["AWS_ACCESS_KEY_ID"] = "local",
            ["AWS_SECRET_ACCESS_KEY"] = ObjectStorageProcess.Secret,
            ["Functions__cdc__Command"] = "dotnet",
            ["Functions__cdc__Arguments__0"] = ServiceProcess.AssemblyOf("services/ChatPlatform.CdcLambda"),
            ["Functions__cdc__Environment__DELIVERY_STREAM"] = DeliveryStream,
            // By this the processes are found that KillFunctions may kill.
            ["Functions__cdc__Environment__OWNER"] = _folder,
        };
        foreach (var (name, value) in _settings)
            environment[name] = value;
        Emulator = ServiceProcess.StartService("services/local/ChatPlatform.LambdaEmulator", environment);
        await Emulator.WaitForHealthAsync($"http://127.0.0.1:{_port}/health");
    }
}
