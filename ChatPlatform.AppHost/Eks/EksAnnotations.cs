using ChatPlatform.AppHost.Stack;

namespace ChatPlatform.AppHost.Eks;

/// <summary>How many pods: from the model's replicas up to <see cref="Max"/>, by CPU and, where named, by a metric of the pods.</summary>
/// <param name="Max">The most pods.</param>
/// <param name="Cpu">The use of the requested CPU, in percent, that the autoscaler aims at.</param>
/// <param name="Min">The fewest pods; null: the model's replicas.</param>
/// <param name="Metric">A metric in <c>custom.metrics.k8s.io</c>, or null.</param>
internal sealed record EksScaling(int Max, int Cpu, int? Min, EksPodMetric? Metric) : IResourceAnnotation;

/// <summary>A metric of a pod and the average over all pods that the autoscaler aims at.</summary>
internal sealed record EksPodMetric(string Name, int Average);

/// <summary>What a pod asks for. Its memory limit is the same, so that no node is promised twice; its CPU limit is <see cref="Burst"/> times as much.</summary>
/// <param name="CpuMillis">Thousandths of a core.</param>
/// <param name="MemoryMi">MiB.</param>
internal sealed record EksSize(int CpuMillis, int MemoryMi) : IResourceAnnotation
{
    /// <summary>Start-up compiles; a garbage collection uses every core.</summary>
    public const int Burst = 4;

    /// <summary>For what says nothing.</summary>
    public static readonly EksSize Default = new(250, 256);
}

/// <summary>How a pod leaves: <see cref="LeaveSeconds"/> in which it still serves while load balancers and proxies learn of it, then <see cref="StopSeconds"/> to finish.</summary>
internal sealed record EksDrain(int LeaveSeconds, int StopSeconds) : IResourceAnnotation
{
    /// <summary>The host's own shutdown takes up to 20 s (ChatPlatform.ServiceDefaults).</summary>
    public static readonly EksDrain Default = new(5, 20);
}

/// <summary>A folder that outlives a pod and that all pods of the resource share.</summary>
/// <param name="Name">The claim's name.</param>
/// <param name="Path">Where the program sees it.</param>
/// <param name="SizeGi">GiB asked for.</param>
internal sealed record EksSharedFolder(string Name, string Path, int SizeGi) : IResourceAnnotation;

/// <summary>One pod at a time: the old one has gone before the new one starts.</summary>
internal sealed class EksSingleton : IResourceAnnotation;

/// <summary>An arrow that no setting names: the resource finds the pods behind <paramref name="Endpoint"/> at run time, by address.</summary>
internal sealed record EksPeer(EndpointReference Endpoint) : IResourceAnnotation;

/// <summary>Something outside the cluster: whoever is given the resource's value may call it.</summary>
/// <param name="Port">The TCP port.</param>
/// <param name="Networks">Its networks in CIDR notation, separated by commas; null: anywhere, which is what a service with ever-changing addresses leaves.</param>
internal sealed record EksOutside(int Port, ParameterResource? Networks) : IResourceAnnotation;

/// <summary>What a resource may do in AWS.</summary>
internal sealed record EksAwsAccess(AwsGrant Grant) : IResourceAnnotation;

/// <summary>A secret that a program reads from a file.</summary>
/// <param name="Secret">The value.</param>
/// <param name="Path">The file, below <c>/var/run/secrets/</c>.</param>
internal sealed record EksSecretFile(ParameterResource Secret, string Path) : IResourceAnnotation;

/// <summary>Clients come in here, through the load balancer.</summary>
/// <param name="Http">The endpoint of REST, pages and WebSockets.</param>
/// <param name="Grpc">The endpoint that speaks HTTP/2 only.</param>
/// <param name="GrpcPaths">Path prefixes that go to <paramref name="Grpc"/>.</param>
/// <param name="IdleSeconds">How long a connection may be silent.</param>
internal sealed record EksIngress(string Http, string Grpc, IReadOnlyList<string> GrpcPaths, int IdleSeconds) : IResourceAnnotation;

/// <summary>The resource runs several times under names of their own, and the load balancer shares out calls by weight: to switch to a new version, and back.</summary>
internal sealed record EksColours(IReadOnlyList<EksColour> Colours) : IResourceAnnotation;

/// <param name="Name">Part of the Deployment's name.</param>
/// <param name="Weight">A number from 0 to 999.</param>
internal sealed record EksColour(string Name, ParameterResource Weight);

/// <summary>One copy on every node, in a namespace of its own, for it needs the node's disk.</summary>
/// <param name="HostFolder">The node's folder that it keeps its buffer in, mounted under the same path.</param>
internal sealed record EksNodeAgent(string HostFolder) : IResourceAnnotation;

/// <summary>Another program for the place of <paramref name="Agent"/>, to be chosen by an overlay.</summary>
internal sealed record EksInsteadOf(IResource Agent) : IResourceAnnotation;

/// <summary>A file of the repository that the program reads.</summary>
/// <param name="Source">The file here.</param>
/// <param name="Path">Where the program sees it.</param>
internal sealed record EksFile(string Source, string Path) : IResourceAnnotation;

/// <summary>What a service needs on EKS beyond the app model. None of it changes how it runs on a laptop.</summary>
internal static class EksAnnotationExtensions
{
    /// <summary>Scales from the model's replicas (or <paramref name="min"/>) to <paramref name="max"/> pods, aiming at <paramref name="cpu"/> percent of the requested CPU.</summary>
    public static IResourceBuilder<T> WithEksScaling<T>(this IResourceBuilder<T> resource, int max, int cpu, int? min = null, EksPodMetric? metric = null)
        where T : IComputeResource => resource.Set(new EksScaling(max, cpu, min, metric));

    public static IResourceBuilder<T> WithEksSize<T>(this IResourceBuilder<T> resource, int cpuMillis, int memoryMi)
        where T : IComputeResource => resource.Set(new EksSize(cpuMillis, memoryMi));

    public static IResourceBuilder<T> WithEksDrain<T>(this IResourceBuilder<T> resource, int leaveSeconds, int stopSeconds)
        where T : IComputeResource => resource.Set(new EksDrain(leaveSeconds, stopSeconds));

    public static IResourceBuilder<T> WithEksSharedFolder<T>(this IResourceBuilder<T> resource, string name, string path, int sizeGi)
        where T : IComputeResource => resource.WithAnnotation(new EksSharedFolder(name, path, sizeGi));

    public static IResourceBuilder<T> WithEksSingleton<T>(this IResourceBuilder<T> resource)
        where T : IComputeResource => resource.Set(new EksSingleton());

    /// <summary>Says that <paramref name="resource"/> calls the pods behind each endpoint at addresses that it learns at run time.</summary>
    public static IResourceBuilder<T> WithEksPeers<T>(this IResourceBuilder<T> resource, params EndpointReference[] endpoints)
        where T : IComputeResource
    {
        foreach (var endpoint in endpoints)
            resource.WithAnnotation(new EksPeer(endpoint));
        return resource;
    }

    public static IResourceBuilder<T> WithEksIngress<T>(this IResourceBuilder<T> resource, string http, string grpc, int idleSeconds, params string[] grpcPaths)
        where T : IComputeResource => resource.Set(new EksIngress(http, grpc, grpcPaths, idleSeconds));

    /// <summary>Runs the resource once per colour; the parameters <c>NAME-COLOUR-weight</c> share out the calls, all to the first one unless they say otherwise.</summary>
    public static IResourceBuilder<T> WithEksColours<T>(this IResourceBuilder<T> resource, params string[] colours)
        where T : IComputeResource
    {
        var builder = resource.ApplicationBuilder;
        return builder.ExecutionContext.IsPublishMode
            ? resource.Set(new EksColours([.. colours.Select((colour, i) =>
                new EksColour(colour, builder.AddParameter($"{resource.Resource.Name}-{colour}-weight", i == 0 ? "100" : "0").Resource))]))
            : resource;
    }

    /// <summary>Gives the program <c>http://POD:PORT</c> of its own endpoint in <paramref name="variable"/>: the address that it tells others.</summary>
    public static IResourceBuilder<T> WithEksPodAddress<T>(this IResourceBuilder<T> resource, string variable, string endpoint)
        where T : IComputeResource, IResourceWithEnvironment, IResourceWithEndpoints => resource.ApplicationBuilder.ExecutionContext.IsPublishMode
        ? resource.WithEnvironment(variable, ReferenceExpression.Create($"http://{PodAddress.Instance}:{resource.GetEndpoint(endpoint).Property(EndpointProperty.TargetPort)}"))
        : resource;

    public static IResourceBuilder<T> WithEksFile<T>(this IResourceBuilder<T> resource, string source, string path)
        where T : IComputeResource => resource.WithAnnotation(new EksFile(source, path));

    /// <summary>A value of the cluster, in <paramref name="variable"/>, from a parameter that the laptop does not need.</summary>
    public static IResourceBuilder<T> WithEksParameter<T>(this IResourceBuilder<T> resource, string variable, IResourceBuilder<ParameterResource>? parameter)
        where T : IComputeResource, IResourceWithEnvironment => parameter is null ? resource : resource.WithEnvironment(variable, parameter);

    private static IResourceBuilder<T> Set<T, TAnnotation>(this IResourceBuilder<T> resource, TAnnotation annotation)
        where T : IResource
        where TAnnotation : IResourceAnnotation => resource.WithAnnotation(annotation, ResourceAnnotationMutationBehavior.Replace);
}

/// <summary>The address of the pod that a program runs in, known when it runs: Kubernetes puts it in the place of <c>$(POD_IP)</c>.</summary>
internal sealed class PodAddress : IValueProvider, IManifestExpressionProvider
{
    public const string Variable = "POD_IP";

    public static readonly PodAddress Instance = new();

    public string ValueExpression => $"$({Variable})";

    public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default) => new(ValueExpression);
}
