using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Reflection;

namespace ChatPlatform.SystemTests;

/// <summary>What a person at the desk can get wrong: one line that names cause and remedy, exit code 1, and nothing left running.</summary>
public sealed class StartProblemTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("chat-problem-").FullName;

    [Fact]
    public async Task A_taken_port_is_named_with_the_setting_that_moves_it()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;

        var (code, error) = await StartAsync(new() { ["Ports__Aws"] = $"{port}" });

        code.ShouldBe(1);
        error.ShouldBe($"chat: port {port} is taken; end what listens there (ss -ltnp 'sport = :{port}') or set Ports__Aws to a free port.");
    }

    [Fact]
    public async Task An_unknown_profile_is_named_with_the_ones_there_are()
    {
        var (code, error) = await StartAsync(new() { ["Backing"] = "docker" });

        code.ShouldBe(1);
        error.ShouldBe("chat: unknown profile 'docker'; use embedded, containers or aws.");
    }

    [Fact]
    public async Task A_port_that_is_no_number_is_named()
    {
        var (code, error) = await StartAsync(new() { ["Ports__Kafka"] = "kafka" });

        code.ShouldBe(1);
        error.ShouldBe("chat: Ports__Kafka is 'kafka'; it must be a port from 1 to 65535.");
    }

    [Fact]
    public async Task A_port_given_twice_is_named_with_both_settings()
    {
        var (code, error) = await StartAsync(new() { ["Ports__Aws"] = "45661", ["Ports__Fcm"] = "45661" });

        code.ShouldBe(1);
        error.ShouldBe("chat: Ports__Aws and Ports__Fcm are both 45661; give one of them another port.");
    }

    [Theory]
    [InlineData("soon")]
    [InlineData("901")]
    public async Task A_buffering_time_of_the_lake_that_Firehose_would_refuse_is_named(string seconds)
    {
        var (code, error) = await StartAsync(new() { ["Lake__BufferSeconds"] = seconds });

        code.ShouldBe(1);
        error.ShouldBe($"chat: Lake__BufferSeconds is '{seconds}'; it must be a number of seconds from 0 to 900.");
    }

    [Fact]
    public async Task A_missing_redis_server_is_named_with_the_package_to_install()
    {
        // Only the folder of dotnet itself is left on the PATH.
        var (code, error) = await StartAsync(new() { ["PATH"] = Path.GetDirectoryName(Environment.ProcessPath) });

        code.ShouldBe(1);
        error.ShouldStartWith("chat: redis-server is not installed; run ./dev setup");
    }

    [Fact]
    public async Task A_data_folder_in_use_is_named()
    {
        await using var held = new FileStream(Path.Combine(_data, "apphost.pid"), FileMode.Create, FileAccess.ReadWrite, FileShare.None);

        var (code, error) = await StartAsync([]);

        code.ShouldBe(1);
        error.ShouldBe($"chat: the system already runs on {_data}; stop it with ./dev stop, or set DataPath to another folder.");
    }

    public void Dispose() => Directory.Delete(_data, recursive: true);

    private async Task<(int Code, string Error)> StartAsync(Dictionary<string, string?> environment)
    {
        var dotnet = Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet";
        var start = new ProcessStartInfo(dotnet, [AppHostAssembly]) { RedirectStandardError = true, RedirectStandardOutput = true };
        start.Environment["Ports__Random"] = "true";
        start.Environment["DataPath"] = _data;
        foreach (var (key, value) in environment)
            start.Environment[key] = value;

        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        finally
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
        }

        await output;
        return (process.ExitCode, (await error).Trim());
    }

    internal static string RepositoryRoot => Metadata("RepositoryRoot");

    internal static string AppHostAssembly => Path.Combine(
        RepositoryRoot, "ChatPlatform.AppHost", "bin", Metadata("Configuration"), "net10.0", "ChatPlatform.AppHost.dll");

    private static string Metadata(string key) =>
        typeof(StartProblemTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == key).Value!;
}
