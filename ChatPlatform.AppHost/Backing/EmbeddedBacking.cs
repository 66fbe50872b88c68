namespace ChatPlatform.AppHost.Backing;

/// <summary>Everything as a process on this machine: no container engine, no account, no token.</summary>
internal sealed class EmbeddedBacking(IDistributedApplicationBuilder builder) : ChatBacking(builder)
{
    public const string Name = "embedded";

    public override IResourceBuilder<IResourceWithConnectionString> AddRedis(string name)
    {
        if (Builder.ExecutionContext.IsRunMode && Programs.Find("redis-server") is null)
            throw new StartProblem("redis-server is not installed; run ./dev setup, or install the package redis-server (Debian, Ubuntu) or redis (Fedora, Homebrew).");
        return Builder.AddRedisCluster(name, Ports.Redis, DataFolder);
    }

    public override IResourceBuilder<IResourceWithConnectionString> AddKafka(string name)
    {
        var broker = Builder.AddProject<Projects.ChatPlatform_LocalKafka>($"{name}-broker", launchProfileName: null)
            .WithHttpEndpoint(name: "http")
            .WithEndpoint(port: Ports.Kafka, targetPort: Ports.Kafka, scheme: "tcp", name: "tcp", env: "KAFKA_PORT", isProxied: false)
            .WithHttpHealthCheck("/health", endpointName: "http");
        return Builder.AddConnectionString(name, ReferenceExpression.Create($"127.0.0.1:{broker.GetEndpoint("tcp").Property(EndpointProperty.Port)}"))
            .WaitFor(broker);
    }

    public override AwsEdge AddAws(string name)
    {
        var edge = Builder.AddProject<Projects.ChatPlatform_LocalAws>(name, launchProfileName: null)
            .WithHttpEndpoint(port: Ports.Aws, name: "http", isProxied: false)
            .WithEnvironment("DataPath", DataFolder("aws"))
            .WithEnvironment("AWS_ACCESS_KEY_ID", AwsEdge.LocalKey)
            .WithEnvironment("AWS_SECRET_ACCESS_KEY", AwsEdge.LocalKey)
            .WithHttpHealthCheck("/health");
        return new AwsEdge(edge, ReferenceExpression.Create($"http://127.0.0.1:{edge.GetEndpoint("http").Property(EndpointProperty.Port)}"), Sdk: null);
    }

    public override IResourceBuilder<ProjectResource> AddLambda(string name, AwsEdge aws, IResourceBuilder<IResourceWithConnectionString> kafka)
    {
        var lambda = AddLambdaEmulator(name, aws, kafka);
        // The other way round too: Firehose asks functions to transform records.
        if (aws.Resource is IResourceBuilder<ProjectResource> edge)
            edge.WithEnvironment("Firehose__LambdaEndpoint", lambda.GetEndpoint("http"));
        return lambda;
    }

    public override Upstream AddForwarder(string name, IResourceBuilder<IResourceWithConnectionString> kafka) =>
        FluentBit.AddLocal(Builder, name, kafka, Ports.FluentBit, DataFolder("fluent-bit"));
}
