using System.Diagnostics;
using System.Net.Sockets;
using System.Security.Cryptography;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;

namespace Aspire.Hosting.Orchestration;

/// <summary>
/// Brings the model to life: chooses the ports and opens the proxies, then lets every resource start by itself as soon as what it waits for allows. Stops the
/// programs in parallel, each after those that wait for it. A program that ends is not started again except by command.
/// </summary>
internal sealed class ApplicationOrchestrator(
    DistributedApplicationModel model,
    DistributedApplicationExecutionContext executionContext,
    DistributedApplicationOptions options,
    ResourceNotificationService notifications,
    ResourceLoggerService loggers,
    IDistributedApplicationEventing eventing,
    ProcessLauncher launcher,
    IConfiguration configuration,
    ILoggerFactory loggerFactory,
    ILogger<DistributedApplication> logger,
    IServiceProvider services) : IHostedService
{
    private static readonly TimeSpan Orderly = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(8);

    private readonly Dictionary<IResource, List<ProcessInstance>> _instances = [];
    private readonly Dictionary<EndpointAnnotation, TcpProxy> _proxies = [];
    private readonly Dictionary<string, string> _targetPorts = [];
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _gate = new();
    private Task? _stopped;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.EnableResourceLogging)
        {
            loggers.LineWritten = (id, line, isError) =>
                loggerFactory.CreateLogger($"{options.AssemblyName}.Resources.{id}").Log(isError ? LogLevel.Error : LogLevel.Information, "{Line}", line);
        }

        logger.LogInformation("Distributed application starting.");
        logger.LogInformation("Application host directory is: {AppHostDirectory}", configuration["AppHost:Directory"]);
        try
        {
            var processes = model.Resources.Where(IsProcess).ToList();
            processes.ForEach(AddInstances);
            foreach (var resource in model.Resources.OfType<IResourceWithEndpoints>())
            {
                AllocateEndpoints(resource);
            }

            eventing.Subscribe<BeforeResourceStartedEvent>((e, token) => notifications.WaitForDependenciesAsync(e.Resource, token));
            foreach (var resource in model.Resources)
            {
                await notifications.PublishUpdateAsync(resource, s => Initial(resource, s)).ConfigureAwait(false);
            }

            foreach (var resource in model.Resources.OfType<IResourceWithEndpoints>().Where(r => r.HasAnnotationOfType<EndpointAnnotation>()))
            {
                await eventing.PublishAsync(new ResourceEndpointsAllocatedEvent(resource, services), cancellationToken).ConfigureAwait(false);
            }

            // Each resource goes its own way from here; its failure is its state, not the end of the others.
            foreach (var resource in model.Resources.ToList())
            {
                _ = Task.Run(() => BeginAsync(resource), CancellationToken.None);
            }

            await eventing.PublishAsync(new AfterResourcesCreatedEvent(services, model), cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await StopAsync(CancellationToken.None).ConfigureAwait(false);
            throw;
        }
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return _stopped ??= Task.Run(StopAllAsync, CancellationToken.None);
        }
    }

    private static bool IsProcess(IResource resource) => resource is ProjectResource or ExecutableResource && !resource.IsContainer();

    private void AddInstances(IResource resource)
    {
        var count = resource.GetReplicaCount();
        var instances = Enumerable.Range(0, count).Select(_ =>
        {
            var suffix = RandomNumberGenerator.GetString("abcdefghjkmnpqrstuvwxyz", 8);
            return new ProcessInstance(resource, $"{resource.Name}-{suffix}", suffix);
        }).ToList();
        _instances[resource] = instances;
        resource.Annotations.Add(new InstancesAnnotation([.. instances.Select(i => i.Id)]));
        if (resource.Name != Dashboard.DashboardServiceHost.ResourceName)
        {
            AddLifecycleCommands(resource);
        }
    }

    private void AllocateEndpoints(IResourceWithEndpoints resource)
    {
        var instances = _instances.GetValueOrDefault(resource);
        var isContainer = instances is null && resource.IsContainer();
        if (instances is null && !isContainer)
        {
            // A resource of its own kind allocates its own endpoints.
            return;
        }

        var randomize = configuration.GetValue("DcpPublisher:RandomizePorts", false);
        foreach (var endpoint in resource.AnnotationsOf<EndpointAnnotation>())
        {
            var replicas = instances?.Count ?? 1;
            if (replicas > 1 && (!endpoint.IsProxied || endpoint.TargetPort is not null))
            {
                throw new DistributedApplicationException(
                    $"Resource '{resource.Name}' uses multiple replicas, and its endpoint '{endpoint.Name}' {(endpoint.IsProxied ? "has a fixed target port" : "is not proxied")}: the replicas would fight for one port.");
            }

            if (isContainer)
            {
                endpoint.AllocatedEndpoint = new AllocatedEndpoint(
                    endpoint, "localhost", (randomize ? null : endpoint.Port) ?? TcpProxy.FreePort(), endpoint.TargetPort?.ToString(CultureInfo.InvariantCulture));
            }
            else if (endpoint.IsProxied)
            {
                AllocateProxied(resource, endpoint, instances!, randomize);
            }
            else
            {
                var port = endpoint.TargetPort ?? endpoint.Port;
                if (port is { } wanted)
                {
                    Bind(resource, endpoint, wanted, () => TcpProxy.Probe(wanted));
                }

                port ??= TcpProxy.FreePort();
                endpoint.AllocatedEndpoint = new AllocatedEndpoint(endpoint, "localhost", port.Value, port.Value.ToString(CultureInfo.InvariantCulture));
            }
        }
    }

    private void AllocateProxied(IResource resource, EndpointAnnotation endpoint, List<ProcessInstance> instances, bool randomize)
    {
        var port = randomize || endpoint.Port == 0 ? null : endpoint.Port;
        if (port is not null && port == endpoint.TargetPort)
        {
            throw new DistributedApplicationException(
                $"The endpoint '{endpoint.Name}' for resource '{resource.Name}' requested a proxy (IsProxied is true). Non-container resources cannot be proxied when both TargetPort and Port are specified with the same value.");
        }

        TcpProxy? proxy = null;
        Bind(resource, endpoint, port, () => proxy = TcpProxy.Listen(port));
        _proxies[endpoint] = proxy!;
        foreach (var instance in instances)
        {
            instance.TargetPorts[endpoint] = endpoint.TargetPort ?? TcpProxy.FreePort();
        }

        proxy!.SetTargets(instances.Select(i => i.TargetPorts[endpoint]));
        var token = InstanceTokens.TargetPort(resource.Name, endpoint.Name);
        _targetPorts[token] = instances[0].TargetPorts[endpoint].ToString(CultureInfo.InvariantCulture);
        endpoint.AllocatedEndpoint = new AllocatedEndpoint(endpoint, "localhost", proxy.Port, token);
    }

    private static void Bind(IResource resource, EndpointAnnotation endpoint, int? port, Action bind)
    {
        try
        {
            bind();
        }
        catch (SocketException exception)
        {
            throw new DistributedApplicationException(
                $"Port {port} of endpoint '{endpoint.Name}' of resource '{resource.Name}' cannot be listened on ({exception.Message}). Stop the program that uses it (see: ss -ltnp 'sport = :{port}') or give the endpoint another port.",
                exception);
        }
    }

    private static CustomResourceSnapshot Initial(IResource resource, CustomResourceSnapshot snapshot)
    {
        ImmutableArray<ResourcePropertySnapshot> properties = resource switch
        {
            ProjectResource project => [.. snapshot.Properties, new("project.path", project.GetProjectMetadata().ProjectPath)],
            ExecutableResource executable =>
                [.. snapshot.Properties, new("executable.path", executable.Command), new("executable.workDir", executable.WorkingDirectory)],
            _ when resource.TryGetContainerImageName(out var image) => [.. snapshot.Properties, new("container.image", image)],
            _ => snapshot.Properties,
        };
        var explicitStart = resource.HasAnnotationOfType<ExplicitStartupAnnotation>();
        return snapshot with
        {
            Properties = properties,
            State = IsProcess(resource) ? explicitStart ? KnownResourceStates.NotStarted : KnownResourceStates.Starting : snapshot.State,
            Urls = snapshot.Urls.IsEmpty ? [.. Urls(resource).Select(u => ToSnapshot(u) with { IsInactive = true })] : snapshot.Urls,
        };
    }

    private async Task BeginAsync(IResource resource)
    {
        var token = _stopping.Token;
        try
        {
            await eventing.PublishAsync(new InitializeResourceEvent(resource, eventing, loggers, notifications, services), token).ConfigureAwait(false);
            switch (resource)
            {
                case ParameterResource parameter:
                    await BeginParameterAsync(parameter).ConfigureAwait(false);
                    break;
                case ConnectionStringResource connection:
                    await BeginConnectionStringAsync(connection, token).ConfigureAwait(false);
                    break;
                case var _ when _instances.TryGetValue(resource, out var instances):
                    if (!resource.HasAnnotationOfType<ExplicitStartupAnnotation>())
                    {
                        await StartAsync(resource, instances).ConfigureAwait(false);
                    }

                    break;
                case var _ when resource.IsContainer():
                    loggers.GetLogger(resource).LogError("No container engine: '{ResourceName}' cannot be started.", resource.Name);
                    logger.LogWarning("Container resource '{ResourceName}' is not started: there is no container engine.", resource.Name);
                    await notifications.PublishUpdateAsync(
                        resource, s => s with { State = new(KnownResourceStates.RuntimeUnhealthy, KnownResourceStateStyles.Error) }).ConfigureAwait(false);
                    break;
            }
        }
        catch (OperationCanceledException) when (token.IsCancellationRequested)
        {
            return;
        }
        catch (Exception exception)
        {
            await FailAsync(resource, resource.InstanceIds(), exception).ConfigureAwait(false);
        }
    }

    private async Task BeginParameterAsync(ParameterResource parameter)
    {
        try
        {
            var value = parameter.Value;
            await notifications.PublishUpdateAsync(parameter, s => s with
            {
                State = new(KnownResourceStates.Running, KnownResourceStateStyles.Success),
                Properties = [.. s.Properties, new("Value", value) { IsSensitive = parameter.Secret }],
            }).ConfigureAwait(false);
        }
        catch (MissingParameterValueException exception)
        {
            logger.LogError("{Message}", exception.Message);
            loggers.GetLogger(parameter).LogError("{Message}", exception.Message);
            await notifications.PublishUpdateAsync(
                parameter, s => s with { State = new(KnownResourceStates.ValueMissing, KnownResourceStateStyles.Warn) }).ConfigureAwait(false);
        }
    }

    private async Task BeginConnectionStringAsync(ConnectionStringResource connection, CancellationToken token)
    {
        await notifications.WaitForDependenciesAsync(connection, token).ConfigureAwait(false);
        var value = await ((IResourceWithConnectionString)connection).GetConnectionStringAsync(token).ConfigureAwait(false);
        await eventing.PublishAsync(new ConnectionStringAvailableEvent(connection, services), token).ConfigureAwait(false);
        await notifications.PublishUpdateAsync(connection, s => s with
        {
            State = KnownResourceStates.Running,
            Properties = [.. s.Properties, new(CustomResourceKnownProperties.ConnectionString, value) { IsSensitive = true }],
        }).ConfigureAwait(false);
    }

    private async Task StartAsync(IResource resource, IReadOnlyList<ProcessInstance> instances)
    {
        var starting = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
        foreach (var instance in instances)
        {
            instance.Starting = starting;
            await notifications.PublishUpdateAsync(resource, instance.Id, s => s with
            {
                State = KnownResourceStates.Starting, ExitCode = null, StartTimeStamp = null, StopTimeStamp = null,
            }).ConfigureAwait(false);
        }

        try
        {
            if (resource is IResourceWithConnectionString)
            {
                await eventing.PublishAsync(new ConnectionStringAvailableEvent(resource, services), starting.Token).ConfigureAwait(false);
            }

            await eventing.PublishAsync(new BeforeResourceStartedEvent(resource, services), starting.Token).ConfigureAwait(false);
            await Task.WhenAll(instances.Select(i => LaunchAsync(i, starting.Token))).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (starting.IsCancellationRequested)
        {
            foreach (var instance in instances)
            {
                await notifications.PublishUpdateAsync(resource, instance.Id, s => s with { State = KnownResourceStates.Finished }).ConfigureAwait(false);
            }
        }
        catch (Exception exception)
        {
            await FailAsync(resource, [.. instances.Select(i => i.Id)], exception).ConfigureAwait(false);
        }
    }

    private async Task FailAsync(IResource resource, IReadOnlyList<string> ids, Exception exception)
    {
        var expected = exception is DistributedApplicationException;
        logger.LogError(expected ? null : exception, "{ResourceName} failed to start: {Reason}", resource.Name, exception.Message);
        foreach (var id in ids)
        {
            loggers.GetLogger(id).LogError(expected ? null : exception, "Failed to start: {Reason}", exception.Message);
            await notifications.PublishUpdateAsync(resource, id, s => s with
            {
                State = new(KnownResourceStates.FailedToStart, KnownResourceStateStyles.Error), StopTimeStamp = DateTime.UtcNow,
            }).ConfigureAwait(false);
        }
    }

    private async Task LaunchAsync(ProcessInstance instance, CancellationToken cancellationToken)
    {
        var resource = instance.Resource;
        var resourceLogger = loggers.GetLogger(instance.Id);
        var environment = await EnvironmentAsync(instance, resourceLogger, cancellationToken).ConfigureAwait(false);
        var arguments = await ArgumentsAsync(instance, resourceLogger, cancellationToken).ConfigureAwait(false);
        var start = resource is ProjectResource project
            ? BuiltProgram.Of(project, configuration["AppHost:BuildConfiguration"] ?? "Debug", arguments, environment)
            : Executable((ExecutableResource)resource, arguments, environment);

        cancellationToken.ThrowIfCancellationRequested();
        var process = await launcher.StartAsync(start, (line, isError) => loggers.Write(instance.Id, line, isError)).ConfigureAwait(false);
        instance.Process = process;
        var urls = await UrlsAsync(resource, cancellationToken).ConfigureAwait(false);
        await notifications.PublishUpdateAsync(resource, instance.Id, s => s with
        {
            State = KnownResourceStates.Running,
            StartTimeStamp = DateTime.UtcNow,
            EnvironmentVariables = [.. environment.Select(e => new EnvironmentVariableSnapshot(e.Key, e.Value, true))],
            Urls = urls,
            Properties = With(
                s.Properties, new("executable.pid", process.Id), new("executable.path", start.FileName), new("executable.workDir", start.WorkingDirectory),
                new("executable.args", ImmutableArray.CreateRange(arguments))),
        }).ConfigureAwait(false);
        _ = WatchAsync(instance, process);

        static ProcessStart Executable(ExecutableResource executable, List<string> arguments, Dictionary<string, string?> environment)
        {
            if (!Directory.Exists(executable.WorkingDirectory))
            {
                throw new DistributedApplicationException(
                    $"The working directory '{executable.WorkingDirectory}' of executable '{executable.Name}' does not exist.");
            }

            var path = ProcessLauncher.Resolve(executable.Command, executable.WorkingDirectory) ?? throw new DistributedApplicationException(
                $"The command '{executable.Command}' of executable '{executable.Name}' was not found {(executable.Command.Contains('/') ? $"from '{executable.WorkingDirectory}'" : "in PATH")}.");
            return new ProcessStart(path, arguments, executable.WorkingDirectory, environment, InheritEnvironment: true);
        }
    }

    private static ImmutableArray<ResourcePropertySnapshot> With(ImmutableArray<ResourcePropertySnapshot> properties, params ResourcePropertySnapshot[] added) =>
        [.. properties.Where(p => !Array.Exists(added, a => a.Name == p.Name)), .. added];

    private async Task WatchAsync(ProcessInstance instance, LaunchedProcess process)
    {
        var code = await process.Exited.ConfigureAwait(false);
        var wanted = instance.IsStopping || _stopping.IsCancellationRequested;
        if (code != 0 && !wanted)
        {
            logger.LogError("{ResourceId} exited with code {ExitCode}.", instance.Id, code);
        }

        await notifications.PublishUpdateAsync(instance.Resource, instance.Id, s => s with
        {
            State = new(KnownResourceStates.Finished, code == 0 || wanted ? null : KnownResourceStateStyles.Error),
            ExitCode = code,
            StopTimeStamp = DateTime.UtcNow,
            Urls = [.. s.Urls.Select(u => u with { IsInactive = true })],
        }).ConfigureAwait(false);
        if (notifications.TryGetCurrentState(instance.Id, out var state))
        {
            await eventing.PublishAsync(
                new ResourceStoppedEvent(instance.Resource, services, state), EventDispatchBehavior.NonBlockingSequential).ConfigureAwait(false);
        }
    }

    private async Task<Dictionary<string, string?>> EnvironmentAsync(ProcessInstance instance, ILogger resourceLogger, CancellationToken cancellationToken)
    {
        var context = new EnvironmentCallbackContext(executionContext, instance.Resource, null, cancellationToken) { Logger = resourceLogger };
        foreach (var annotation in instance.Resource.AnnotationsOf<EnvironmentCallbackAnnotation>())
        {
            await annotation.Callback(context).ConfigureAwait(false);
        }

        var values = new Dictionary<string, string?>();
        foreach (var (name, value) in context.EnvironmentVariables)
        {
            if (await ResolveAsync(value, instance, cancellationToken).ConfigureAwait(false) is { } text)
            {
                values[name] = text;
            }
        }

        return values;
    }

    private async Task<List<string>> ArgumentsAsync(ProcessInstance instance, ILogger resourceLogger, CancellationToken cancellationToken)
    {
        var context = new CommandLineArgsCallbackContext([], instance.Resource, cancellationToken) { ExecutionContext = executionContext, Logger = resourceLogger };
        foreach (var annotation in instance.Resource.AnnotationsOf<CommandLineArgsCallbackAnnotation>())
        {
            await annotation.Callback(context).ConfigureAwait(false);
        }

        var values = new List<string>();
        foreach (var argument in context.Args)
        {
            if (await ResolveAsync(argument, instance, cancellationToken).ConfigureAwait(false) is { } text)
            {
                values.Add(text);
            }
        }

        return values;
    }

    private async Task<string?> ResolveAsync(object value, ProcessInstance instance, CancellationToken cancellationToken)
    {
        var text = await ResourceExtensions.ResolveAsync(value, executionContext, instance.Resource, cancellationToken).ConfigureAwait(false);
        if (text is null || !text.Contains("{{-", StringComparison.Ordinal))
        {
            return text;
        }

        text = text.Replace(InstanceTokens.Suffix, instance.Suffix, StringComparison.Ordinal);
        foreach (var (endpoint, port) in instance.TargetPorts)
        {
            text = text.Replace(
                InstanceTokens.TargetPort(instance.Resource.Name, endpoint.Name), port.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
        }

        foreach (var (token, port) in _targetPorts)
        {
            text = text.Replace(token, port, StringComparison.Ordinal);
        }

        return text;
    }

    private async Task<ImmutableArray<UrlSnapshot>> UrlsAsync(IResource resource, CancellationToken cancellationToken)
    {
        var context = new ResourceUrlsCallbackContext(executionContext, resource, Urls(resource), cancellationToken) { Logger = loggers.GetLogger(resource) };
        foreach (var annotation in resource.AnnotationsOf<ResourceUrlsCallbackAnnotation>())
        {
            await annotation.Callback(context).ConfigureAwait(false);
        }

        return [.. context.Urls.Select(ToSnapshot)];
    }

    private static List<ResourceUrlAnnotation> Urls(IResource resource) =>
    [
        .. resource is IResourceWithEndpoints owner
            ? owner.GetEndpoints().Where(e => e.IsAllocated).Select(e => new ResourceUrlAnnotation { Url = e.Url, Endpoint = e })
            : [],
        .. resource.AnnotationsOf<ResourceUrlAnnotation>(),
    ];

    private static UrlSnapshot ToSnapshot(ResourceUrlAnnotation url) =>
        new(url.Endpoint?.EndpointName, url.Url, url.DisplayLocation == UrlDisplayLocation.DetailsOnly)
        {
            DisplayProperties = new(url.DisplayText ?? "", url.DisplayOrder ?? 0),
        };

    private void AddLifecycleCommands(IResource resource)
    {
        resource.Annotations.Add(Command(
            KnownResourceCommands.StartCommand, "Start", "Play", s => IsDown(s) ? ResourceCommandState.Enabled : ResourceCommandState.Hidden,
            instance => BeginStart([instance])));
        resource.Annotations.Add(Command(
            KnownResourceCommands.StopCommand, "Stop", "Stop",
            s => IsDown(s) ? ResourceCommandState.Hidden : s.State?.Text == KnownResourceStates.Stopping ? ResourceCommandState.Disabled : ResourceCommandState.Enabled,
            instance => StopAsync(instance, Grace)));
        resource.Annotations.Add(Command(
            KnownResourceCommands.RestartCommand, "Restart", "ArrowCounterclockwise",
            s => s.State?.Text == KnownResourceStates.Running ? ResourceCommandState.Enabled : ResourceCommandState.Disabled,
            async instance =>
            {
                await StopAsync(instance, Grace).ConfigureAwait(false);
                await BeginStart([instance]).ConfigureAwait(false);
            }));

        static bool IsDown(CustomResourceSnapshot snapshot) =>
            snapshot.State?.Text is { } text && (KnownResourceStates.TerminalStates.Contains(text) || text == KnownResourceStates.NotStarted);

        ResourceCommandAnnotation Command(
            string name, string displayName, string icon, Func<CustomResourceSnapshot, ResourceCommandState> state, Func<ProcessInstance, Task> execute) =>
            new(
                name, displayName, c => state(c.ResourceSnapshot),
                async c =>
                {
                    if (_stopping.IsCancellationRequested)
                    {
                        return CommandResults.Failure("The application is stopping.");
                    }

                    var instance = _instances[resource].Find(i => i.Id == c.ResourceName);
                    if (instance is null)
                    {
                        return CommandResults.Failure($"Resource '{c.ResourceName}' not found.");
                    }

                    await instance.Gate.WaitAsync(c.CancellationToken).ConfigureAwait(false);
                    try
                    {
                        await execute(instance).ConfigureAwait(false);
                    }
                    finally
                    {
                        instance.Gate.Release();
                    }

                    return CommandResults.Success();
                },
                null, null, null, icon, IconVariant.Filled, isHighlighted: true);

        async Task BeginStart(List<ProcessInstance> instances)
        {
            if (instances[0].Process is { Exited.IsCompleted: false })
            {
                return;
            }

            instances.ForEach(i => i.IsStopping = false);
            // The dependencies may let it wait: the command has done its part when the start is under way.
            var start = StartAsync(resource, instances);
            await Task.WhenAny(start, Task.Delay(TimeSpan.FromSeconds(2))).ConfigureAwait(false);
        }
    }

    private async Task StopAsync(ProcessInstance instance, TimeSpan grace)
    {
        instance.IsStopping = true;
        if (instance.Starting is { } starting)
        {
            await starting.CancelAsync().ConfigureAwait(false);
        }

        if (instance.Process is { Exited.IsCompleted: false } process)
        {
            await notifications.PublishUpdateAsync(instance.Resource, instance.Id, s => s with { State = KnownResourceStates.Stopping }).ConfigureAwait(false);
            await process.StopAsync(grace).ConfigureAwait(false);
        }
    }

    private async Task StopAllAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        var clock = Stopwatch.StartNew();
        var stops = new Dictionary<IResource, Task>();
        foreach (var resource in _instances.Keys)
        {
            _ = Stop(resource);
        }

        await Task.WhenAll(stops.Values).ConfigureAwait(false);
        foreach (var proxy in _proxies.Values)
        {
            await proxy.DisposeAsync().ConfigureAwait(false);
        }

        Task Stop(IResource resource)
        {
            if (stops.TryGetValue(resource, out var stop))
            {
                return stop;
            }

            // Entered before its dependents are asked, so that a circle ends.
            stops[resource] = Task.CompletedTask;
            var isDashboard = resource.Name == Dashboard.DashboardServiceHost.ResourceName;
            var dependents = _instances.Keys
                .Where(r => r != resource && (isDashboard || r.AnnotationsOf<WaitAnnotation>().Any(w => w.Resource == resource)))
                .Select(Stop)
                .ToList();
            return stops[resource] = StopOneAsync(resource, dependents);
        }

        async Task StopOneAsync(IResource resource, List<Task> dependents)
        {
            var patience = Orderly - clock.Elapsed;
            if (dependents.Count > 0 && patience > TimeSpan.Zero)
            {
                await Task.WhenAny(Task.WhenAll(dependents), Task.Delay(patience)).ConfigureAwait(false);
            }

            var grace = Grace - clock.Elapsed;
            await Task.WhenAll(_instances[resource].Select(i => StopAsync(i, grace > TimeSpan.Zero ? grace : TimeSpan.Zero))).ConfigureAwait(false);
        }
    }

    private sealed class ProcessInstance(IResource resource, string id, string suffix)
    {
        public IResource Resource { get; } = resource;

        public string Id { get; } = id;

        public string Suffix { get; } = suffix;

        public Dictionary<EndpointAnnotation, int> TargetPorts { get; } = [];

        /// <summary>Held while a command changes the copy.</summary>
        public SemaphoreSlim Gate { get; } = new(1, 1);

        public LaunchedProcess? Process { get; set; }

        public CancellationTokenSource? Starting { get; set; }

        public bool IsStopping { get; set; }
    }
}
