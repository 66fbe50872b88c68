using Amazon;
using Aspire.Hosting.AWS;
using ChatPlatform.Contracts.Tables;


namespace ChatPlatform.AppHost.Backing;

/// <summary>
/// The services of this machine on an AWS account's tables, streams, Redis and Kafka. What a stack makes there is not made here:
/// connection strings and keys are parameters, and AWS Lambda runs the functions.
/// </summary>
internal sealed class AwsBacking(IDistributedApplicationBuilder builder) : ChatBacking(builder)
{
    public const string Name = "aws";

    public override IResourceBuilder<IResourceWithConnectionString> AddRedis(string name) => Builder.AddConnectionString(name);

    public override IResourceBuilder<IResourceWithConnectionString> AddKafka(string name) => Builder.AddConnectionString(name);

    public override AwsEdge AddAws(string name)
    {
        var region = Builder.Configuration["AWS:Region"] ?? AwsEdge.LocalRegion.SystemName;
        var sdk = Builder.AddAWSSDKConfig().WithRegion(RegionEndpoint.GetBySystemName(region));
        if (Builder.Configuration["AWS:Profile"] is { Length: > 0 } profile)
            sdk.WithProfile(profile);
        return new AwsEdge(Resource: null, Endpoint: null, sdk);
    }

    public override IResourceBuilder<ProjectResource>? AddLambda(string name, AwsEdge aws, IResourceBuilder<IResourceWithConnectionString> kafka) => null;

    public override Upstream AddForwarder(string name, IResourceBuilder<IResourceWithConnectionString> kafka) =>
        FluentBit.AddLocal(Builder, name, kafka, Ports.FluentBit, DataFolder("fluent-bit"));

    public override FcmUpstream AddFcm(string name) => new(
        ReferenceExpression.Create($"{Builder.AddParameter("fcm-endpoint", "https://fcm.googleapis.com")}"),
        ReferenceExpression.Create($"{Builder.AddParameter("fcm-project")}"),
        ReferenceExpression.Create($"{Builder.AddParameter("fcm-key-file")}"),
        Emulator: null);

    public override IResourceBuilder<SetupStep> AddTables(string name, AwsEdge aws, IReadOnlyList<TableSchema> tables) =>
        Builder.AddSetupStep(name, (_, _) => Task.CompletedTask);

    public override IResourceBuilder<SetupStep> AddUploads(string name, AwsEdge aws, string bucket) => Builder.AddSetupStep(name, (_, _) => Task.CompletedTask);

    public override TokenKeys AddTokenKeys() => new(
        Builder.AddParameter("jwt-signing-key", secret: true),
        Builder.AddParameter("internal-service-token", secret: true));
}
