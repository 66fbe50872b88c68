using System.Collections.Concurrent;
using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using ChatPlatform.Smoke.Running;

namespace ChatPlatform.ServiceTests.Processes;

/// <summary>
/// One service as a real process from its own build output, or another program, that dies with the test run. Its output is kept and shown when it fails to start.
/// Starting is thread-safe; a process has one owner, which disposes it.
/// </summary>
public sealed class ServiceProcess : IAsyncDisposable
{
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(2) };
    private static readonly BlockingCollection<Action> Starts = new(boundedCapacity: 64);
    private readonly ConcurrentQueue<string> _output = new();
    private readonly Process _process;

    /// <summary>
    /// All processes are started from one thread that lives as long as the test run: the kernel sends the parent-death signal when the <i>thread</i> that forked ends
    /// (prctl(2), PR_SET_PDEATHSIG), so that a process started from a pool thread would be killed when the pool retires that thread.
    /// </summary>
    static ServiceProcess() => new Thread(() =>
    {
        foreach (var start in Starts.GetConsumingEnumerable())
            start();
    })
    { IsBackground = true, Name = "starts processes" }.Start();

    private ServiceProcess(string name, ProcessStartInfo start)
    {
        Name = name;
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public string Name { get; }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    public int ExitCode => _process.ExitCode;

    /// <summary>Everything written to standard output and error so far.</summary>
    public string Output => string.Join('\n', _output);

    /// <summary>The folder that holds <c>ChatPlatform.sln</c>.</summary>
    public static string RepositoryRoot { get; } = Metadata("RepositoryRoot");

    /// <summary>Starts a service of this repo by its project folder, e.g. <c>services/ChatPlatform.Api</c>, in the Development environment.</summary>
    public static ServiceProcess StartService(string projectFolder, IReadOnlyDictionary<string, string?> environment, params string[] arguments)
    {
        var name = Path.GetFileName(projectFolder);
        return StartProgram(name, "dotnet", [AssemblyOf(projectFolder), .. arguments], new Dictionary<string, string?>(environment) { ["DOTNET_ENVIRONMENT"] = "Development" });
    }

    /// <summary>As <see cref="StartService"/>, for a process whose writes beyond the limit of <see cref="LimitFileSizeAsync"/> fail (EFBIG) instead of ending it (SIGXFSZ).</summary>
    public static ServiceProcess StartServiceUnderFileSizeLimit(string projectFolder, IReadOnlyDictionary<string, string?> environment) =>
        // What a shell ignores, the program it becomes ignores too (execve(2)).
        StartProgram(Path.GetFileName(projectFolder), "sh", ["-c", "trap '' XFSZ; exec dotnet \"$0\"", AssemblyOf(projectFolder)], environment);

    /// <summary>A service's own build output, for <c>dotnet</c> to run.</summary>
    public static string AssemblyOf(string projectFolder) =>
        Path.Combine(RepositoryRoot, projectFolder, "bin", Metadata("Configuration"), "net10.0", Path.GetFileName(projectFolder) + ".dll");

    /// <summary>Starts any program; on Linux the kernel ends it when this process dies.</summary>
    public static ServiceProcess StartProgram(string name, string command, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string?>? environment = null)
    {
        string[] words = OperatingSystem.IsLinux() ? ["setpriv", "--pdeathsig", "KILL", command, .. arguments] : [command, .. arguments];
        var start = new ProcessStartInfo(words[0], words[1..]);
        foreach (var (key, value) in environment ?? new Dictionary<string, string?>())
            start.Environment[key] = value;

        var started = new TaskCompletionSource<ServiceProcess>(TaskCreationOptions.RunContinuationsAsynchronously);
        Starts.Add(() =>
        {
            try
            {
                started.SetResult(new ServiceProcess(name, start));
            }
            catch (Exception error)
            {
                started.SetException(error);
            }
        });
        return started.Task.GetAwaiter().GetResult();
    }

    /// <summary>A TCP port that was free a moment ago on loopback.</summary>
    public static int FreePort() => FreePorts.Take(1)[0];

    /// <summary>Waits until <paramref name="url"/> answers 2xx.</summary>
    /// <exception cref="InvalidOperationException">The process ended first, or <paramref name="timeout"/> (90 s by default: it costs nothing where all is well) passed; the message holds its output.</exception>
    public Task WaitForHealthAsync(string url, TimeSpan? timeout = null) => WaitForAsync(async () =>
    {
        try
        {
            using var answer = await Http.GetAsync(url);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception error) when (error is HttpRequestException or TaskCanceledException)
        {
            return false;
        }
    }, $"GET {url} to succeed", timeout);

    /// <summary>Waits until <paramref name="condition"/> holds, asking every 50 ms.</summary>
    /// <exception cref="InvalidOperationException">The process ended first, or the time passed.</exception>
    public async Task WaitForAsync(Func<Task<bool>> condition, string what, TimeSpan? timeout = null)
    {
        var limit = timeout ?? TimeSpan.FromSeconds(90);
        var watch = Stopwatch.StartNew();
        while (!await condition())
        {
            if (_process.HasExited)
                throw new InvalidOperationException($"{Name} ended with {_process.ExitCode} while waiting for {what}:\n{Output}");
            if (watch.Elapsed > limit)
                throw new InvalidOperationException($"{Name}: waited {limit.TotalSeconds} s for {what}:\n{Output}");
            await Task.Delay(50);
        }
    }

    /// <summary>SIGTERM, then waits for the end; gives the exit code.</summary>
    public async Task<int> StopAsync(TimeSpan? timeout = null)
    {
        Signal(15);
        using var limit = new CancellationTokenSource(timeout ?? TimeSpan.FromSeconds(30));
        await _process.WaitForExitAsync(limit.Token);
        return _process.ExitCode;
    }

    /// <summary>SIGKILL: what a crash or the kernel's memory killer does.</summary>
    public async Task KillAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>Sends a signal by number, e.g. 19 (SIGSTOP) and 18 (SIGCONT).</summary>
    public void Signal(int number)
    {
        if (!_process.HasExited && Kill(_process.Id, number) != 0)
            throw new InvalidOperationException($"kill -{number} {_process.Id} failed with errno {Marshal.GetLastPInvokeError()}.");
    }

    /// <summary>
    /// A disk that takes no more, made by the kernel's limit on the size of a file (setrlimit(2), RLIMIT_FSIZE): the write that reaches it is cut short and the next one fails, as with ENOSPC.
    /// Sets the soft limit only, so that it may be lifted again by who is not root.
    /// </summary>
    /// <param name="bytes">A number, or <c>unlimited</c>.</param>
    public async Task LimitFileSizeAsync(string bytes)
    {
        await using var prlimit = StartProgram("prlimit", "prlimit", ["--pid", Id.ToString(System.Globalization.CultureInfo.InvariantCulture), $"--fsize={bytes}:"]);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        await prlimit._process.WaitForExitAsync(limit.Token);
        if (prlimit.ExitCode != 0)
            throw new InvalidOperationException($"prlimit ended with {prlimit.ExitCode}: {prlimit.Output}");
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _process.Dispose();
    }

    private void Keep(string? line)
    {
        if (line is null)
            return;
        _output.Enqueue(line);
        while (_output.Count > 2_000)
            _output.TryDequeue(out _);
    }

    private static string Metadata(string key) =>
        typeof(ServiceProcess).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == key).Value!;

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static extern int Kill(int pid, int signal);
}
