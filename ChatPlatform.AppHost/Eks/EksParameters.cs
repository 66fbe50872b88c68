using Microsoft.Extensions.Configuration;

namespace ChatPlatform.AppHost.Eks;

/// <summary>What the manifests need to know of an account and its cluster, beyond what the services' own parameters say. Only in publish mode.</summary>
internal sealed class EksParameters(IDistributedApplicationBuilder builder)
{
    /// <summary>Where images are pulled from, such as <c>111122223333.dkr.ecr.ap-northeast-2.amazonaws.com</c>.</summary>
    public IResourceBuilder<ParameterResource> ImageRegistry { get; } = builder.AddParameter("image-registry");

    /// <summary>The tag of every image that has no parameter <c>NAME-image</c> of its own.</summary>
    public IResourceBuilder<ParameterResource> ImageTag { get; } = builder.AddParameter("image-tag");

    public IResourceBuilder<ParameterResource> Region { get; } = builder.AddParameter("aws-region");

    /// <summary>The networks that pods get their addresses from.</summary>
    public IResourceBuilder<ParameterResource> PodNetworks { get; } = builder.AddParameter("pod-networks");

    /// <summary>The networks of the load balancer's own addresses.</summary>
    public IResourceBuilder<ParameterResource> LoadBalancerNetworks { get; } = builder.AddParameter("load-balancer-networks");

    /// <summary>The name that clients call.</summary>
    public IResourceBuilder<ParameterResource> Host { get; } = builder.AddParameter("host");

    /// <summary>The load balancer's certificate in AWS Certificate Manager.</summary>
    public IResourceBuilder<ParameterResource> CertificateArn { get; } = builder.AddParameter("certificate-arn");

    /// <summary>The EFS file system of the shared folders: the output <c>FileSystemId</c> of the stack.</summary>
    public IResourceBuilder<ParameterResource> FileSystemId { get; } = builder.AddParameter("file-system-id");

    /// <summary>The <c>ClusterSecretStore</c> of the External Secrets Operator.</summary>
    public IResourceBuilder<ParameterResource> SecretStore { get; } = builder.AddParameter("secret-store");

    /// <summary>What the names of the secrets in the store begin with.</summary>
    public IResourceBuilder<ParameterResource> SecretPrefix { get; } = builder.AddParameter("secret-prefix");

    /// <summary>The bucket that clients upload to: the names of buckets are shared by all accounts.</summary>
    public IResourceBuilder<ParameterResource> UploadBucket { get; } = builder.AddParameter("upload-bucket");

    /// <summary>Those that no setting of a service has, only the objects around it.</summary>
    public IEnumerable<IResourceBuilder<ParameterResource>> OfObjects => [LoadBalancerNetworks, Host, CertificateArn, FileSystemId, SecretStore, SecretPrefix, UploadBucket];

    /// <summary>A collector in the cluster, as <c>http://SERVICE.NAMESPACE.svc:PORT</c>.</summary>
    public IResourceBuilder<ParameterResource> OtlpEndpoint { get; } = builder.AddParameter("otlp-endpoint");
}

/// <summary>An account's cluster that the manifests are for: the base, or what an overlay makes of it.</summary>
/// <param name="Name">The overlay's folder; values come from <c>Eks:NAME:PARAMETER</c>, then <c>Parameters:PARAMETER</c>.</param>
/// <param name="Small">One pod of each where the base has several, and half the CPU.</param>
internal sealed record EksEnvironment(string? Name, bool Small)
{
    public static readonly EksEnvironment Base = new(null, Small: false);

    public static readonly IReadOnlyList<EksEnvironment> Overlays = [new("dev", Small: true), new("prod", Small: false)];
}

/// <summary>The parameters' values in one environment. What is missing is noted and reported together.</summary>
internal sealed class EksValues(IConfiguration configuration, EksEnvironment environment)
{
    private readonly SortedDictionary<string, string> _problems = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _known = [];

    public EksEnvironment Environment => environment;

    public IEnumerable<string> Problems => _problems.Values;

    /// <summary>The value of a parameter that is no secret; empty, and a problem noted, when it has none.</summary>
    /// <param name="parameter">The parameter.</param>
    /// <param name="user">The resource that needs it.</param>
    public async ValueTask<string> GetAsync(ParameterResource parameter, string user)
    {
        try
        {
            return _known[parameter.Name] = Configured(parameter.Name) ?? await parameter.GetValueAsync(CancellationToken.None) ?? "";
        }
        catch (MissingParameterValueException)
        {
            Problem(
                parameter.Name,
                $"parameter '{parameter.Name}', which resource '{user}' needs, has no value; set Parameters__{parameter.Name.Replace('-', '_')} or add it to {EksPublishing.ValuesFile}.");
            return "";
        }
    }

    /// <summary>The value of a parameter that was asked for before.</summary>
    public string this[ParameterResource parameter] => _known[parameter.Name];

    /// <summary>The value that the configuration gives a name in this environment, if any.</summary>
    public string? Configured(string name) => environment.Name is { } overlay && configuration[$"Eks:{overlay}:{name}"] is { Length: > 0 } own
        ? own
        : configuration[$"Parameters:{name}"] ?? configuration[$"Parameters:{name.Replace('-', '_')}"];

    public void Problem(string key, string text) => _problems.TryAdd(key, text);
}
