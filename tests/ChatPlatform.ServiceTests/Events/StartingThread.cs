using System.Collections.Concurrent;
using ChatPlatform.ServiceTests.Processes;

namespace ChatPlatform.ServiceTests.Events;

/// <summary>
/// Starts processes from one thread that lives as long as the test run. The kernel's parent-death signal, which <see cref="ServiceProcess"/> relies on, is sent when the *thread* that
/// forked ends (prctl(2), PR_SET_PDEATHSIG): a process started from a pool thread is killed when the pool retires that thread. Thread-safe.
/// </summary>
internal static class StartingThread
{
    private static readonly BlockingCollection<Action> Work = new(boundedCapacity: 16);

    static StartingThread() => new Thread(() =>
    {
        foreach (var start in Work.GetConsumingEnumerable())
            start();
    })
    { IsBackground = true, Name = "starts processes" }.Start();

    /// <inheritdoc cref="ServiceProcess.StartService"/>
    public static ServiceProcess StartService(string projectFolder, IReadOnlyDictionary<string, string?> environment, params string[] arguments)
    {
        var started = new TaskCompletionSource<ServiceProcess>(TaskCreationOptions.RunContinuationsAsynchronously);
        Work.Add(() =>
        {
            try
            {
                started.SetResult(ServiceProcess.StartService(projectFolder, environment, arguments));
            }
            catch (Exception error)
            {
                started.SetException(error);
            }
        });
        return started.Task.GetAwaiter().GetResult();
    }
}
