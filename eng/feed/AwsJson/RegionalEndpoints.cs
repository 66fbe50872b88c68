using Amazon;
using Amazon.Runtime;
using Amazon.Runtime.Endpoints;
using Amazon.Runtime.Internal;
using Amazon.Util;

namespace ChatPlatform.Feed.AwsJson;

/// <summary>
/// Where the requests of a service go: the configured endpoint (ServiceURL, AWS_ENDPOINT_URL_…, AWS_ENDPOINT_URL) if there is one,
/// else <c>https://{prefix}.{region}.{the partition's domain}</c>, with <c>-fips</c> after the prefix where FIPS is asked for.
/// Dual-stack endpoints are outside the substitute; asking for one is refused.
/// </summary>
internal sealed class RegionalEndpointProvider(string hostPrefix) : IEndpointProvider
{
    public Endpoint ResolveEndpoint(EndpointParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        var fips = parameters[RegionalEndpointResolver.UseFips] is true;
        if (parameters[RegionalEndpointResolver.UseDualStack] is true)
            throw new AmazonClientException("Invalid Configuration: dual-stack endpoints are not part of this substitute; unset AWS_USE_DUALSTACK_ENDPOINT");

        if (parameters[RegionalEndpointResolver.Configured] is string { Length: > 0 } configured)
        {
            return fips
                ? throw new AmazonClientException("Invalid Configuration: FIPS and custom endpoint are not supported")
                : new Endpoint(configured);
        }

        if (parameters[RegionalEndpointResolver.Region] is not string { Length: > 0 } region)
            throw new AmazonClientException("Invalid Configuration: Missing Region");
        var suffix = RegionEndpoint.GetBySystemName(region).PartitionDnsSuffix;
        return new Endpoint($"https://{hostPrefix}{(fips ? "-fips" : "")}.{region}.{suffix}");
    }
}

/// <summary>The pipeline step that asks the configuration's endpoint provider and writes the answer into the request.</summary>
internal sealed class RegionalEndpointResolver : BaseEndpointResolver
{
    public const string Region = "Region";
    public const string UseDualStack = "UseDualStack";
    public const string UseFips = "UseFIPS";
    public const string Configured = "Endpoint";

    protected override EndpointParameters MapEndpointsParameters(IRequestContext requestContext)
    {
        var config = requestContext.ClientConfig;
        return new EndpointParameters
        {
            [Region] = requestContext.Request.AlternateEndpoint?.SystemName ?? config.RegionEndpoint?.SystemName ?? RegionOf(config),
            [UseDualStack] = config.UseDualstackEndpoint,
            [UseFips] = config.UseFIPSEndpoint,
            [Configured] = config.ServiceURL,
        };
    }

    protected override void ServiceSpecificHandler(IExecutionContext executionContext, EndpointParameters parameters) =>
        InjectHostPrefix(executionContext.RequestContext);

    // With a bare ServiceURL the signing region comes from AuthenticationRegion, or from the URL's host name.
    private static string RegionOf(IClientConfig config)
    {
        if (string.IsNullOrEmpty(config.ServiceURL))
            return null;
        return !string.IsNullOrEmpty(config.AuthenticationRegion)
            ? config.AuthenticationRegion
            : RegionEndpoint.GetBySystemName(AWSSDKUtils.DetermineRegion(config.ServiceURL)).SystemName;
    }
}
