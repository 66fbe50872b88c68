using Amazon.Runtime;
using Amazon.Runtime.Endpoints;
using Amazon.Runtime.Internal;
using Amazon.Util.Internal;
using ChatPlatform.Feed.AwsJson;
using Endpoint = Amazon.Runtime.Endpoints.Endpoint;
using ExecutionContext = Amazon.Runtime.Internal.ExecutionContext;

namespace Amazon.DynamoDBStreams;

/// <summary>Settings of AmazonDynamoDBStreamsClient. The service's name in AWS_ENDPOINT_URL_… and in the shared configuration files follows from its id, "DynamoDB Streams".</summary>
public class AmazonDynamoDBStreamsConfig : ClientConfig
{
    private static readonly string Agent = InternalSDKUtils.BuildUserAgentString("DynamoDB Streams", typeof(AmazonDynamoDBStreamsConfig).Assembly.GetName().Version!.ToString(3));
    private static readonly RegionalEndpointResolver Resolver = new();

    public AmazonDynamoDBStreamsConfig()
        : base(SdkDefaults.Provider())
    {
        base.ServiceId = ServiceId;
        AuthenticationServiceName = "dynamodb";
        EndpointProvider = new RegionalEndpointProvider("streams.dynamodb");
    }

    /// <summary>The name of the service in AWS's models.</summary>
    public static new string ServiceId => "DynamoDB Streams";

    public override string RegionEndpointServiceName => "streams.dynamodb";

    public override string ServiceVersion => "2012-08-10";

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
