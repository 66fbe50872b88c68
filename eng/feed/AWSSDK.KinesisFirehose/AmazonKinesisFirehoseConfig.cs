using Amazon.Runtime;
using Amazon.Runtime.Endpoints;
using Amazon.Runtime.Internal;
using Amazon.Util.Internal;
using ChatPlatform.Feed.AwsJson;
using Endpoint = Amazon.Runtime.Endpoints.Endpoint;
using ExecutionContext = Amazon.Runtime.Internal.ExecutionContext;

namespace Amazon.KinesisFirehose;

/// <summary>Settings of AmazonKinesisFirehoseClient. The service's name in AWS_ENDPOINT_URL_… and in the shared configuration files follows from its id, "Firehose".</summary>
public class AmazonKinesisFirehoseConfig : ClientConfig
{
    private static readonly string Agent = InternalSDKUtils.BuildUserAgentString("Firehose", typeof(AmazonKinesisFirehoseConfig).Assembly.GetName().Version!.ToString(3));
    private static readonly RegionalEndpointResolver Resolver = new();

    public AmazonKinesisFirehoseConfig()
        : base(SdkDefaults.Provider())
    {
        base.ServiceId = ServiceId;
        AuthenticationServiceName = "firehose";
        EndpointProvider = new RegionalEndpointProvider("firehose");
    }

    /// <summary>The name of the service in AWS's models.</summary>
    public static new string ServiceId => "Firehose";

    public override string RegionEndpointServiceName => "firehose";

    public override string ServiceVersion => "2015-08-04";

    public override string UserAgent => Agent;

    public override Endpoint DetermineServiceOperationEndpoint(ServiceOperationEndpointParameters parameters)
    {
        var context = new RequestContext(false)
        {
            ClientConfig = this,
            OriginalRequest = parameters.Request,
            Request = new DefaultRequest(parameters.Request, ServiceId) { AlternateEndpoint = parameters.AlternateEndpoint },
        };
        return Resolver.GetEndpoint(new ExecutionContext(context, null));
    }
}
