using System.Globalization;

namespace ChatPlatform.AppHost.Eks;

/// <summary>One endpoint of a workload.</summary>
/// <param name="Name">The endpoint's name.</param>
/// <param name="ContainerPort">Where the program listens.</param>
/// <param name="ServicePort">Where clients connect.</param>
internal sealed record EksPort(string Name, int ContainerPort, int ServicePort);

/// <summary>Who a workload calls.</summary>
internal abstract record EksArrow
{
    /// <summary>The pods of another resource, or of the same: by its name, or pod by pod at addresses that the pods tell.</summary>
    public sealed record ToResource(IResource Target, EksPort Port, bool ByAddress) : EksArrow;

    /// <summary>Networks outside the cluster; null for anywhere.</summary>
    public sealed record ToNetworks(string? Networks, int Port) : EksArrow;

    /// <summary>Another team's namespace.</summary>
    public sealed record ToNamespace(string Namespace, int Port) : EksArrow;
}

/// <summary>A resource of the app model as pods, with every value known or known to be a secret. Collections are in an order that follows from the model alone.</summary>
internal sealed class EksWorkload(IResource resource, string image, IReadOnlyList<EksPort> ports)
{
    public IResource Resource => resource;

    /// <summary>The resource whose place in the cluster this is: itself, or the agent that it is run instead of.</summary>
    public IResource Place => Annotation<EksInsteadOf>()?.Agent ?? resource;

    public string Name => Place.Name;

    public string Image => image;

    public IReadOnlyList<EksPort> Ports => ports;

    public IReadOnlyList<string> Arguments { get; set; } = [];

    /// <summary>Variables whose values are the same in every pod.</summary>
    public SortedDictionary<string, string> Settings { get; } = new(StringComparer.Ordinal);

    /// <summary>Variables whose values are known in the pod only.</summary>
    public SortedDictionary<string, string> PodSettings { get; } = new(StringComparer.Ordinal);

    /// <summary>Variables whose values are secrets.</summary>
    public SortedDictionary<string, ParameterResource> Secrets { get; } = new(StringComparer.Ordinal);

    public HashSet<EksArrow> Arrows { get; } = [];

    public EksSize Size { get; set; } = EksSize.Default;

    public EksScaling? Scaling => Annotation<EksScaling>();

    public EksDrain Drain => Annotation<EksDrain>() ?? EksDrain.Default;

    public EksNodeAgent? NodeAgent => Annotation<EksNodeAgent>();

    public bool IsSingleton => Annotation<EksSingleton>() is not null;

    public IEnumerable<EksSharedFolder> SharedFolders => resource.Annotations.OfType<EksSharedFolder>();

    public IEnumerable<EksSecretFile> SecretFiles => resource.Annotations.OfType<EksSecretFile>();

    public IEnumerable<EksFile> Files => resource.Annotations.OfType<EksFile>();

    public string Namespace => NodeAgent is null ? EksNames.Namespace : EksNames.AgentNamespace;

    public T? Annotation<T>()
        where T : IResourceAnnotation => resource.Annotations.OfType<T>().LastOrDefault();

    public EksPort Port(string endpoint) => ports.SingleOrDefault(port => port.Name == endpoint)
        ?? throw new EksPublishException([$"resource '{Name}' has no endpoint '{endpoint}'."]);

    /// <summary>The health check of the model: its endpoint and path, from the key that <c>WithHttpHealthCheck</c> gives it (<c>NAME_ENDPOINT_PATH_STATUS_check</c>).</summary>
    public (EksPort Port, string Path)? Health
    {
        get
        {
            if (Annotation<HealthCheckAnnotation>() is not { Key: var key } || !key.StartsWith(resource.Name + "_", StringComparison.Ordinal))
                return null;
            var parts = key[(resource.Name.Length + 1)..].Split('_');
            return (Port(parts[0]), string.Join('_', parts[1..^2]));
        }
    }
}

/// <summary>Names that several objects share.</summary>
internal static class EksNames
{
    public const string Namespace = "chat";

    /// <summary>Agents use the node's disk, which restricted Pod Security forbids; nothing else lives here.</summary>
    public const string AgentNamespace = "chat-agents";

    /// <summary>Answers while a service's process is alive, whatever its dependencies do (ChatPlatform.ServiceDefaults).</summary>
    public const string AlivePath = "/alive";

    /// <summary>The user <c>app</c> of Microsoft's chiseled images.</summary>
    public const int User = 1654;
}

/// <summary>The app model as an EKS cluster sees it, in one environment.</summary>
internal sealed class EksModel
{
    private readonly DistributedApplicationModel _model;
    private readonly EksParameters _parameters;
    private readonly EksValues _values;

    private EksModel(DistributedApplicationModel model, EksParameters parameters, EksValues values) => (_model, _parameters, _values) = (model, parameters, values);

    public IReadOnlyList<EksWorkload> Workloads { get; private set; } = [];

    /// <summary>What an overlay may put into the place of one of them.</summary>
    public IReadOnlyList<EksWorkload> Alternatives { get; private set; } = [];

    /// <exception cref="EksPublishException">Something is missing; all of it is named.</exception>
    public static async Task<EksModel> ReadAsync(DistributedApplicationModel model, EksParameters parameters, EksValues values)
    {
        var read = new EksModel(model, parameters, values);
        await read.ReadWorkloadsAsync();
        // What the objects ask for later is asked for here, so that all that is missing is named at once.
        foreach (var parameter in parameters.OfObjects)
            await values.GetAsync(parameter.Resource, EksPublishing.Step);
        return values.Problems.Any() ? throw new EksPublishException(values.Problems) : read;
    }

    public EksParameters Parameters => _parameters;

    public EksEnvironment Environment => _values.Environment;

    /// <summary>The value of a parameter, which is known to have one.</summary>
    public string Value(IResourceBuilder<ParameterResource> parameter) => _values[parameter.Resource];

    public string Value(ParameterResource parameter) => _values[parameter];

    /// <summary>The image of one colour: the parameter <c>NAME-COLOUR-image</c>, else the workload's.</summary>
    public string Image(EksWorkload workload, string pods) => pods != workload.Name && _values.Configured($"{pods}-image") is { Length: > 0 } own ? own : workload.Image;

    private async Task ReadWorkloadsAsync()
    {
        var workloads = new List<EksWorkload>();
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var resource in _model.Resources.Where(resource => resource is IComputeResource && !resource.IsExcludedFromPublish()))
        {
            foreach (var name in resource.Annotations.OfType<EksInsteadOf>().Any() ? [] : PodNames(resource))
            {
                if (!names.TryAdd(name, resource.Name))
                    _values.Problem(name, $"resources '{names[name]}' and '{resource.Name}' would both be '{name}' in the cluster; give one of them another name.");
            }

            if (await ReadWorkloadAsync(resource) is { } workload)
                workloads.Add(workload);
        }

        Alternatives = [.. workloads.Where(workload => workload.Place != workload.Resource)];
        Workloads = [.. workloads.Where(workload => workload.Place == workload.Resource).OrderBy(workload => workload.Name, StringComparer.Ordinal)];
    }

    /// <summary>Kubernetes knows lower case only, so that names which the model keeps apart may meet there.</summary>
    private static IEnumerable<string> PodNames(IResource resource) => resource.Annotations.OfType<EksColours>().LastOrDefault() is { } colours
        ? colours.Colours.Select(colour => $"{resource.Name}-{colour.Name}".ToLowerInvariant()).Prepend(resource.Name.ToLowerInvariant())
        : [resource.Name.ToLowerInvariant()];

    private async Task<EksWorkload?> ReadWorkloadAsync(IResource resource)
    {
        if (await ImageAsync(resource) is not { } image)
            return null;
        var workload = new EksWorkload(resource, image, Ports(resource));
        var size = workload.Annotation<EksSize>() ?? EksSize.Default;
        // Memory is what a program needs whoever calls it.
        workload.Size = _values.Environment.Small ? size with { CpuMillis = size.CpuMillis / 2 } : size;
        await ReadEnvironmentAsync(workload);
        await ReadArgumentsAsync(workload);
        foreach (var peer in resource.Annotations.OfType<EksPeer>())
            workload.Arrows.Add(ToEndpoint(peer.Endpoint, byAddress: true));
        foreach (var colour in workload.Annotation<EksColours>()?.Colours ?? [])
            await _values.GetAsync(colour.Weight, workload.Name);
        if (resource.Annotations.OfType<EksAwsAccess>().Any())
        {
            workload.Settings["AWS_REGION"] = await _values.GetAsync(_parameters.Region.Resource, workload.Name);
            // AWS's services have no fixed addresses; the second is the Pod Identity agent of the node, which gives the role's keys
            // (https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html).
            workload.Arrows.Add(new EksArrow.ToNetworks(null, 443));
            workload.Arrows.Add(new EksArrow.ToNetworks("169.254.170.23/32", 80));
        }

        return workload;
    }

    /// <summary>The parameter <c>NAME-image</c>, which may name a digest; else what the resource says, else the registry's image of the project.</summary>
    private async Task<string?> ImageAsync(IResource resource)
    {
        if (_values.Configured($"{resource.Name}-image") is { Length: > 0 } given)
            return given;
        if (resource is ProjectResource)
        {
            var (registry, tag) = (await _values.GetAsync(_parameters.ImageRegistry.Resource, resource.Name), await _values.GetAsync(_parameters.ImageTag.Resource, resource.Name));
            return $"{registry}/chat-{resource.Name}:{tag}";
        }

        if (resource.TryGetContainerImageName(out var image))
            return image;
        _values.Problem(
            resource.Name,
            $"resource '{resource.Name}' has no image; use a project, AddContainer with an image, or set Parameters__{resource.Name.Replace('-', '_')}_image.");
        return null;
    }

    private static List<EksPort> Ports(IResource resource)
    {
        var endpoints = resource.Annotations.OfType<EndpointAnnotation>().ToList();
        var taken = endpoints.Select(endpoint => endpoint.TargetPort).OfType<int>().ToHashSet();
        var next = 8080;
        var ports = new List<EksPort>();
        foreach (var endpoint in endpoints)
        {
            // Where the model leaves the choice to the system: above 1023, for a program without rights.
            while (endpoint.TargetPort is null && !taken.Add(next))
                next++;
            var container = endpoint.TargetPort ?? next;
            ports.Add(new EksPort(endpoint.Name, container, endpoint.Port ?? container));
        }

        return ports;
    }

    private async Task ReadEnvironmentAsync(EksWorkload workload)
    {
        var context = new EnvironmentCallbackContext(new DistributedApplicationExecutionContext(DistributedApplicationOperation.Publish), workload.Resource);
        foreach (var annotation in workload.Resource.Annotations.OfType<EnvironmentCallbackAnnotation>())
            await annotation.Callback(context);
        if (workload.Resource is ProjectResource)
            context.EnvironmentVariables["OTEL_EXPORTER_OTLP_ENDPOINT"] = _parameters.OtlpEndpoint.Resource;

        foreach (var (variable, value) in context.EnvironmentVariables)
        {
            var resolved = await ResolveAsync(workload, variable, value);
            if (resolved.Secret is { } secret)
                workload.Secrets[variable] = secret;
            else if (resolved.Text!.Contains(PodAddress.Instance.ValueExpression, StringComparison.Ordinal))
                workload.PodSettings[variable] = resolved.Text;
            else
                workload.Settings[variable] = resolved.Text;
        }

        if (workload.Resource is not ProjectResource)
            return;
        // The services listen where ASPNETCORE_URLS says, on every address of the pod; Aspire's ports are the same ones without a host.
        if (workload.Settings.Remove("HTTP_PORTS", out var ports))
            workload.Settings["ASPNETCORE_URLS"] = string.Join(';', ports.Split(';').Select(port => $"http://0.0.0.0:{port}"));
        workload.Settings["OTEL_SERVICE_NAME"] = workload.Name;
        workload.PodSettings["OTEL_RESOURCE_ATTRIBUTES"] = "service.instance.id=$(POD_NAME)";
    }

    private async Task ReadArgumentsAsync(EksWorkload workload)
    {
        var context = new CommandLineArgsCallbackContext([], workload.Resource) { ExecutionContext = new(DistributedApplicationOperation.Publish) };
        foreach (var annotation in workload.Resource.Annotations.OfType<CommandLineArgsCallbackAnnotation>())
            await annotation.Callback(context);
        var arguments = new List<string>();
        foreach (var argument in context.Args)
        {
            var resolved = await ResolveAsync(workload, "an argument", argument);
            if (resolved.Secret is { } secret)
                _values.Problem(workload.Name, $"resource '{workload.Name}' has the secret '{secret.Name}' among its arguments, where everybody may read it; give it as a variable.");
            arguments.Add(resolved.Text ?? "");
        }

        workload.Arguments = arguments;
    }

    /// <summary>A value as text, or as the one secret that it is. Each endpoint and each outside part on the way becomes an arrow.</summary>
    private async Task<(string? Text, ParameterResource? Secret)> ResolveAsync(EksWorkload workload, string variable, object? value)
    {
        switch (value)
        {
            case null:
                return ("", null);
            case string text:
                return (text, null);
            case bool flag:
                return (flag ? "true" : "false", null);
            case PodAddress address:
                return (address.ValueExpression, null);
            case EndpointReference endpoint:
                return (await EndpointAsync(workload, endpoint.Property(EndpointProperty.Url)), null);
            case EndpointReferenceExpression endpoint:
                return (await EndpointAsync(workload, endpoint), null);
            case ConnectionStringReference reference:
                return await ResolveAsync(workload, variable, reference.Resource);
            case ParameterResource parameter:
                return await ParameterAsync(workload, parameter);
            case IResourceWithConnectionString resource:
                await AddOutsideAsync(workload, resource);
                return await ResolveAsync(workload, variable, resource.ConnectionStringExpression);
            case ReferenceExpression { IsConditional: false, ValueProviders: [{ } only], Format: "{0}" }:
                return await ResolveAsync(workload, variable, only);
            case ReferenceExpression { IsConditional: false } expression:
                var parts = new List<string>();
                foreach (var (provider, format) in expression.ValueProviders.Zip(expression.StringFormats))
                {
                    var part = await ResolveAsync(workload, variable, provider);
                    if (part.Secret is not null)
                    {
                        _values.Problem(
                            workload.Name + variable,
                            $"{variable} of resource '{workload.Name}' puts the secret '{part.Secret.Name}' into a text; give the whole text as one secret.");
                    }

                    parts.Add(format == "uri" ? Uri.EscapeDataString(part.Text ?? "") : part.Text ?? "");
                }

                return (string.Format(CultureInfo.InvariantCulture, expression.Format, [.. parts]), null);
            case IFormattable formattable:
                return (formattable.ToString(null, CultureInfo.InvariantCulture), null);
            default:
                _values.Problem(workload.Name + variable, $"{variable} of resource '{workload.Name}' is a {value.GetType().Name}, whose value is known only where the system runs.");
                return ("", null);
        }
    }

    private async Task<(string? Text, ParameterResource? Secret)> ParameterAsync(EksWorkload workload, ParameterResource parameter)
    {
        await AddOutsideAsync(workload, parameter);
        if (parameter.Secret)
            return (null, parameter);
        var value = await _values.GetAsync(parameter, workload.Name);
        if (parameter == _parameters.OtlpEndpoint.Resource && value.Length > 0)
            workload.Arrows.Add(ToCollector(parameter, value));
        return (value, null);
    }

    private EksArrow.ToNamespace ToCollector(ParameterResource parameter, string value)
    {
        // SERVICE.NAMESPACE.svc, with or without the cluster's domain.
        if (Uri.TryCreate(value, UriKind.Absolute, out var url) && url.Host.Split('.') is [_, var space, "svc", ..])
            return new EksArrow.ToNamespace(space, url.Port);
        _values.Problem(parameter.Name, $"parameter '{parameter.Name}' is '{value}'; it must be http://SERVICE.NAMESPACE.svc:PORT.");
        return new EksArrow.ToNamespace("", 0);
    }

    private async Task AddOutsideAsync(EksWorkload workload, IResource resource)
    {
        foreach (var outside in resource.Annotations.OfType<EksOutside>())
            workload.Arrows.Add(new EksArrow.ToNetworks(outside.Networks is null ? null : await _values.GetAsync(outside.Networks, resource.Name), outside.Port));
    }

    private async Task<string> EndpointAsync(EksWorkload workload, EndpointReferenceExpression expression)
    {
        var owner = expression.Endpoint.Resource;
        var endpoint = expression.Endpoint.EndpointAnnotation;
        var arrow = ToEndpoint(expression.Endpoint, byAddress: false);
        if (owner != workload.Resource)
            workload.Arrows.Add(arrow);
        var space = owner.Annotations.OfType<EksNodeAgent>().Any() ? EksNames.AgentNamespace : EksNames.Namespace;
        var host = space == workload.Namespace ? owner.Name : $"{owner.Name}.{space}.svc";
        return expression.Property switch
        {
            EndpointProperty.Url => $"{endpoint.UriScheme}://{host}:{arrow.Port.ServicePort}",
            EndpointProperty.Host or EndpointProperty.IPV4Host => host,
            EndpointProperty.Port => $"{arrow.Port.ServicePort}",
            EndpointProperty.HostAndPort => $"{host}:{arrow.Port.ServicePort}",
            EndpointProperty.TargetPort => $"{arrow.Port.ContainerPort}",
            EndpointProperty.Scheme => endpoint.UriScheme,
            _ => await expression.GetValueAsync() ?? "",
        };
    }

    private static EksArrow.ToResource ToEndpoint(EndpointReference endpoint, bool byAddress) =>
        new(endpoint.Resource, Ports(endpoint.Resource).Single(port => port.Name == endpoint.EndpointAnnotation.Name), byAddress);
}
