using System.Text.Json;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

public interface IResourceWithServiceDiscovery : IResourceWithEndpoints;

/// <summary>What the build says of a project; the classes in the namespace Projects are made by it.</summary>
public interface IProjectMetadata : IResourceAnnotation
{
    string ProjectPath { get; }

    /// <summary>Null: read from Properties/launchSettings.json beside the project.</summary>
    LaunchSettings? LaunchSettings => null;

    bool SuppressBuild => false;
}

public sealed class LaunchSettings
{
    public Dictionary<string, LaunchProfile> Profiles { get; set; } = [];
}

public sealed class LaunchProfile
{
    public string? CommandName { get; set; }

    public string? CommandLineArgs { get; set; }

    public string? LaunchUrl { get; set; }

    public string? ApplicationUrl { get; set; }

    public Dictionary<string, string> EnvironmentVariables { get; set; } = [];
}

public class ProjectResourceOptions
{
    public string? LaunchProfileName { get; set; }

    public bool ExcludeLaunchProfile { get; set; }

    public bool ExcludeKestrelEndpoints { get; set; }
}

public static class ExecutableResourceBuilderExtensions
{
    /// <param name="command">A path, taken as relative to the working directory, or a name looked up in PATH.</param>
    /// <param name="workingDirectory">Taken as relative to the AppHost's folder.</param>
    public static IResourceBuilder<ExecutableResource> AddExecutable(
        this IDistributedApplicationBuilder builder, string name, string command, string workingDirectory, params string[]? args) =>
        builder.AddExecutable(name, command, workingDirectory, (object[]?)args);

    public static IResourceBuilder<ExecutableResource> AddExecutable(
        this IDistributedApplicationBuilder builder, string name, string command, string workingDirectory, params object[]? args)
    {
        var executable = new ExecutableResource(name, command, Path.GetFullPath(Path.Combine(builder.AppHostDirectory, workingDirectory)));
        return builder.AddResource(executable).WithArgs(context => (args ?? []).ToList().ForEach(context.Args.Add));
    }

    public static IResourceBuilder<T> WithCommand<T>(this IResourceBuilder<T> builder, string command)
        where T : ExecutableResource
    {
        builder.Resource.LastAnnotation<ExecutableAnnotation>()!.Command = command;
        return builder;
    }

    public static IResourceBuilder<T> WithWorkingDirectory<T>(this IResourceBuilder<T> builder, string workingDirectory)
        where T : ExecutableResource
    {
        builder.Resource.LastAnnotation<ExecutableAnnotation>()!.WorkingDirectory =
            Path.GetFullPath(Path.Combine(builder.ApplicationBuilder.AppHostDirectory, workingDirectory));
        return builder;
    }
}

public static class ProjectResourceBuilderExtensions
{
    public static IResourceBuilder<ProjectResource> AddProject<TProject>(this IDistributedApplicationBuilder builder, string name)
        where TProject : IProjectMetadata, new() => builder.AddProject(name, new TProject(), new ProjectResourceOptions());

    /// <param name="launchProfileName">Null: no launch profile is used.</param>
    public static IResourceBuilder<ProjectResource> AddProject<TProject>(this IDistributedApplicationBuilder builder, string name, string? launchProfileName)
        where TProject : IProjectMetadata, new() => builder.AddProject(name, new TProject(), Options(launchProfileName));

    public static IResourceBuilder<ProjectResource> AddProject<TProject>(
        this IDistributedApplicationBuilder builder, string name, Action<ProjectResourceOptions> configure)
        where TProject : IProjectMetadata, new()
    {
        var options = new ProjectResourceOptions();
        configure(options);
        return builder.AddProject(name, new TProject(), options);
    }

    public static IResourceBuilder<ProjectResource> AddProject(this IDistributedApplicationBuilder builder, string name, string projectPath) =>
        builder.AddProject(name, Project(builder, projectPath), new ProjectResourceOptions());

    public static IResourceBuilder<ProjectResource> AddProject(
        this IDistributedApplicationBuilder builder, string name, string projectPath, string? launchProfileName) =>
        builder.AddProject(name, Project(builder, projectPath), Options(launchProfileName));

    public static IResourceBuilder<ProjectResource> AddProject(
        this IDistributedApplicationBuilder builder, string name, string projectPath, Action<ProjectResourceOptions> configure)
    {
        var options = new ProjectResourceOptions();
        configure(options);
        return builder.AddProject(name, Project(builder, projectPath), options);
    }

    /// <summary>That many copies share each proxied port; connections go round.</summary>
    public static IResourceBuilder<ProjectResource> WithReplicas(this IResourceBuilder<ProjectResource> builder, int replicas) =>
        builder.WithAnnotation(new ReplicaAnnotation(replicas), ResourceAnnotationMutationBehavior.Replace);

    public static IResourceBuilder<ProjectResource> DisableForwardedHeaders(this IResourceBuilder<ProjectResource> builder) =>
        builder.WithAnnotation<DisableForwardedHeadersAnnotation>(ResourceAnnotationMutationBehavior.Replace);

    public static IResourceBuilder<ProjectResource> WithEndpointsInEnvironment(
        this IResourceBuilder<ProjectResource> builder, Func<EndpointAnnotation, bool> filter) =>
        builder.WithAnnotation(new EndpointEnvironmentFilterAnnotation(filter));

    internal static LaunchProfile? LaunchProfile(this ProjectResource resource)
    {
        var name = resource.LastAnnotation<LaunchProfileAnnotation>()?.LaunchProfileName;
        return name is null ? null : Settings(resource.GetProjectMetadata())?.Profiles.GetValueOrDefault(name);
    }

    internal static LaunchSettings? Settings(IProjectMetadata metadata) =>
        metadata.LaunchSettings ?? ReadLaunchSettings(Path.Combine(Path.GetDirectoryName(metadata.ProjectPath)!, "Properties", "launchSettings.json"));

    internal static LaunchSettings? ReadLaunchSettings(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize<LaunchSettings>(
                File.ReadAllText(path),
                new JsonSerializerOptions(JsonSerializerDefaults.Web) { ReadCommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        }
        catch (JsonException exception)
        {
            throw new DistributedApplicationException($"Failed to get effective launch profile for '{path}'. There is malformed JSON: {exception.Message}", exception);
        }
    }

    private static ProjectResourceOptions Options(string? launchProfileName) =>
        new() { ExcludeLaunchProfile = launchProfileName is null, LaunchProfileName = launchProfileName };

    private static ProjectPathMetadata Project(IDistributedApplicationBuilder builder, string path) =>
        new(Path.GetFullPath(Path.Combine(builder.AppHostDirectory, path)));

    private static IResourceBuilder<ProjectResource> AddProject(
        this IDistributedApplicationBuilder builder, string name, IProjectMetadata metadata, ProjectResourceOptions options)
    {
        var project = builder.AddResource(new ProjectResource(name)).WithAnnotation(metadata);
        if (builder.ExecutionContext.IsRunMode)
        {
            project.UseLaunchProfile(metadata, options);
            project.WithOtlpExporter();
        }

        project.WithEnvironment(context =>
        {
            context.EnvironmentVariables.TryAdd("OTEL_DOTNET_EXPERIMENTAL_OTLP_RETRY", "in_memory");
            if (context.ExecutionContext.IsRunMode && builder.Environment.IsDevelopment())
            {
                context.EnvironmentVariables.TryAdd("OTEL_DOTNET_EXPERIMENTAL_ASPNETCORE_DISABLE_URL_QUERY_REDACTION", "true");
                context.EnvironmentVariables.TryAdd("OTEL_DOTNET_EXPERIMENTAL_HTTPCLIENT_DISABLE_URL_QUERY_REDACTION", "true");
            }

            if (context.ExecutionContext.IsPublishMode && !project.Resource.HasAnnotationOfType<DisableForwardedHeadersAnnotation>())
            {
                context.EnvironmentVariables.TryAdd("ASPNETCORE_FORWARDEDHEADERS_ENABLED", "true");
            }

            Listen(context, project.Resource);
        });
        return project;
    }

    /// <summary>ASPNETCORE_URLS in run mode, HTTP_PORTS in publish mode, from the http endpoints that no variable of their own names.</summary>
    private static void Listen(EnvironmentCallbackContext context, ProjectResource resource)
    {
        var filters = resource.AnnotationsOf<EndpointEnvironmentFilterAnnotation>().ToList();
        var endpoints = resource.GetEndpoints()
            .Where(e => e.Scheme is "http" or "https" && e.EndpointAnnotation.TargetPortEnvironmentVariable is null)
            .Where(e => filters.TrueForAll(f => f.Filter(e.EndpointAnnotation)))
            .ToList();
        if (context.ExecutionContext.IsPublishMode)
        {
            foreach (var scheme in endpoints.GroupBy(e => e.Scheme))
            {
                Add(context, $"{scheme.Key.ToUpperInvariant()}_PORTS", scheme, (ports, e) => ports.Append($"{e.Property(EndpointProperty.TargetPort)}"));
            }

            return;
        }

        if (endpoints.FirstOrDefault(e => e.Scheme == "https") is { } https)
        {
            context.EnvironmentVariables.TryAdd("ASPNETCORE_HTTPS_PORT", https.Property(EndpointProperty.Port));
        }

        Add(context, "ASPNETCORE_URLS", endpoints, (urls, e) => urls.Append(
            $"{e.Property(EndpointProperty.Scheme)}://{e.EndpointAnnotation.TargetHost}:{e.Property(EndpointProperty.TargetPort)}"));

        static void Add(
            EnvironmentCallbackContext context, string name, IEnumerable<EndpointReference> endpoints, Action<ReferenceExpressionBuilder, EndpointReference> append)
        {
            var value = new ReferenceExpressionBuilder();
            foreach (var endpoint in endpoints)
            {
                if (!value.IsEmpty)
                {
                    value.AppendLiteral(";");
                }

                append(value, endpoint);
            }

            if (!value.IsEmpty)
            {
                context.EnvironmentVariables.TryAdd(name, value.Build());
            }
        }
    }

    private static void UseLaunchProfile(this IResourceBuilder<ProjectResource> project, IProjectMetadata metadata, ProjectResourceOptions options)
    {
        if (options.ExcludeLaunchProfile)
        {
            project.WithAnnotation<ExcludeLaunchProfileAnnotation>();
            return;
        }

        var profiles = Settings(metadata)?.Profiles;
        if (options.LaunchProfileName is { } wanted && profiles?.ContainsKey(wanted) != true)
        {
            throw new DistributedApplicationException($"Launch settings file does not contain '{wanted}' profile.");
        }

        var own = project.ApplicationBuilder.Configuration["AppHost:DefaultLaunchProfileName"]
            ?? project.ApplicationBuilder.Configuration["DOTNET_LAUNCH_PROFILE"];
        var name = options.LaunchProfileName
            ?? (own is not null && profiles?.ContainsKey(own) == true ? own : profiles?.FirstOrDefault(p => p.Value.CommandName == "Project").Key);
        if (name is null)
        {
            return;
        }

        var profile = profiles![name];
        project.WithAnnotation(new LaunchProfileAnnotation(name));
        var used = new Dictionary<string, int>();
        foreach (var url in (profile.ApplicationUrl ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var uri = new Uri(url.Replace("://*", "://localhost").Replace("://+", "://localhost"));
            var count = used[uri.Scheme] = used.GetValueOrDefault(uri.Scheme) + 1;
            project.WithEndpoint(count == 1 ? uri.Scheme : $"{uri.Scheme}{count}", endpoint =>
            {
                endpoint.Port = uri.Port;
                endpoint.UriScheme = uri.Scheme;
                endpoint.TargetHost = uri.Host;
                endpoint.FromLaunchProfile = true;
            });
        }

        project.WithEnvironment(context =>
        {
            context.EnvironmentVariables.TryAdd("DOTNET_LAUNCH_PROFILE", name);
            foreach (var (key, value) in profile.EnvironmentVariables)
            {
                context.EnvironmentVariables.TryAdd(key, Environment.ExpandEnvironmentVariables(value));
            }
        });
    }

    private sealed class ProjectPathMetadata(string projectPath) : IProjectMetadata
    {
        public string ProjectPath { get; } = projectPath;
    }
}

public static class OtlpConfigurationExtensions
{
    /// <summary>Tells a program where the dashboard takes telemetry, and under which name and instance the program reports.</summary>
    public static IResourceBuilder<T> WithOtlpExporter<T>(this IResourceBuilder<T> builder)
        where T : IResourceWithEnvironment
    {
        var configuration = builder.ApplicationBuilder.Configuration;
        builder.WithAnnotation<OtlpExporterAnnotation>(ResourceAnnotationMutationBehavior.Replace);
        return builder.WithEnvironment(context =>
        {
            if (context.ExecutionContext.IsPublishMode)
            {
                return;
            }

            var variables = context.EnvironmentVariables;
            var dashboard = builder.ApplicationBuilder.Resources.TryGetByName("aspire-dashboard", out var resource)
                ? (resource as IResourceWithEndpoints)?.GetEndpoint("otlp-grpc")
                : null;
            variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = dashboard is { Exists: true }
                ? dashboard
                : new HostUrl(configuration["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] ?? "http://localhost:18889");
            variables["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc";
            variables["OTEL_SERVICE_NAME"] = builder.Resource.Name;
            variables["OTEL_RESOURCE_ATTRIBUTES"] = $"service.instance.id={Orchestration.InstanceTokens.Suffix}";
            if (configuration["AppHost:OtlpApiKey"] is { Length: > 0 } key)
            {
                variables["OTEL_EXPORTER_OTLP_HEADERS"] = $"x-otlp-api-key={key}";
            }

            if (builder.ApplicationBuilder.Environment.IsDevelopment())
            {
                // What a developer does is seen after a second, and all of it.
                variables["OTEL_BLRP_SCHEDULE_DELAY"] = "1000";
                variables["OTEL_BSP_SCHEDULE_DELAY"] = "1000";
                variables["OTEL_METRIC_EXPORT_INTERVAL"] = "1000";
                variables["OTEL_TRACES_SAMPLER"] = "always_on";
                variables["OTEL_METRICS_EXEMPLAR_FILTER"] = "trace_based";
            }
        });
    }
}
