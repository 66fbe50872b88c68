using System.Reflection;
using System.Security.Cryptography;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Dashboard;
using Aspire.Hosting.Eventing;
using Aspire.Hosting.Orchestration;
using Aspire.Hosting.Pipelines;
using Aspire.Hosting.Testing;

namespace Aspire.Hosting;

public interface IDistributedApplicationBuilder
{
    ConfigurationManager Configuration { get; }

    string AppHostDirectory { get; }

    Assembly? AppHostAssembly => null;

    IHostEnvironment Environment { get; }

    IServiceCollection Services { get; }

    DistributedApplicationExecutionContext ExecutionContext { get; }

    IDistributedApplicationEventing Eventing { get; }

    IDistributedApplicationPipeline Pipeline { get; }

    IResourceCollection Resources { get; }

    IResourceBuilder<T> AddResource<T>(T resource)
        where T : IResource;

    IResourceBuilder<T> CreateResourceBuilder<T>(T resource)
        where T : IResource;

    DistributedApplication Build();
}

public class DistributedApplicationBuilder : IDistributedApplicationBuilder
{
    // As the real command line: --operation publish --step STEP --output-path DIR.
    private static readonly Dictionary<string, string> Switches = new()
    {
        ["--operation"] = "AppHost:Operation",
        ["--publisher"] = "Publishing:Publisher",
        ["--step"] = "Pipeline:Step",
        ["--output-path"] = "Pipeline:OutputPath",
        ["--log-level"] = "Pipeline:LogLevel",
        ["--dcp-dashboard-path"] = "DcpPublisher:DashboardPath",
    };

    private readonly HostApplicationBuilder _host;
    private readonly DistributedApplicationOptions _options;
    private readonly DistributedApplicationExecutionContextOptions _executionOptions;
    private readonly EntryPointInvocation? _invocation = EntryPointInvocation.Current;
    private bool _built;

    public DistributedApplicationBuilder(string[] args) : this(new DistributedApplicationOptions { Args = args })
    {
    }

    public DistributedApplicationBuilder(DistributedApplicationOptions options)
    {
        _options = options;
        var settings = new HostApplicationBuilderSettings { Args = options.Args };
        _invocation?.Constructing(options, settings);
        AppHostAssembly = options.AssemblyName is { } name ? Assembly.Load(new AssemblyName(name)) : Assembly.GetEntryAssembly();
        AppHostDirectory = Path.GetFullPath(
            options.ProjectDirectory ?? Metadata("apphostprojectpath") ?? settings.ContentRootPath ?? Directory.GetCurrentDirectory());
        settings.ContentRootPath ??= AppHostDirectory;
        settings.ApplicationName ??= AppHostAssembly?.GetName().Name;
        var args = settings.Args ?? options.Args ?? [];
        settings.Args = [];
        var given = settings.Configuration?.AsEnumerable().ToDictionary();
        _host = new HostApplicationBuilder(settings);
        if (given is not null)
        {
            // What a test gives is stronger than the environment of the test's own process.
            _host.Configuration.AddInMemoryCollection(given);
        }

        _host.Configuration.AddCommandLine(args, Switches);
        _host.Configuration["AppHost:Directory"] = AppHostDirectory;
        _host.Configuration["AppHost:BuildConfiguration"] = AppHostAssembly?.GetCustomAttribute<AssemblyConfigurationAttribute>()?.Configuration;
        _host.Logging.AddFilter("Microsoft.Hosting.Lifetime", LogLevel.Warning);
        _host.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        _host.Logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None);
        _host.Logging.AddFilter("Grpc", LogLevel.Warning);

        var publish = string.Equals(_host.Configuration["AppHost:Operation"], "publish", StringComparison.OrdinalIgnoreCase);
        _executionOptions = new(publish ? DistributedApplicationOperation.Publish : DistributedApplicationOperation.Run);
        ExecutionContext = new DistributedApplicationExecutionContext(_executionOptions);
        Eventing = new DistributedApplicationEventing();
        Pipeline = new DistributedApplicationPipeline();

        if (!options.DisableDashboard && string.IsNullOrEmpty(_host.Configuration["AppHost:OtlpApiKey"])
            && !DashboardSettings.AllowsAnonymous(_host.Configuration))
        {
            _host.Configuration["AppHost:OtlpApiKey"] = Convert.ToHexString(RandomNumberGenerator.GetBytes(16)).ToLowerInvariant();
        }

        var services = _host.Services;
        services.AddSingleton(options);
        services.AddSingleton(ExecutionContext);
        services.AddSingleton(Eventing);
        services.AddSingleton(Pipeline);
        services.AddSingleton(_ => new DistributedApplicationModel(Resources));
        services.AddSingleton<ResourceNotificationService>();
        services.AddSingleton<ResourceLoggerService>();
        services.AddSingleton(s => new ResourceCommandService(
            s.GetRequiredService<ResourceNotificationService>(), s.GetRequiredService<ResourceLoggerService>(), s));
        services.AddHealthChecks();
        services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromSeconds(20));
        services.Configure<PipelineOptions>(_host.Configuration.GetSection("Pipeline"));
        services.AddSingleton<IPipelineOutputService, PipelineOutputService>();
        if (publish)
        {
            services.AddSingleton<PipelineExecutor>();
            services.AddHostedService(s => s.GetRequiredService<PipelineExecutor>());
        }
        else
        {
            services.AddSingleton<ProcessLauncher>();
            services.AddSingleton<ApplicationOrchestrator>();
            services.AddHostedService<ResourceHealthMonitor>();
            if (!options.DisableDashboard)
            {
                services.AddSingleton(DashboardSettings.From(_host.Configuration, AppHostDirectory, options));
                services.AddHostedService<DashboardServiceHost>();
                services.AddHealthChecks().Add(DashboardServiceHost.HealthCheck(Resources));
            }

            services.AddHostedService(s => s.GetRequiredService<ApplicationOrchestrator>());
        }

        _invocation?.Constructed(this);
    }

    public ConfigurationManager Configuration => _host.Configuration;

    public string AppHostDirectory { get; }

    public Assembly? AppHostAssembly { get; }

    public IHostEnvironment Environment => _host.Environment;

    public IServiceCollection Services => _host.Services;

    public DistributedApplicationExecutionContext ExecutionContext { get; }

    public IDistributedApplicationEventing Eventing { get; }

    public IDistributedApplicationPipeline Pipeline { get; }

    public IResourceCollection Resources { get; } = new ResourceCollection();

    public IResourceBuilder<T> AddResource<T>(T resource)
        where T : IResource
    {
        Resources.Add(resource);
        return CreateResourceBuilder(resource);
    }

    public IResourceBuilder<T> CreateResourceBuilder<T>(T resource)
        where T : IResource => new ResourceBuilder<T>(this, resource);

    public DistributedApplication Build()
    {
        // In a test, the AppHost's own call waits here until the test has made its changes and builds.
        _invocation?.Building();
        if (_built)
        {
            throw new InvalidOperationException("The application has been built already.");
        }

        _built = true;
        var application = new DistributedApplication(_host.Build(), _invocation);
        _executionOptions.ServiceProvider = application.Services;
        _invocation?.Built(application);
        return application;
    }

    private string? Metadata(string key) =>
        AppHostAssembly?.GetCustomAttributes<AssemblyMetadataAttribute>().FirstOrDefault(a => a.Key == key)?.Value is { } value && Directory.Exists(value)
            ? value
            : null;
}

internal sealed class ResourceBuilder<T>(IDistributedApplicationBuilder applicationBuilder, T resource) : IResourceBuilder<T>
    where T : IResource
{
    public IDistributedApplicationBuilder ApplicationBuilder { get; } = applicationBuilder;

    public T Resource { get; } = resource;

    public IResourceBuilder<T> WithAnnotation<TAnnotation>(
        TAnnotation annotation, ResourceAnnotationMutationBehavior behavior = ResourceAnnotationMutationBehavior.Append)
        where TAnnotation : IResourceAnnotation
    {
        if (behavior == ResourceAnnotationMutationBehavior.Replace)
        {
            foreach (var existing in Resource.AnnotationsOf<TAnnotation>().ToList())
            {
                Resource.Annotations.Remove(existing);
            }
        }

        Resource.Annotations.Add(annotation);
        return this;
    }
}
