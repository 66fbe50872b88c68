namespace ChatPlatform.AppHost.Backing;

/// <summary>How .NET runs a dozen services on one desk: small and quick to start rather than fast at full load. Production keeps the runtime's own defaults.</summary>
internal static class DeskRuntime
{
    /// <summary>Sets the runtime of every project of the model so far; nothing when publishing. Call it last.</summary>
    public static void ShareTheDesk(this IDistributedApplicationBuilder builder)
    {
        if (!builder.ExecutionContext.IsRunMode)
            return;
        foreach (var project in builder.Resources.OfType<ProjectResource>().ToArray())
        {
            builder.CreateResourceBuilder(project)
                // Said rather than inherited: under a test runner it is the AppHost's setting, not the process's.
                .WithEnvironment("DOTNET_ENVIRONMENT", builder.Environment.EnvironmentName)
                // One heap instead of one a core (https://learn.microsoft.com/dotnet/core/runtime-config/garbage-collector).
                .WithEnvironment("DOTNET_gcServer", "0")
                // 8 MiB (hexadecimal) between collections instead of the size of the processor's cache, which is tens of them on a server.
                .WithEnvironment("DOTNET_GCgen0size", "800000")
                // No instrumented code on the way to optimised code (https://learn.microsoft.com/dotnet/core/runtime-config/compilation).
                .WithEnvironment("DOTNET_TieredPGO", "0");
        }
    }
}
