using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using ChatPlatform.Smoke;
using ChatPlatform.Smoke.Checks;
using ChatPlatform.Smoke.Conversations;
using ChatPlatform.Smoke.Replay;

namespace ChatPlatform.SystemTests;

/// <summary>
/// The whole embedded system through the testing builder, on free ports and data of its own, with the conversation replayed on it once; the tests of the collection look
/// at what came out where.
/// </summary>
public sealed class RunningSystem : IAsyncLifetime
{
    /// <summary>Generous: the suite also runs on two busy cores.</summary>
    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(3);

    private readonly string _data = Directory.CreateTempSubdirectory("chat-system-").FullName;
    private DistributedApplication? _app;

    public DistributedApplication App => _app ?? throw new InvalidOperationException("The system has not started.");

    public SystemEndpoints Endpoints { get; private set; } = null!;

    /// <summary>What every check of the replay found.</summary>
    public IReadOnlyList<CheckResult> Checks { get; private set; } = [];

    public async Task InitializeAsync()
    {
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.ChatPlatform_AppHost>(
            ["--Backing=embedded", "--Ports:Random=true", $"--DataPath={_data}", "--Lake:BufferSeconds=5"],
            (options, _) => options.DisableDashboard = false);
        _app = await builder.BuildAsync();
        using var limit = new CancellationTokenSource(StartLimit);
        await _app.StartAsync(limit.Token);
        foreach (var resource in new[] { "aspire-dashboard", "api", "relay", "gateway", "notifier", "insights", "lambda", "fluent-bit", "fcm", "aws", "redis", "kafka" })
            await _app.ResourceNotifications.WaitForResourceHealthyAsync(resource, limit.Token);
        await _app.ResourceNotifications.WaitForResourceAsync("chat-log-pipeline", KnownResourceStates.Finished, limit.Token);

        var kafka = await _app.GetConnectionStringAsync("kafka", limit.Token);
        Endpoints = new SystemEndpoints(_app.GetEndpoint("gateway", "http"), OnLoopback(_app.GetEndpoint("aws", "http")), kafka!, _app.GetEndpoint("fcm", "http"))
        {
            DashboardUrl = _app.GetEndpoint("aspire-dashboard", "http"),
        };
        await using var replay = new ConversationReplay(Endpoints, ConversationLoader.Load(Path.Combine(AppContext.BaseDirectory, "data", "conversation.jsonl")));
        Checks = await SmokeChecks.RunAllAsync(replay, TimeSpan.FromSeconds(120), CancellationToken.None);
    }

    public async Task DisposeAsync()
    {
        if (_app is not null)
            await _app.DisposeAsync();
        Directory.Delete(_data, recursive: true);
    }

    /// <summary>S3 clients take path style for an address, virtual-host style for a name.</summary>
    private static Uri OnLoopback(Uri url) => new UriBuilder(url) { Host = "127.0.0.1" }.Uri;
}

[CollectionDefinition(nameof(RunningSystem))]
public sealed class RunningSystemCollection : ICollectionFixture<RunningSystem>;
