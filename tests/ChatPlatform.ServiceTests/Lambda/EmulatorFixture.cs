using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using ChatPlatform.ServiceTests.Processes;

namespace ChatPlatform.ServiceTests.Lambda;

/// <summary>An emulator as a process, its folder, and the streams it reads; what a test needs of one, and nothing shared between tests.</summary>
public sealed class EmulatorFixture : IAsyncDisposable
{

    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(60) };
    private readonly Dictionary<string, string?> _environment;

    private EmulatorFixture(FakeAws aws, string folder, Dictionary<string, string?> environment)
    {
        (Aws, Folder, _environment) = (aws, folder, environment);
        Process = Start();
    }

    public FakeAws Aws { get; }

    public string Folder { get; }

    public ServiceProcess Process { get; private set; }

    public string Url => _environment["ASPNETCORE_URLS"]!;

    /// <summary>The file to which the scripted function writes what it gets.</summary>
    public string LogFile => Path.Combine(Folder, "function.log");

    /// <summary>Starts streams and emulator with the functions <c>scripted</c> (node) and <c>cdc</c> (the real one).</summary>
    public static async Task<EmulatorFixture> StartAsync(params (string Name, string Value)[] settings)
    {
        var aws = await FakeAws.StartAsync();
        var folder = Directory.CreateTempSubdirectory("lambda-").FullName;
        var configuration = Path.GetFileName(Path.GetDirectoryName(Path.GetDirectoryName(typeof(EmulatorFixture).Assembly.Location)));
        var environment = new Dictionary<string, string?>
        {
            ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{ServiceProcess.FreePort()}",
            ["DataPath"] = Path.Combine(folder, "data"),
            ["PollInterval"] = "00:00:00.050",
            ["ShardDiscoveryInterval"] = "00:00:00.200",
            ["RetryBackoff"] = "00:00:00.010",
            ["AWS_ENDPOINT_URL"] = aws.Url,
            ["AWS_REGION"] = "ap-northeast-2",
            ["AWS_ACCESS_KEY_ID"] = "local",
            ["AWS_SECRET_ACCESS_KEY"] = "local",
            ["Functions__scripted__Command"] = "node",
            ["Functions__scripted__Arguments__0"] = Path.Combine(ServiceProcess.RepositoryRoot, "tests/ChatPlatform.ServiceTests/Lambda/scripted-function.mjs"),
            ["Functions__scripted__Environment__LOG"] = Path.Combine(folder, "function.log"),
            ["Functions__scripted__Environment__OWN"] = "mine",
            ["Functions__scripted__TimeoutSeconds"] = "2",
            ["Functions__cdc__Command"] = "dotnet",
            ["Functions__cdc__Arguments__0"] = Path.Combine(
                ServiceProcess.RepositoryRoot, "services/ChatPlatform.CdcLambda/bin", configuration!, "net10.0/ChatPlatform.CdcLambda.dll"),
            ["Functions__cdc__Environment__DELIVERY_STREAM"] = "orders-stream",
            ["Functions__cdc__Environment__DROP_FIELDS"] = "secret",
        };
        foreach (var (name, value) in settings)
            environment[name] = value;
        var fixture = new EmulatorFixture(aws, folder, environment);
        await fixture.Process.WaitForHealthAsync(fixture.Url + "/health");
        return fixture;
    }

    /// <summary>SIGKILL, and a new emulator on the same folder and port.</summary>
    public async Task KillAndRestartAsync()
    {
        await Process.KillAsync();
        await Process.DisposeAsync();
        Process = Start();
        await Process.WaitForHealthAsync(Url + "/health");
    }

    public Task<HttpResponseMessage> InvokeAsync(string function, string payload, string? type = null, string? logType = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, $"{Url}/2015-03-31/functions/{function}/invocations") { Content = new StringContent(payload, Encoding.UTF8) };
        if (type is not null)
            request.Headers.Add("X-Amz-Invocation-Type", type);
        if (logType is not null)
            request.Headers.Add("X-Amz-Log-Type", logType);
        return _http.SendAsync(request);
    }

    public Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, object? body = null) =>
        _http.SendAsync(new HttpRequestMessage(method, Url + path) { Content = body is null ? null : JsonContent.Create(body, options: JsonSerializerOptions.Default) });

    /// <summary>Creates a mapping, of the fake stream unless another is named, and waits until it is enabled; gives its UUID.</summary>
    public async Task<string> MapAsync(string function, object settings, string position = "TRIM_HORIZON", string streamArn = FakeAws.StreamArn)
    {
        var body = JsonSerializer.SerializeToNode(settings)!.AsObject();
        body["EventSourceArn"] = streamArn;
        body["FunctionName"] = function;
        body["StartingPosition"] = position;
        using var answer = await SendAsync(HttpMethod.Post, "/2015-03-31/event-source-mappings/", body);
        ((int)answer.StatusCode).ShouldBe(202, await answer.Content.ReadAsStringAsync());
        var uuid = (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("UUID").GetString()!;
        await Process.WaitForAsync(async () => (await GetAsync(uuid)).GetProperty("State").GetString() == "Enabled", "the mapping to be enabled");
        return uuid;
    }

    public async Task<JsonElement> GetAsync(string uuid)
    {
        using var answer = await SendAsync(HttpMethod.Get, $"/2015-03-31/event-source-mappings/{uuid}");
        return await answer.Content.ReadFromJsonAsync<JsonElement>();
    }

    /// <summary>The batches the scripted function got, in order.</summary>
    public Batch[] Batches()
    {
        if (!File.Exists(LogFile))
            return [];
        return [.. File.ReadAllText(LogFile).Split('\n').Where(l => l.EndsWith('}')).Select(l => JsonSerializer.Deserialize<Batch>(l, JsonSerializerOptions.Web)!)];
    }

    public Task WaitForAsync(Func<bool> condition, string what) => Process.WaitForAsync(() => Task.FromResult(condition()), what);

    public async ValueTask DisposeAsync()
    {
        await Process.DisposeAsync();
        await Aws.DisposeAsync();
        _http.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    private ServiceProcess Start() => ServiceProcess.StartService("services/local/ChatPlatform.LambdaEmulator", _environment);

    public sealed record Batch(int Pid, string[] Sequence, string[] Keys, long Began, long Ended);
}
