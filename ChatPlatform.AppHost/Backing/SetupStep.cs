using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ChatPlatform.AppHost.Backing;

/// <summary>Work that the AppHost does once at the start and that others wait for with <c>WaitForCompletion</c>; its log and outcome show in the dashboard.</summary>
internal sealed class SetupStep(string name) : Resource(name), IResourceWithWaitSupport;

internal static class SetupStepExtensions
{
    /// <summary>Adds a step that runs after everything it waits for. It ends as <c>Finished</c>, or as <c>FailedToStart</c> with the reason in its log.</summary>
    public static IResourceBuilder<SetupStep> AddSetupStep(this IDistributedApplicationBuilder builder, string name, Func<ILogger, CancellationToken, Task> run) =>
        builder.AddResource(new SetupStep(name))
            .ExcludeFromManifest()
            .WithInitialState(new CustomResourceSnapshot { ResourceType = "Setup", State = KnownResourceStates.NotStarted, Properties = [] })
            .OnInitializeResource(async (step, start, cancellationToken) =>
            {
                try
                {
                    // Returns when everything the step waits for is there.
                    await start.Eventing.PublishAsync(new BeforeResourceStartedEvent(step, start.Services), cancellationToken);
                    await start.Notifications.PublishUpdateAsync(step, state => state with { State = KnownResourceStates.Running });
                    await run(start.Logger, cancellationToken);
                    await start.Notifications.PublishUpdateAsync(step, state => state with { State = KnownResourceStates.Finished, ExitCode = 0 });
                }
                catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
                {
                    throw;
                }
                catch (Exception error)
                {
                    start.Logger.LogError(error, "{Step} failed; what waits for it will not start", step.Name);
                    // The console too: who runs without the dashboard would see nothing.
                    start.Services.GetRequiredService<ILogger<SetupStep>>().LogError("{Step} failed: {Reason}", step.Name, error.Message);
                    await start.Notifications.PublishUpdateAsync(step, state => state with { State = KnownResourceStates.FailedToStart, ExitCode = 1 });
                }
            });
}
