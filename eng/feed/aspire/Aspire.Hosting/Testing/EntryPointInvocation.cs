using System.Reflection;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Testing;

/// <summary>
/// Runs an AppHost's Program in the test's process. The Program runs as ever until it builds its application; there it waits until the test builds, and when it
/// then runs the application it waits until the test is done with it. What runs inside is told from the test's own calls by an async-local value.
/// </summary>
internal sealed class EntryPointInvocation(
    Assembly assembly, string[] args, Action<DistributedApplicationOptions, HostApplicationBuilderSettings>? configure)
{
    private static readonly AsyncLocal<EntryPointInvocation?> Ambient = new();
    private readonly TaskCompletionSource<DistributedApplicationBuilder> _modelled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _build = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<DistributedApplication> _built = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private DistributedApplicationBuilder? _builder;

    public static EntryPointInvocation? Current => Ambient.Value;

    /// <summary>Starts the Program; ends when it has made its model and is about to build.</summary>
    public async Task<DistributedApplicationBuilder> BeginAsync(CancellationToken cancellationToken)
    {
        var entryPoint = assembly.EntryPoint
            ?? throw new InvalidOperationException($"Assembly '{assembly.GetName().Name}' does not have an entry point.");
        new Thread(() =>
        {
            Ambient.Value = this;
            try
            {
                var result = entryPoint.Invoke(null, entryPoint.GetParameters().Length == 0 ? [] : [args]);
                (result as Task)?.GetAwaiter().GetResult();
                Fail(new InvalidOperationException("The entry point exited without building a DistributedApplication."));
            }
            catch (TargetInvocationException exception)
            {
                Fail(exception.InnerException ?? exception);
            }
            catch (Exception exception)
            {
                Fail(exception);
            }
        })
        {
            IsBackground = true, Name = $"{assembly.GetName().Name}.EntryPoint",
        }.Start();
        return await _modelled.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    public Task<DistributedApplication> BuildAsync(CancellationToken cancellationToken)
    {
        _build.TrySetResult();
        return _built.Task.WaitAsync(cancellationToken);
    }

    /// <summary>The test is done: the Program goes on.</summary>
    public void Ended()
    {
        _build.TrySetCanceled();
        _ended.TrySetResult();
    }

    public Task WaitForEndAsync() => _ended.Task;

    public void Constructing(DistributedApplicationOptions options, HostApplicationBuilderSettings settings)
    {
        settings.Args = [.. settings.Args ?? [], .. args.Except(settings.Args ?? [])];
        options.Args = settings.Args;
        settings.ApplicationName = assembly.GetName().Name;
        options.AssemblyName = assembly.GetName().Name;
        options.DisableDashboard = true;
        options.EnableResourceLogging = true;
        var folder = assembly.GetCustomAttributes<AssemblyMetadataAttribute>().FirstOrDefault(a => a.Key == "apphostprojectpath")?.Value;
        settings.ContentRootPath ??= folder;
        configure?.Invoke(options, settings);
        ApplyDefaults(settings, folder);
    }

    public void Constructed(DistributedApplicationBuilder builder) => _builder = builder;

    public void Building()
    {
        _modelled.TrySetResult(_builder!);
        _build.Task.GetAwaiter().GetResult();
    }

    public void Built(DistributedApplication application) => _built.TrySetResult(application);

    /// <summary>The AppHost's first launch profile, and ports that do not collide with a system that runs beside the test; what the test gave is kept.</summary>
    private static void ApplyDefaults(HostApplicationBuilderSettings settings, string? folder)
    {
        var given = new ConfigurationManager();
        given.AddCommandLine(settings.Args ?? []);
        if (settings.Configuration is { } configuration)
        {
            given.AddInMemoryCollection(configuration.AsEnumerable());
        }

        var defaults = new Dictionary<string, string?>();
        var launchSettings = folder is null
            ? null
            : ProjectResourceBuilderExtensions.ReadLaunchSettings(Path.Combine(folder, "Properties", "launchSettings.json"));
        if (launchSettings is { Profiles.Count: > 0 })
        {
            var name = given["DOTNET_LAUNCH_PROFILE"];
            var (key, profile) = string.IsNullOrEmpty(name)
                ? launchSettings.Profiles.First()
                : launchSettings.Profiles.TryGetValue(name, out var named)
                    ? KeyValuePair.Create(name, named)
                    : throw new InvalidOperationException($"The configured launch profile, '{name}', was not found in the launch settings file.");
            defaults["DOTNET_LAUNCH_PROFILE"] = key;
            foreach (var (variable, value) in profile.EnvironmentVariables)
            {
                defaults[variable.Replace("__", ":")] = value;
            }

            if (profile.ApplicationUrl is { Length: > 0 } url)
            {
                defaults.TryAdd("ASPNETCORE_URLS", url);
            }
        }

        if (defaults.TryGetValue("DOTNET_ENVIRONMENT", out var environment) || defaults.TryGetValue("ASPNETCORE_ENVIRONMENT", out environment))
        {
            settings.EnvironmentName ??= environment;
        }

        settings.EnvironmentName ??= given["environment"] ?? Environments.Development;
        defaults.TryAdd("DcpPublisher:RandomizePorts", "true");
        settings.Configuration ??= new ConfigurationManager();
        settings.Configuration.AddInMemoryCollection(defaults.Where(d => given[d.Key] is null));
    }

    private void Fail(Exception exception)
    {
        _modelled.TrySetException(exception);
        _built.TrySetException(exception);
    }
}
