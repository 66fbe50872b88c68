using System.Collections.Concurrent;
using System.Diagnostics;

namespace ChatPlatform.LambdaEmulator.Functions;

/// <summary>
/// Starts processes that end with this one. On Linux the kernel does it (<c>setpriv --pdeathsig</c>); since the "parent" of that signal is the thread that started the child
/// (prctl(2), PR_SET_PDEATHSIG), one thread that lives as long as this process starts them all: a pool thread's end would kill them.
/// </summary>
internal sealed class ProcessStarter : IDisposable
{
    private static readonly string? SetPriv = OperatingSystem.IsLinux()
        ? new[] { "/usr/bin/setpriv", "/bin/setpriv" }.FirstOrDefault(File.Exists)
        : null;

    private readonly BlockingCollection<(ProcessStartInfo Start, TaskCompletionSource<Process> Started)> _queue = new(256);

    public ProcessStarter() => new Thread(Run) { IsBackground = true, Name = "process starter" }.Start();

    /// <summary>Starts <paramref name="start"/>'s program.</summary>
    /// <exception cref="System.ComponentModel.Win32Exception">The program cannot be started.</exception>
    public Task<Process> StartAsync(ProcessStartInfo start)
    {
        if (SetPriv is not null)
        {
            string[] words = ["--pdeathsig", "KILL", "--", start.FileName, .. start.ArgumentList];
            start.FileName = SetPriv;
            start.ArgumentList.Clear();
            foreach (var word in words)
                start.ArgumentList.Add(word);
        }

        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        _queue.Add((start, started));
        return started.Task;
    }

    public void Dispose() => _queue.CompleteAdding();

    private void Run()
    {
        foreach (var (start, started) in _queue.GetConsumingEnumerable())
        {
            try
            {
                started.SetResult(Process.Start(start)!);
            }
            catch (Exception error)
            {
                // Whoever asked gets it.
                started.SetException(error);
            }
        }
    }
}
