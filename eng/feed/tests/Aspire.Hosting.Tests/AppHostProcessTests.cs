using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Aspire.Hosting.Tests;

/// <summary>The AppHost as a process of its own, as a user runs it.</summary>
public sealed class AppHostProcessTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly string _output = Directory.CreateTempSubdirectory("apphost-tests").FullName;
    private readonly List<Process> _processes = [];

    public void Dispose()
    {
        _processes.ForEach(p =>
        {
            if (!p.HasExited)
            {
                p.Kill(entireProcessTree: true);
            }

            p.Dispose();
        });
        Directory.Delete(_output, recursive: true);
    }

    [Fact]
    public async Task SIGTERM_stops_every_program_within_seconds()
    {
        var (process, _, children) = await RunningAsync();

        var clock = Stopwatch.StartNew();
        Process.Start("kill", ["-TERM", process.Id.ToString()])!.WaitForExit();
        await process.WaitForExitAsync(new CancellationTokenSource(Patience).Token);

        clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(15));
        children.Where(Alive).ShouldBeEmpty();
    }

    [Fact]
    public async Task Killing_the_AppHost_leaves_no_program_behind()
    {
        var (process, _, children) = await RunningAsync();

        process.Kill();

        await UntilAsync(() => !children.Any(Alive), "every program is gone");
    }

    [Fact]
    public async Task A_taken_port_ends_the_AppHost_with_a_message()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        var (process, text) = Start($"--Sample:Port={port}");

        await process.WaitForExitAsync(new CancellationTokenSource(Patience).Token);

        process.ExitCode.ShouldNotBe(0);
        text().ShouldContain($"Port {port} of endpoint 'http' of resource 'api'");
    }

    [Fact]
    public async Task A_publish_step_runs_after_what_it_depends_on_and_writes_symbolic_values()
    {
        var (process, text) = Start("--operation", "publish", "--step", "manifests", "--output-path", _output);

        await process.WaitForExitAsync(new CancellationTokenSource(Patience).Token);

        process.ExitCode.ShouldBe(0, text());
        File.Exists(Path.Combine(_output, "prepared")).ShouldBeTrue();
        var environment = await File.ReadAllLinesAsync(Path.Combine(_output, "api.env"));
        environment.ShouldContain("ConnectionStrings__redis={redis.connectionString}");
        environment.ShouldContain("GREETING={greeting.value}");
        environment.ShouldNotContain(l => l.StartsWith("OTEL_EXPORTER_OTLP_ENDPOINT", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_unknown_publish_step_is_an_error_that_lists_the_steps()
    {
        var (process, text) = Start("--operation", "publish", "--step", "nonsense", "--output-path", _output);

        await process.WaitForExitAsync(new CancellationTokenSource(Patience).Token);

        process.ExitCode.ShouldNotBe(0);
        text().ShouldContain("'nonsense'");
        text().ShouldContain("manifests");
    }

    [Fact]
    public async Task A_missing_parameter_is_an_error_that_names_its_configuration_key()
    {
        var (process, text) = Start("--operation", "publish", "--step", "with-secret", "--output-path", _output);

        await process.WaitForExitAsync(new CancellationTokenSource(Patience).Token);

        process.ExitCode.ShouldNotBe(0);
        text().ShouldContain("configuration key 'Parameters:secret' is missing");
    }

    private static bool Alive(int pid)
    {
        // A zombie has ended: its parent just has not asked yet.
        var status = $"/proc/{pid}/status";
        try
        {
            return File.Exists(status) && !File.ReadAllText(status).Contains("State:\tZ");
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static List<int> Descendants(int pid)
    {
        var all = Directory.EnumerateDirectories("/proc").Select(Path.GetFileName).Where(n => int.TryParse(n, out _)).Select(n => int.Parse(n!));
        var parents = new Dictionary<int, int>();
        foreach (var id in all)
        {
            try
            {
                var line = File.ReadLines($"/proc/{id}/status").FirstOrDefault(l => l.StartsWith("PPid:", StringComparison.Ordinal));
                parents[id] = int.Parse(line!["PPid:".Length..].Trim());
            }
            catch (IOException)
            {
                continue;
            }
        }

        return [.. parents.Where(p => p.Value == pid).SelectMany(p => Descendants(p.Key).Prepend(p.Key))];
    }

    private static async Task UntilAsync(Func<bool> condition, string what)
    {
        var clock = Stopwatch.StartNew();
        while (!condition())
        {
            clock.Elapsed.ShouldBeLessThan(Patience, $"waiting until {what}");
            await Task.Delay(50);
        }
    }

    private async Task<(Process Process, Func<string> Text, List<int> Children)> RunningAsync()
    {
        var (process, text) = Start();
        await UntilAsync(() => process.HasExited || Programs().Count(p => p == "Sample.Web") == 3, $"the system runs; so far: {text()}");
        process.HasExited.ShouldBeFalse(text());
        return (process, text, Descendants(process.Id));

        List<string> Programs() => [.. Descendants(process.Id).Select(Name)];

        static string Name(int pid)
        {
            try
            {
                return File.ReadAllText($"/proc/{pid}/comm").Trim();
            }
            catch (IOException)
            {
                return "";
            }
        }
    }

    private (Process Process, Func<string> Text) Start(params string[] args)
    {
        var text = new StringBuilder();
        var program = Path.Combine(AppContext.BaseDirectory, "Sample.AppHost");
        var process = new Process
        {
            StartInfo = new ProcessStartInfo(program, args)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                Environment =
                {
                    ["DOTNET_ENVIRONMENT"] = "Development",
                    ["ASPNETCORE_URLS"] = "http://localhost:0",
                    ["ASPIRE_ALLOW_UNSECURED_TRANSPORT"] = "true",
                    ["ASPIRE_DASHBOARD_UNSECURED_ALLOW_ANONYMOUS"] = "true",
                    ["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] = "http://localhost:0",
                    ["DcpPublisher__RandomizePorts"] = args.Length == 0 ? "true" : "false",
                },
            },
        };
        process.OutputDataReceived += (_, e) => Append(e.Data);
        process.ErrorDataReceived += (_, e) => Append(e.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        _processes.Add(process);
        return (process, () =>
        {
            lock (text)
            {
                return text.ToString();
            }
        });

        void Append(string? line)
        {
            lock (text)
            {
                text.AppendLine(line);
            }
        }
    }
}
