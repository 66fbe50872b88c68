using Amazon;
using Amazon.Runtime;
using Aspire.Hosting.AWS;
using ChatPlatform.AppHost.Eks;
using ChatPlatform.AppHost.Stack;

namespace ChatPlatform.AppHost.Backing;

/// <summary>Where AWS is: an edge on this machine, or AWS itself. Services get standard AWS settings only.</summary>
/// <param name="Resource">The local edge, to wait for; null on AWS.</param>
/// <param name="Endpoint">The one address of a local edge, as <c>http://127.0.0.1:PORT</c>; null on AWS. An address, not a name: S3 clients then use path style.</param>
/// <param name="Sdk">Profile and region on AWS; null for a local edge.</param>
internal sealed record AwsEdge(IResourceBuilder<IResource>? Resource, ReferenceExpression? Endpoint, IAWSSDKConfig? Sdk)
{
    /// <summary>The region that local edges take everything for; Karrot's home.</summary>
    public static readonly RegionEndpoint LocalRegion = RegionEndpoint.APNortheast2;

    /// <summary>An account number for local ARNs, as AWS's own documentation writes one.</summary>
    public const string LocalAccount = "000000000000";

    /// <summary>Key id and secret of everybody on a local edge: presigned URLs are checked against them, requests only for being signed.</summary>
    public const string LocalKey = "test";

    /// <summary>A client of the AWS SDK against this edge.</summary>
    public async Task<TClient> ConnectAsync<TClient, TConfig>(Func<AWSCredentials, TConfig, TClient> create, CancellationToken cancellationToken)
        where TConfig : ClientConfig, new()
    {
        var config = new TConfig { AuthenticationRegion = LocalRegion.SystemName };
        if (Endpoint is not null && await Endpoint.GetValueAsync(cancellationToken) is { } url)
            config.ServiceURL = url;
        return create(new BasicAWSCredentials(LocalKey, LocalKey), config);
    }

    /// <summary>Sets the standard AWS variables of <paramref name="resource"/>.</summary>
    public IResourceBuilder<T> Apply<T>(IResourceBuilder<T> resource)
        where T : IResourceWithEnvironment
    {
        if (Sdk is not null)
            return resource.WithReference(Sdk);
        return resource
            .WithEnvironment("AWS_ENDPOINT_URL", Endpoint!)
            .WithEnvironment("AWS_REGION", LocalRegion.SystemName)
            .WithEnvironment("AWS_ACCESS_KEY_ID", LocalKey)
            .WithEnvironment("AWS_SECRET_ACCESS_KEY", LocalKey);
    }
}

internal static class AwsEdgeExtensions
{
    /// <summary>Gives a service AWS and, where a local edge serves it, waits for that edge. On AWS the service may do what <paramref name="grants"/> say.</summary>
    public static IResourceBuilder<T> WithAws<T>(this IResourceBuilder<T> resource, AwsEdge aws, params IEnumerable<AwsGrant> grants)
        where T : IResourceWithEnvironment, IResourceWithWaitSupport
    {
        foreach (var grant in grants)
            resource.WithAnnotation(new EksAwsAccess(grant));
        aws.Apply(resource);
        return aws.Resource is null ? resource : resource.WaitFor(aws.Resource);
    }
}
