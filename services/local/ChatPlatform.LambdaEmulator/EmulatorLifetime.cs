using ChatPlatform.LambdaEmulator.Functions;
using ChatPlatform.LambdaEmulator.Invocations;
using ChatPlatform.LambdaEmulator.Mappings;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace ChatPlatform.LambdaEmulator;

/// <summary>
/// The order of starting and stopping. Mappings start once the Runtime API listens. Stopping goes first for the mappings, which finish the invocation under way, then the
/// processes, and only then the server: it would otherwise close the connections over which functions answer, and wait for those that wait for work.
/// </summary>
internal sealed class EmulatorLifetime(EventSourceMappings mappings, AsynchronousInvocations asynchronous, FunctionCatalog functions) : IHostedLifecycleService
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StartedAsync(CancellationToken cancellationToken)
    {
        functions.Start();
        asynchronous.Start();
        await mappings.StartAsync(cancellationToken);
    }

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        await Task.WhenAny(Task.WhenAll(mappings.StopAsync(), asynchronous.StopAsync()), Task.Delay(Patience, cancellationToken));
        await functions.StopAsync();
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

/// <summary>Ready once the Runtime API listens and mappings are restored. A function that fails does not make the emulator unhealthy: that is the mapping's state to tell.</summary>
internal sealed class EmulatorReady(EventSourceMappings mappings) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(mappings.Started ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("starting"));
}
