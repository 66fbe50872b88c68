using System.Collections.Concurrent;
using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Aspire.Hosting.Orchestration;

/// <summary>What to run: a resolved program, its arguments, its whole environment.</summary>
internal sealed record ProcessStart(
    string FileName, IReadOnlyList<string> Arguments, string WorkingDirectory, IReadOnlyDictionary<string, string?> Environment, bool InheritEnvironment);

/// <summary>
/// Starts the programs. On Linux the kernel kills each of them when the AppHost dies, however it dies (prctl(2), PR_SET_PDEATHSIG). That signal is tied to the
/// thread that forked, not to its process: every program is therefore started from one thread that lives as long as the process.
/// </summary>
internal sealed partial class ProcessLauncher
{
    private static readonly BlockingCollection<Action> Work = StartThread();
    private static readonly string? SetPriv = OperatingSystem.IsLinux() ? FindInPath("setpriv") : null;
    private static readonly string? SetSid = OperatingSystem.IsLinux() ? FindInPath("setsid") : null;

    // What the AppHost was told for itself; a program gets its own or none.
    private static readonly HashSet<string> NotInherited = new(StringComparer.OrdinalIgnoreCase)
    {
        "ASPNETCORE_URLS", "DOTNET_LAUNCH_PROFILE", "ASPNETCORE_HTTPS_PORT", "ASPNETCORE_HTTP_PORTS", "ASPNETCORE_HTTPS_PORTS", "DOTNET_STARTUP_HOOKS",
        "ASPNETCORE_HOSTINGSTARTUPASSEMBLIES", "MSBuildSDKsPath", "MSBUILD_EXE_PATH", "MSBuildExtensionsPath",
    };

    /// <summary>Names the program a command means, or null: a path is relative to the working directory, a bare name is looked up in PATH.</summary>
    public static string? Resolve(string command, string workingDirectory)
    {
        if (!command.Contains(Path.DirectorySeparatorChar) && !command.Contains(Path.AltDirectorySeparatorChar))
        {
            return FindInPath(command);
        }

        var path = Path.GetFullPath(command, workingDirectory);
        return File.Exists(path) ? path : null;
    }

    public Task<LaunchedProcess> StartAsync(ProcessStart start, Action<string, bool> onLine)
    {
        var started = new TaskCompletionSource<LaunchedProcess>(TaskCreationOptions.RunContinuationsAsynchronously);
        Work.Add(() =>
        {
            try
            {
                started.SetResult(new LaunchedProcess(Start(start), SetSid is not null && SetPriv is not null, onLine));
            }
            catch (Exception exception) when (exception is Win32Exception or IOException or InvalidOperationException)
            {
                started.SetException(new DistributedApplicationException($"Could not start '{start.FileName}': {exception.Message}", exception));
            }
        });
        return started.Task;
    }

    private static Process Start(ProcessStart start)
    {
        var info = new ProcessStartInfo
        {
            WorkingDirectory = start.WorkingDirectory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            UseShellExecute = false,
        };
        // setpriv and setsid replace themselves by the program, so the process id is the program's. Of its own session, the program is not hit by the
        // terminal's Ctrl-C and is stopped in order.
        List<string> command = SetPriv is null ? [] : [SetPriv, "--pdeathsig", "KILL", "--", .. SetSid is null ? Array.Empty<string>() : [SetSid]];
        command.Add(start.FileName);
        command.AddRange(start.Arguments);
        info.FileName = command[0];
        command.Skip(1).ToList().ForEach(info.ArgumentList.Add);
        if (!start.InheritEnvironment)
        {
            info.Environment.Clear();
        }

        foreach (var name in info.Environment.Keys.Where(NotInherited.Contains).ToList())
        {
            info.Environment.Remove(name);
        }

        foreach (var (name, value) in start.Environment)
        {
            info.Environment[name] = value;
        }

        var process = Process.Start(info) ?? throw new InvalidOperationException("No process was started.");
        process.StandardInput.Close();
        return process;
    }

    private static string? FindInPath(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        .SelectMany(folder => OperatingSystem.IsWindows() ? new[] { Path.Combine(folder, name), Path.Combine(folder, name + ".exe") } : [Path.Combine(folder, name)])
        .FirstOrDefault(File.Exists);

    private static BlockingCollection<Action> StartThread()
    {
        var work = new BlockingCollection<Action>();
        new Thread(() =>
        {
            foreach (var action in work.GetConsumingEnumerable())
            {
                action();
            }
        })
        {
            IsBackground = true, Name = "process launcher",
        }.Start();
        return work;
    }
}

/// <summary>A running program; its output is read line by line until it ends.</summary>
internal sealed partial class LaunchedProcess
{
    private const int LongestLine = 32 * 1024;
    private readonly Process _process;
    private readonly bool _ownGroup;

    public LaunchedProcess(Process process, bool ownGroup, Action<string, bool> onLine)
    {
        _process = process;
        _ownGroup = ownGroup;
        Id = process.Id;
        var output = Task.WhenAll(
            Task.Run(() => ReadAsync(process.StandardOutput, line => onLine(line, false))),
            Task.Run(() => ReadAsync(process.StandardError, line => onLine(line, true))));
        Exited = WaitAsync(output);
    }

    public int Id { get; }

    /// <summary>The exit code; by the shells' custom 128 + n for signal n.</summary>
    public Task<int> Exited { get; }

    /// <summary>Asks the program to end, kills it and what it has started after the grace period, and returns when it is gone.</summary>
    public async Task StopAsync(TimeSpan grace)
    {
        if (Exited.IsCompleted)
        {
            return;
        }

        if (OperatingSystem.IsWindows())
        {
            _process.Kill(entireProcessTree: true);
        }
        else
        {
            _ = Kill(Id, Terminate);
        }

        if (await Task.WhenAny(_process.WaitForExitAsync(), Task.Delay(grace)).ConfigureAwait(false) is var _ && !_process.HasExited)
        {
            Slay();
        }

        await _process.WaitForExitAsync().ConfigureAwait(false);
        if (_ownGroup)
        {
            // What it has started and left behind goes with it.
            _ = Kill(-Id, KillNow);
        }

        await Exited.ConfigureAwait(false);
    }

    private const int Terminate = 15;
    private const int KillNow = 9;

    private void Slay()
    {
        if (_ownGroup)
        {
            _ = Kill(-Id, KillNow);
        }

        try
        {
            _process.Kill(entireProcessTree: true);
        }
        catch (Exception exception) when (exception is InvalidOperationException or Win32Exception)
        {
            // Gone in the meantime.
            return;
        }
    }

    private async Task<int> WaitAsync(Task output)
    {
        await _process.WaitForExitAsync().ConfigureAwait(false);
        // A grandchild may hold the pipe open: what the program itself wrote arrives at once.
        await Task.WhenAny(output, Task.Delay(500)).ConfigureAwait(false);
        return _process.ExitCode;
    }

    private static async Task ReadAsync(StreamReader reader, Action<string> onLine)
    {
        var line = new System.Text.StringBuilder();
        var buffer = new char[4096];
        while (true)
        {
            int count;
            try
            {
                count = await reader.ReadAsync(buffer).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is IOException or ObjectDisposedException)
            {
                count = 0;
            }

            if (count == 0)
            {
                break;
            }

            foreach (var letter in buffer.AsSpan(0, count))
            {
                if (letter == '\n' || line.Length == LongestLine)
                {
                    onLine(line.ToString().TrimEnd('\r'));
                    line.Clear();
                }

                if (letter != '\n')
                {
                    line.Append(letter);
                }
            }
        }

        if (line.Length > 0)
        {
            onLine(line.ToString());
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int pid, int signal);
}
