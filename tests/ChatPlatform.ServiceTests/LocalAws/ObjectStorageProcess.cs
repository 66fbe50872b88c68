using Amazon.KinesisFirehose;
using Amazon.Runtime;
using Amazon.S3;
using ChatPlatform.ServiceTests.Processes;

namespace ChatPlatform.ServiceTests.LocalAws;

/// <summary>LocalAws as a real process on a free port, with or without a data folder, which is deleted at the end; started again on the same port after a kill.</summary>
public sealed class ObjectStorageProcess : IAsyncDisposable
{
    public const string Secret = "local-secret";
    private static readonly BasicAWSCredentials Credentials = new("local", Secret);
    private readonly int _port = ServiceProcess.FreePort();
    private readonly string? _folder;
    private readonly Dictionary<string, string?> _settings;
    private ServiceProcess? _process;

    public ObjectStorageProcess(bool durable, params (string Name, string Value)[] settings)
    {
        _folder = durable ? Directory.CreateTempSubdirectory("localaws-").FullName : null;
        _settings = new Dictionary<string, string?>
        {
            ["ASPNETCORE_URLS"] = Url,
            ["AWS_ACCESS_KEY_ID"] = "local",
            ["AWS_SECRET_ACCESS_KEY"] = Secret,
            ["AWS_REGION"] = "ap-northeast-2",
            ["DataPath"] = _folder,
            ["Logging__LogLevel__Default"] = "Warning",
        };
        foreach (var (name, value) in settings)
            _settings[name] = value;
        Buckets = new AmazonS3Client(Credentials, new AmazonS3Config { ServiceURL = Url, AuthenticationRegion = "ap-northeast-2", ForcePathStyle = true, MaxErrorRetry = 0 });
        Firehose = new AmazonKinesisFirehoseClient(Credentials, new AmazonKinesisFirehoseConfig { ServiceURL = Url, AuthenticationRegion = "ap-northeast-2", MaxErrorRetry = 0 });
    }

    /// <summary>Whether a write beyond a limit of <see cref="ServiceProcess.LimitFileSizeAsync"/> fails with an error, as on a full disk, instead of ending the process.</summary>
    public bool SurvivesFileSizeLimit { get; init; }

    public string Url => $"http://127.0.0.1:{_port}";

    public AmazonS3Client Buckets { get; }

    public AmazonKinesisFirehoseClient Firehose { get; }

    public HttpClient Http { get; } = new() { Timeout = TimeSpan.FromSeconds(20) };

    public ServiceProcess Process => _process ?? throw new InvalidOperationException("Not started.");

    public async Task<ObjectStorageProcess> StartAsync()
    {
        const string project = "services/local/ChatPlatform.LocalAws";
        _process = SurvivesFileSizeLimit ? ServiceProcess.StartServiceUnderFileSizeLimit(project, _settings) : ServiceProcess.StartService(project, _settings);
        await _process.WaitForHealthAsync($"{Url}/health");
        return this;
    }

    /// <summary>kill -9, and a new process over the same folder.</summary>
    public async Task KillAndRestartAsync()
    {
        await Process.DisposeAsync();
        await StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        Buckets.Dispose();
        Firehose.Dispose();
        Http.Dispose();
        if (_process is not null)
            await _process.DisposeAsync();
        if (_folder is not null)
            Directory.Delete(_folder, recursive: true);
    }
}

/// <summary>One process in memory for the tests that only need buckets of their own.</summary>
public sealed class SharedObjectStorage : IAsyncLifetime
{
    private int _buckets;

    public ObjectStorageProcess Storage { get; } = new(durable: false);

    public async Task<string> NewBucketAsync()
    {
        var name = $"bucket-{Interlocked.Increment(ref _buckets)}";
        await Storage.Buckets.PutBucketAsync(name);
        return name;
    }

    public Task InitializeAsync() => Storage.StartAsync();

    public async Task DisposeAsync() => await Storage.DisposeAsync();
}
