using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using Amazon.Runtime;
using Amazon.S3;
using ChatPlatform.Contracts.Tables;
using ChatPlatform.ServiceTests.Processes;

namespace ChatPlatform.ServiceTests.Chat;

/// <summary>Two API servers and two relays as processes, over LocalAws and a Redis Cluster. Shared by the tests of a collection; they use rooms and users of their own.</summary>
public sealed class ChatSystem : IAsyncLifetime
{
    private static readonly Dictionary<string, string?> AwsAccount = new() { ["AWS_REGION"] = "ap-northeast-2", ["AWS_ACCESS_KEY_ID"] = "local", ["AWS_SECRET_ACCESS_KEY"] = "local" };

    /// <summary>For starts among other tests' load.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);
    private readonly List<ServiceProcess> _processes = [];
    private readonly string _spool = Directory.CreateTempSubdirectory("chat-spool-").FullName;
    private readonly string _data = Directory.CreateTempSubdirectory("chat-data-").FullName;
    private readonly HttpClient _http = new();
    private readonly string _signingKey = Convert.ToBase64String(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32));
    private Dictionary<string, string?> _shared = [];
    private readonly Uri[] _relayGrpc = new Uri[2];
    private int _users;

    /// <summary>Everything in the API servers' event spools, as text; nobody takes events from them here.</summary>
    public string SpooledEvents
    {
        get
        {
            var text = new System.Text.StringBuilder();
            foreach (var file in Directory.EnumerateFiles(_spool, "*", SearchOption.AllDirectories).Where(file => Path.GetFileName(file) != "lock"))
            {
                using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
                text.Append(new StreamReader(stream).ReadToEnd());
            }

            return text.ToString();
        }
    }

    /// <summary>How many relays to start, 0 to 2.</summary>
    internal int RelayCount { get; init; } = 2;

    /// <summary>Where the API servers send events; by default nobody is there.</summary>
    internal int EventsPort { get; init; } = ServiceProcess.FreePort();

    /// <summary>How long the relays wait for a hello.</summary>
    internal int HelloSeconds { get; init; } = 2;

    /// <summary>Twice as long may a client be silent.</summary>
    internal int HeartbeatSeconds { get; init; } = 25;

    /// <summary>True to keep tables and objects in files, as they are where they must outlive the process; else in memory.</summary>
    internal bool KeepsData { get; init; }

    /// <summary>Further settings of the API servers.</summary>
    internal IReadOnlyDictionary<string, string?> ApiSettings { get; init; } = new Dictionary<string, string?>();

    /// <summary>True to count what the API servers ask the tables.</summary>
    internal bool CountsTableCalls { get; init; }

    /// <summary>Null unless they are counted.</summary>
    internal TableCallCounter? TableCalls { get; private set; }

    /// <summary>What the access tokens are signed with, in base64.</summary>
    public string SigningKey => _signingKey;

    public RedisCluster Redis { get; private set; } = null!;

    /// <summary>The AWS edge.</summary>
    public Uri Aws { get; private set; } = null!;

    public Uri[] Apis { get; } = new Uri[2];

    public Uri[] ApiGrpc { get; } = new Uri[2];

    public Uri[] Relays { get; } = new Uri[2];

    public ServiceProcess[] ApiProcesses { get; } = new ServiceProcess[2];

    internal ServiceProcess AwsProcess { get; private set; } = null!;

    public ServiceProcess[] RelayProcesses { get; } = new ServiceProcess[2];

    public AmazonDynamoDBClient Dynamo { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Aws = Loopback();
        var aws = Aws.GetLeftPart(UriPartial.Authority);
        var redis = RedisCluster.StartAsync();
        AwsProcess = Start("services/local/ChatPlatform.LocalAws", new(AwsAccount) { ["ASPNETCORE_URLS"] = aws, ["DataPath"] = KeepsData ? _data : null });
        _processes.Add(AwsProcess);
        Dynamo = new AmazonDynamoDBClient(new BasicAWSCredentials("local", "local"), new AmazonDynamoDBConfig { ServiceURL = aws, AuthenticationRegion = "ap-northeast-2" });
        await AwsProcess.WaitForHealthAsync(aws + "/health");
        foreach (var table in ChatTables.All)
            await CreateAsync(table);
        using (var s3 = new AmazonS3Client(new BasicAWSCredentials("local", "local"), new AmazonS3Config { ServiceURL = aws, ForcePathStyle = true, AuthenticationRegion = "ap-northeast-2" }))
            await s3.PutBucketAsync("chat-attachments");
        Redis = await redis;
        if (CountsTableCalls)
        {
            TableCalls = await TableCallCounter.StartAsync(new Uri(aws));
            aws = TableCalls.Address.ToString();
        }

        _shared = new Dictionary<string, string?>(AwsAccount)
        {
            ["AWS_ENDPOINT_URL"] = aws,
            ["ConnectionStrings__redis"] = Redis.ConnectionString,
            ["Jwt__SigningKey"] = _signingKey,
            ["Jwt__Issuer"] = "https://chat.test",
            ["Jwt__Audience"] = "chat",
            ["Events__Endpoint"] = $"tcp://127.0.0.1:{EventsPort}",
            ["Events__SpoolPath"] = _spool,
            // Tests are quicker than people; those of the limits start servers with their own.
            ["RateLimits__User__Burst"] = "1000000",
            ["RateLimits__Send__Burst"] = "1000000",
        };
        List<Task> started = [];
        for (var i = 0; i < 2; i++)
        {
            (Apis[i], ApiGrpc[i]) = (Loopback(), Loopback());
            started.Add(StartApiAsync(i));
        }

        for (var i = 0; i < RelayCount; i++)
        {
            (Relays[i], _relayGrpc[i]) = (Loopback(), Loopback());
            started.Add(StartRelayAsync(i));
        }

        await Task.WhenAll(started);
    }

    /// <summary>Starts an API server at its addresses, again after it was killed.</summary>
    public Task StartApiAsync(int index)
    {
        ApiProcesses[index] = StartApi(Apis[index], ApiGrpc[index]);
        _processes.Add(ApiProcesses[index]);
        return ApiProcesses[index].WaitForHealthAsync(Apis[index] + "health", Patience);
    }

    /// <summary>Starts a relay at its addresses, again after it was killed.</summary>
    public Task StartRelayAsync(int index)
    {
        RelayProcesses[index] = StartRelay(index, Relays[index], _relayGrpc[index]);
        _processes.Add(RelayProcesses[index]);
        return RelayProcesses[index].WaitForHealthAsync(Relays[index] + "health", Patience);
    }

    /// <summary>Waits until each API server knows the other, so that both name the same owner of a room.</summary>
    public Task WaitForApiNodesAsync() => ApiProcesses[0].WaitForAsync(
        () => Task.FromResult(ApiProcesses.All(api => Apis.All(url => api.Output.Split('\n')
            .Any(line => line.Contains("API servers: ", StringComparison.Ordinal)
                && line.Contains(url.GetLeftPart(UriPartial.Authority), StringComparison.Ordinal)
                && line.Contains(',', StringComparison.Ordinal))))),
        "the API servers to know each other");

    /// <summary>Another API server over the same tables. The caller disposes it.</summary>
    public ServiceProcess StartApi(out Uri url, out Uri grpc, params (string Key, string? Value)[] settings)
    {
        (url, grpc) = (Loopback(), Loopback());
        return StartApi(url, grpc, settings);
    }

    private ServiceProcess StartApi(Uri url, Uri grpc, params (string Key, string? Value)[] settings)
    {
        var environment = new Dictionary<string, string?>(_shared) { ["ASPNETCORE_URLS"] = url.ToString(), ["GRPC_PORT"] = grpc.Port.ToString() };
        foreach (var (key, value) in ApiSettings.Select(setting => (setting.Key, setting.Value)).Concat(settings))
            environment[key] = value;
        return Start("services/ChatPlatform.Api", environment);
    }

    /// <summary>A relay that talks to API server <paramref name="index"/>, with settings that make its limits testable in little time. The caller disposes it.</summary>
    public ServiceProcess StartRelay(int index, out Uri url, params (string Key, string Value)[] settings)
    {
        url = Loopback();
        return StartRelay(index, url, Loopback(), settings);
    }

    private ServiceProcess StartRelay(int index, Uri url, Uri grpc, params (string Key, string Value)[] settings)
    {
        var environment = new Dictionary<string, string?>(_shared)
        {
            ["ASPNETCORE_URLS"] = url.ToString(),
            ["GRPC_PORT"] = grpc.Port.ToString(),
            ["Api__GrpcAddress"] = ApiGrpc[index % 2].ToString(),
            ["Relay__HelloSeconds"] = HelloSeconds.ToString(System.Globalization.CultureInfo.InvariantCulture),
            ["Relay__HeartbeatSeconds"] = HeartbeatSeconds.ToString(System.Globalization.CultureInfo.InvariantCulture),
        };
        foreach (var (key, value) in settings)
            environment[key] = value;
        return Start("services/ChatPlatform.Relay", environment);
    }

    /// <summary>A user that no other test has, with a token.</summary>
    public async Task<ChatUser> NewUserAsync(string name = "user", string? scope = null)
    {
        var id = $"{name}-{Interlocked.Increment(ref _users)}";
        using var answer = await _http.PostAsJsonAsync(new Uri(Apis[0], "/dev/token"), new { userId = id, name, scope });
        answer.EnsureSuccessStatusCode();
        var token = (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("accessToken").GetString()!;
        return new ChatUser(this, id, token);
    }

    /// <summary>A user that no other test has, with a token made by hand; asks no server.</summary>
    public ChatUser NewLocalUser(TimeSpan? tokenLifetime = null)
    {
        var id = $"local-{Interlocked.Increment(ref _users)}";
        return new ChatUser(this, id, SignedToken.Create(_signingKey, id, tokenLifetime));
    }

    public async Task DisposeAsync()
    {
        foreach (var process in Enumerable.Reverse(_processes))
            await process.DisposeAsync();
        if (Redis is not null)
            await Redis.DisposeAsync();
        if (TableCalls is not null)
            await TableCalls.DisposeAsync();
        Dynamo?.Dispose();
        _http.Dispose();
        Directory.Delete(_spool, recursive: true);
        Directory.Delete(_data, recursive: true);
    }

    private static ServiceProcess Start(string folder, Dictionary<string, string?> environment)
    {
        environment["ASPNETCORE_ENVIRONMENT"] = "Development";
        return ServiceProcess.StartService(folder, environment);
    }

    private static Uri Loopback() => new($"http://127.0.0.1:{ServiceProcess.FreePort()}/");

    private async Task CreateAsync(TableSchema table)
    {
        static List<KeySchemaElement> Keys(TableKey partition, TableKey? sort) => sort is null
            ? [new KeySchemaElement(partition.Name, Amazon.DynamoDBv2.KeyType.HASH)]
            : [new KeySchemaElement(partition.Name, Amazon.DynamoDBv2.KeyType.HASH), new KeySchemaElement(sort.Name, Amazon.DynamoDBv2.KeyType.RANGE)];
        await Dynamo.CreateTableAsync(new CreateTableRequest
        {
            TableName = table.Name,
            BillingMode = BillingMode.PAY_PER_REQUEST,
            AttributeDefinitions = table.KeyAttributes
                .Select(key => new AttributeDefinition(key.Name, key.Type == Contracts.Tables.KeyType.Number ? ScalarAttributeType.N : ScalarAttributeType.S)).ToList(),
            KeySchema = Keys(table.PartitionKey, table.SortKey),
            GlobalSecondaryIndexes = table.Indexes.Count == 0 ? null : table.Indexes.Select(index => new GlobalSecondaryIndex
            {
                IndexName = index.Name,
                KeySchema = Keys(index.PartitionKey, index.SortKey),
                Projection = new Projection { ProjectionType = ProjectionType.ALL },
            }).ToList(),
            StreamSpecification = table.Stream == StreamView.None
                ? null
                : new StreamSpecification { StreamEnabled = true, StreamViewType = StreamViewType.NEW_AND_OLD_IMAGES },
        });
    }
}

[CollectionDefinition(Name)]
public sealed class ChatCollection : ICollectionFixture<ChatSystem>
{
    public const string Name = "chat";
}
