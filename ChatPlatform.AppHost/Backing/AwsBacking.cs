using Amazon;
using Aspire.Hosting.AWS;
using ChatPlatform.AppHost.Eks;
using ChatPlatform.AppHost.Stack;
using ChatPlatform.Contracts.Tables;

namespace ChatPlatform.AppHost.Backing;

/// <summary>
/// The services of this machine on an AWS account's tables, streams, Redis and Kafka. What a stack makes there is not made here:
/// connection strings and keys are parameters, and AWS Lambda runs the functions.
/// </summary>
internal sealed class AwsBacking(IDistributedApplicationBuilder builder) : ChatBacking(builder)
{
    public const string Name = "aws";

    /// <summary>The subnets of ElastiCache and MSK; asked for only when manifests are made.</summary>
    private readonly IResourceBuilder<ParameterResource>? _dataNetworks = builder.ExecutionContext.IsPublishMode ? builder.AddParameter("data-networks") : null;

    public override IResourceBuilder<IResourceWithConnectionString> AddRedis(string name) => AddOutside(Builder.AddConnectionString(name), 6379, _dataNetworks);

    public override IResourceBuilder<IResourceWithConnectionString> AddKafka(string name) => AddOutside(Builder.AddConnectionString(name), 9092, _dataNetworks);

    public override AwsEdge AddAws(string name)
    {
        var region = Builder.Configuration["AWS:Region"] ?? AwsEdge.LocalRegion.SystemName;
        var sdk = Builder.AddAWSSDKConfig().WithRegion(RegionEndpoint.GetBySystemName(region));
        if (Builder.Configuration["AWS:Profile"] is { Length: > 0 } profile)
            sdk.WithProfile(profile);
        return new AwsEdge(Resource: null, Endpoint: null, sdk);
    }

    public override IResourceBuilder<ProjectResource>? AddLambda(string name, AwsEdge aws, IResourceBuilder<IResourceWithConnectionString> kafka) => null;

    public override Upstream AddForwarder(string name, IResourceBuilder<IResourceWithConnectionString> kafka) => Builder.ExecutionContext.IsPublishMode
        ? FluentBit.AddNodeAgent(Builder, name, kafka, DataFolder("fluent-bit"))
        : FluentBit.AddLocal(Builder, name, kafka, Ports.FluentBit, DataFolder("fluent-bit"));

    public override FcmUpstream AddFcm(string name)
    {
        var endpoint = AddOutside(Builder.AddParameter("fcm-endpoint", "https://fcm.googleapis.com"), 443, networks: null);
        // A pod sees the service account's key as a file; whoever runs the service at a desk says where it is.
        var key = Builder.ExecutionContext.IsPublishMode
            ? new EksSecretFile(Builder.AddParameter("fcm-key", secret: true).Resource, "/var/run/secrets/chat/fcm/service-account.json")
            : null;
        return new FcmUpstream(
            ReferenceExpression.Create($"{endpoint}"),
            ReferenceExpression.Create($"{Builder.AddParameter("fcm-project")}"),
            key is null ? ReferenceExpression.Create($"{Builder.AddParameter("fcm-key-file")}") : ReferenceExpression.Create($"{key.Path}"),
            Emulator: null) { Key = key };
    }

    public override IResourceBuilder<SetupStep> AddTables(string name, AwsEdge aws, IReadOnlyList<TableSchema> tables) =>
        Builder.AddSetupStep(name, (_, _) => Task.CompletedTask).WithAnnotation(new StackTables(tables));

    public override IResourceBuilder<SetupStep> AddUploads(string name, AwsEdge aws, string bucket) =>
        Builder.AddSetupStep(name, (_, _) => Task.CompletedTask).WithAnnotation(new StackUploads(bucket));

    public override TokenKeys AddTokenKeys() => new(
        Builder.AddParameter("jwt-signing-key", secret: true),
        Builder.AddParameter("internal-service-token", secret: true));

    private static IResourceBuilder<T> AddOutside<T>(IResourceBuilder<T> resource, int port, IResourceBuilder<ParameterResource>? networks)
        where T : IResource => resource.WithAnnotation(new EksOutside(port, networks?.Resource));
}
