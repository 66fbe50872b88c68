using ChatPlatform.Smoke.Running;

namespace ChatPlatform.SystemTests;

/// <summary>The AppHost as a process of its own, killed like a crash would.</summary>
public sealed class AppHostCrashTests
{
    [Fact]
    public async Task A_killed_AppHost_leaves_no_process_after_ten_seconds_and_the_next_one_starts()
    {
        await using (var first = AppHostProcess.Start(StartProblemTests.AppHostAssembly))
        {
            await first.WaitUntilHealthyAsync(TimeSpan.FromMinutes(2), CancellationToken.None);
            var tree = first.Processes();
            tree.Count.ShouldBeGreaterThan(10);

            first.Kill();

            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
            while (ProcessTree.StillRunning(tree).Count > 0 && !limit.IsCancellationRequested)
                await Task.Delay(100, CancellationToken.None);
            ProcessTree.StillRunning(tree).ShouldBeEmpty();
        }

        await using var second = AppHostProcess.Start(StartProblemTests.AppHostAssembly);
        await second.WaitUntilHealthyAsync(TimeSpan.FromMinutes(2), CancellationToken.None);
    }
}
