using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace ChatPlatform.Benchmarks.LocalAws;

/// <summary>A server as a process of its own, with a folder for its data, ended by SIGKILL. It dies with the benchmark (its starting thread must be the main one).</summary>
internal sealed class ServerProcess : IDisposable
{
    private readonly Process _process;
    private readonly string _log;

    public ServerProcess(string name, int port, string command, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        (Name, Port) = (name, port);
        _log = Path.GetTempFileName();
        // The shell keeps the output in a file, so that nobody has to read a pipe while the load runs.
        var start = new ProcessStartInfo("setpriv", ["--pdeathsig", "KILL", "sh", "-c", "log=$1; shift; exec \"$@\" >\"$log\" 2>&1", "sh", _log, command, .. arguments]);
        foreach (var (key, value) in environment ?? new Dictionary<string, string>())
            start.Environment[key] = value;
        var watch = Stopwatch.StartNew();
        _process = Process.Start(start)!;
        WaitForPort();
        StartedIn = watch.Elapsed;
    }

    public string Name { get; }

    public int Port { get; }

    /// <summary>From the start of the process until its port was open.</summary>
    public TimeSpan StartedIn { get; }

    /// <summary>Processor time of the process so far, user and system.</summary>
    public TimeSpan Cpu
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    /// <summary>Resident memory in bytes (VmRSS).</summary>
    public long Resident => Status("VmRSS:");

    /// <summary>The most that was ever resident (VmHWM).</summary>
    public long PeakResident => Status("VmHWM:");

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        File.Delete(_log);
    }

    private long Status(string key) =>
        long.Parse(File.ReadLines($"/proc/{_process.Id}/status").First(line => line.StartsWith(key, StringComparison.Ordinal))[key.Length..].Replace("kB", "").Trim(), CultureInfo.InvariantCulture) * 1024;

    private void WaitForPort()
    {
        for (var watch = Stopwatch.StartNew(); ; Thread.Yield())
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Connect(IPAddress.Loopback, Port);
                return;
            }
            catch (SocketException) when (!_process.HasExited && watch.Elapsed < TimeSpan.FromSeconds(120))
            {
                // Not yet; the process is looked at every 10 ms.
                _process.WaitForExit(10);
            }
            catch (SocketException)
            {
                throw new InvalidOperationException($"{Name} does not listen on port {Port}: {File.ReadAllText(_log)}");
            }
        }
    }
}
