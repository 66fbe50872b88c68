using Aspire.Hosting;
using Aspire.Hosting.Testing;

namespace Aspire.Hosting.Tests;

/// <summary>The sample system, started once for the tests that only look at it.</summary>
public sealed class RunningSystem : IAsyncLifetime
{
    public static CancellationToken InTime => new CancellationTokenSource(TimeSpan.FromSeconds(60)).Token;

    public DistributedApplication App { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        App = await StartAsync();
        await App.ResourceNotifications.WaitForResourceHealthyAsync("web", InTime);
    }

    public async Task DisposeAsync() => await App.DisposeAsync();

    public static async Task<DistributedApplication> StartAsync(params string[] args)
    {
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.Sample_AppHost>(args, InTime);
        var app = await builder.BuildAsync(InTime);
        await app.StartAsync(InTime);
        return app;
    }
}
