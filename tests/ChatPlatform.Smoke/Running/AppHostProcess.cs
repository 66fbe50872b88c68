using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Http.Json;
using System.Runtime.InteropServices;
using System.Text.Json;
using ChatPlatform.Smoke.Checks;

namespace ChatPlatform.Smoke.Running;

/// <summary>
/// The whole system as one child process: the built AppHost, on free ports and with data of its own that is deleted at the end. Not thread-safe; one
/// owner disposes it.
/// </summary>
public sealed class AppHostProcess : IAsyncDisposable
{
    private const int KeptLines = 500;
    private const int SigTerm = 15;
    private readonly ConcurrentQueue<string> _output = new();
    private readonly Process _process;
    private readonly string _dataPath;

    private AppHostProcess(Process process, SystemEndpoints endpoints, string dataPath)
    {
        _process = process;
        Endpoints = endpoints;
        _dataPath = dataPath;
    }

    public SystemEndpoints Endpoints { get; }

    /// <summary>The last lines it wrote.</summary>
    public string Output => string.Join('\n', _output);

    /// <summary>
    /// Starts the AppHost: a <c>.dll</c> through <c>dotnet</c>, anything else directly. Its ports come as <c>Ports__NAME</c>, its data folder as
    /// <c>DataPath</c>.
    /// </summary>
    public static AppHostProcess Start(string path)
    {
        string[] names =
        [
            "Gateway", "GatewayGrpc", "Aws", "Kafka", "FluentBit", "Fcm", "Redis1", "Redis2", "Redis3", "RedisBus1", "RedisBus2", "RedisBus3",
            "Dashboard", "Otlp", "ResourceService",
        ];
        path = Path.GetFullPath(path);
        var ports = names.Zip(FreePorts.Take(names.Length)).ToDictionary(pair => pair.First, pair => pair.Second);
        var dataPath = Directory.CreateTempSubdirectory("chat-smoke-").FullName;
        string[] command = path.EndsWith(".dll", StringComparison.OrdinalIgnoreCase) ? ["dotnet", path] : [path];
        // When this program dies, the AppHost is told to stop, and it stops the rest.
        if (OperatingSystem.IsLinux())
            command = ["setpriv", "--pdeathsig", "TERM", .. command];
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetDirectoryName(path)!,
        };
        foreach (var (name, port) in ports)
            start.Environment[$"Ports__{name}"] = port.ToString(System.Globalization.CultureInfo.InvariantCulture);
        start.Environment["DataPath"] = dataPath;
        start.Environment["DOTNET_ENVIRONMENT"] = "Development";
        start.Environment["ASPNETCORE_ENVIRONMENT"] = "Development";
        // What the launch profile "embedded" sets, with ports of our own.
        start.Environment["Backing"] = "embedded";
        start.Environment["ASPIRE_ALLOW_UNSECURED_TRANSPORT"] = "true";
        start.Environment["ASPIRE_DASHBOARD_UNSECURED_ALLOW_ANONYMOUS"] = "true";
        start.Environment["ASPNETCORE_URLS"] = Url("Dashboard");
        start.Environment["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] = Url("Otlp");
        start.Environment["ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL"] = Url("ResourceService");

        var endpoints = new SystemEndpoints(new Uri(Url("Gateway")), new Uri(Url("Aws")), $"127.0.0.1:{ports["Kafka"]}", new Uri(Url("Fcm")))
        {
            DashboardUrl = new Uri(Url("Dashboard")),
            RedisConnectionString = $"127.0.0.1:{ports["Redis1"]},127.0.0.1:{ports["Redis2"]},127.0.0.1:{ports["Redis3"]}",
        };
        var process = new Process { StartInfo = start };
        var appHost = new AppHostProcess(process, endpoints, dataPath);
        process.OutputDataReceived += (_, line) => appHost.Keep(line.Data);
        process.ErrorDataReceived += (_, line) => appHost.Keep(line.Data);
        // The kernel's parent-death signal follows the thread that started the child (prctl(2), PR_SET_PDEATHSIG), so that thread lasts as long as the child.
        var started = new TaskCompletionSource();
        new Thread(() =>
        {
            try
            {
                process.Start();
                started.SetResult();
                process.WaitForExit();
            }
            catch (Exception error) when (!started.Task.IsCompleted)
            {
                started.SetException(error);
            }
        })
        { IsBackground = true, Name = "AppHost" }.Start();
        started.Task.GetAwaiter().GetResult();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return appHost;

        string Url(string name) => $"http://127.0.0.1:{ports[name]}";
    }

    /// <summary>
    /// Waits until the front door, the AWS edge and the push emulator are healthy (a degraded gateway is not yet) and every replica has sent telemetry: behind one port,
    /// one replica that answers would hide one that does not.
    /// </summary>
    /// <exception cref="CheckFailedException">The AppHost ended, or <paramref name="limit"/> passed; the message holds the last lines it wrote.</exception>
    public async Task WaitUntilHealthyAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(3) };
        var watch = Stopwatch.StartNew();
        foreach (var service in new[] { Endpoints.AwsUrl, Endpoints.FcmUrl, Endpoints.GatewayUrl })
        {
            while (!await IsHealthyAsync(http, new Uri(service, "/health"), cancellationToken))
            {
                if (_process.HasExited)
                    throw new CheckFailedException($"the AppHost ended with {_process.ExitCode} while starting:\n{Output}");
                if (watch.Elapsed > limit)
                    throw new CheckFailedException($"{service}health is not healthy after {limit.TotalSeconds:0} s:\n{Output}");
                await Task.Delay(100, cancellationToken);
            }
        }

        IReadOnlyList<string> missing;
        while ((missing = await MissingReplicasAsync(http, cancellationToken)).Count > 0)
        {
            if (watch.Elapsed > limit)
                throw new CheckFailedException($"no telemetry of a second {string.Join(" and ", missing)} after {limit.TotalSeconds:0} s:\n{Output}");
            await Task.Delay(100, cancellationToken);
        }
    }

    /// <summary>What runs now, the AppHost first.</summary>
    public IReadOnlyList<TreeProcess> Processes() => ProcessTree.Of(_process.Id);

    /// <summary>SIGTERM, then everything of the tree has to be gone within <paramref name="limit"/>. Gives what it did.</summary>
    /// <exception cref="CheckFailedException">Something still runs; it is killed after being named.</exception>
    public async Task<string> StopAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        var tree = Processes();
        var watch = Stopwatch.StartNew();
        if (!_process.HasExited && Kill(_process.Id, SigTerm) != 0)
            throw new CheckFailedException($"SIGTERM to the AppHost failed with errno {Marshal.GetLastPInvokeError()}");
        IReadOnlyList<TreeProcess> left;
        while ((left = ProcessTree.StillRunning(tree)).Count > 0 && watch.Elapsed < limit)
            await Task.Delay(100, cancellationToken);
        if (left.Count > 0)
        {
            foreach (var process in left)
                Kill(process.Id, 9);
            throw new CheckFailedException($"still running {limit.TotalSeconds:0} s after SIGTERM: {string.Join(", ", left.Select(process => $"{process.Name} ({process.Id})"))}");
        }

        await _process.WaitForExitAsync(cancellationToken);
        return $"{tree.Count} processes ended in {watch.Elapsed.TotalSeconds:0.0} s, exit code {_process.ExitCode}";
    }

    /// <summary>SIGKILL to the AppHost alone: what a crash does.</summary>
    public void Kill() => Kill(_process.Id, 9);

    public async ValueTask DisposeAsync()
    {
        foreach (var process in Processes())
            Kill(process.Id, 9);
        await _process.WaitForExitAsync();
        _process.Dispose();
        Directory.Delete(_dataPath, recursive: true);
    }

    private async Task<IReadOnlyList<string>> MissingReplicasAsync(HttpClient http, CancellationToken cancellationToken)
    {
        try
        {
            var resources = await http.GetFromJsonAsync<JsonElement>(new Uri(Endpoints.DashboardUrl!, "/api/telemetry/resources"), cancellationToken);
            return [.. new[] { "api", "relay" }.Where(name => resources.EnumerateArray().Count(resource => resource.GetProperty("name").GetString() == name) < 2)];
        }
        catch (Exception error) when (error is HttpRequestException || (error is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return ["dashboard"];
        }
    }

    private static async Task<bool> IsHealthyAsync(HttpClient http, Uri health, CancellationToken cancellationToken)
    {
        try
        {
            using var answer = await http.GetAsync(health, cancellationToken);
            if (!answer.IsSuccessStatusCode)
                return false;
            using var json = JsonDocument.Parse(await answer.Content.ReadAsByteArrayAsync(cancellationToken));
            return !json.RootElement.TryGetProperty("status", out var status) || status.GetString() == "Healthy";
        }
        catch (JsonException)
        {
            // 2xx without our report is healthy as well.
            return true;
        }
        catch (Exception error) when (error is HttpRequestException || (error is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return false;
        }
    }

    private void Keep(string? line)
    {
        if (line is null)
            return;
        _output.Enqueue(line);
        while (_output.Count > KeptLines)
            _output.TryDequeue(out _);
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static extern int Kill(int pid, int signal);
}
