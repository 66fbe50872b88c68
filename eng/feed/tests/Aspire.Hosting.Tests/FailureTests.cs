using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Aspire.Hosting.Tests;

public sealed class FailingSystem : IAsyncLifetime
{
    public DistributedApplication App { get; private set; } = null!;

    public async Task InitializeAsync() => App = await RunningSystem.StartAsync("--Sample:Failing=true");

    public async Task DisposeAsync() => await App.DisposeAsync();
}

public sealed class FailureTests(FailingSystem system) : IClassFixture<FailingSystem>
{
    [Fact]
    public async Task What_waits_for_a_job_that_failed_does_not_start()
    {
        var job = await system.App.ResourceNotifications.WaitForResourceAsync(
            "job", e => KnownResourceStates.TerminalStates.Contains(e.Snapshot.State?.Text), RunningSystem.InTime);
        job.Snapshot.ExitCode.ShouldBe(7);

        await system.App.ResourceNotifications.WaitForResourceAsync("after-job", KnownResourceStates.FailedToStart, RunningSystem.InTime);
        (await LogAsync("after-job")).ShouldContain("exit code '7', expected '0'");
    }

    [Fact]
    public async Task A_missing_program_is_reported_and_what_waits_for_it_does_not_wait_for_ever()
    {
        await system.App.ResourceNotifications.WaitForResourceAsync("missing", KnownResourceStates.FailedToStart, RunningSystem.InTime);
        await system.App.ResourceNotifications.WaitForResourceAsync("after-missing", KnownResourceStates.FailedToStart, RunningSystem.InTime);
        await Should.ThrowAsync<DistributedApplicationException>(
            system.App.ResourceNotifications.WaitForResourceHealthyAsync("missing", WaitBehavior.StopOnResourceUnavailable, RunningSystem.InTime));
    }

    [Fact]
    public async Task A_container_without_an_engine_is_unhealthy_and_the_rest_runs()
    {
        await system.App.ResourceNotifications.WaitForResourceAsync("box", KnownResourceStates.RuntimeUnhealthy, RunningSystem.InTime);
        await system.App.ResourceNotifications.WaitForResourceHealthyAsync("api", RunningSystem.InTime);
    }

    [Fact]
    public async Task What_is_started_by_hand_does_not_start_by_itself()
    {
        await system.App.ResourceNotifications.WaitForResourceHealthyAsync("api", RunningSystem.InTime);
        await system.App.ResourceNotifications.WaitForResourceAsync("by-hand", KnownResourceStates.NotStarted, RunningSystem.InTime);

        var byHand = system.App.Services.GetRequiredService<DistributedApplicationModel>().Resources.Single(r => r.Name == "by-hand");
        await system.App.ResourceCommands.ExecuteCommandAsync(byHand, KnownResourceCommands.StartCommand, RunningSystem.InTime);
        await system.App.ResourceNotifications.WaitForResourceAsync("by-hand", KnownResourceStates.Running, RunningSystem.InTime);
    }

    private async Task<string> LogAsync(string name)
    {
        var state = await system.App.ResourceNotifications.WaitForResourceAsync(name, _ => true, RunningSystem.InTime);
        var text = "";
        await foreach (var lines in system.App.Services.GetRequiredService<ResourceLoggerService>().GetAllAsync(state.ResourceId))
        {
            text += string.Join('\n', lines.Select(l => l.Content));
        }

        return text;
    }
}
