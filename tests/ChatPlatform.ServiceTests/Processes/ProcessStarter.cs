using System.Collections.Concurrent;
using System.Diagnostics;

namespace ChatPlatform.ServiceTests.Processes;

/// <summary>
/// Starts processes from one thread that lives as long as the test run: the kernel sends the parent-death signal when the thread that started a child ends, not when its
/// process does (prctl(2), PR_SET_PDEATHSIG), and a pool thread ends whenever the pool likes. Thread-safe.
/// </summary>
internal static class ProcessStarter
{
    private static readonly BlockingCollection<Action> Requests = [];

    static ProcessStarter() => new Thread(Run) { IsBackground = true, Name = "process starter" }.Start();

    /// <summary>Starts the process; what <see cref="Process.Start()"/> throws is thrown here.</summary>
    public static void Start(Process process)
    {
        var done = new TaskCompletionSource();
        Requests.Add(() =>
        {
            try
            {
                process.Start();
                done.SetResult();
            }
            catch (Exception error)
            {
                done.SetException(error);
            }
        });
        done.Task.GetAwaiter().GetResult();
    }

    private static void Run()
    {
        foreach (var request in Requests.GetConsumingEnumerable())
            request();
    }
}
