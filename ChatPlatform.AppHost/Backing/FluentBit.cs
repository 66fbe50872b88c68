using ChatPlatform.AppHost.Eks;

namespace ChatPlatform.AppHost.Backing;

/// <summary>The agent between the chat and Kafka, from the repo's one <c>fluent-bit.yaml</c> whatever program reads it.</summary>
internal static class FluentBit
{
    /// <summary>Fluent Bit's own port of the forward protocol, inside a container.</summary>
    private const int ForwardPort = 24224;

    private const string Loopback = "127.0.0.1";

    /// <summary>Fluent Bit's own image.</summary>
    private const string Image = "fluent/fluent-bit", Tag = "4.2.0";

    private const string ConfigurationPath = "/fluent-bit/etc/fluent-bit.yaml";

    /// <summary>As a process: <c>fluent-bit</c> where it is installed, else our forwarder, which deletes a chunk only after Kafka has acknowledged it.</summary>
    public static Upstream AddLocal(
        IDistributedApplicationBuilder builder, string name, IResourceBuilder<IResourceWithConnectionString> kafka, int port, string storage)
    {
        var configuration = ConfigurationFile(builder);
        var brokers = kafka.Resource.ConnectionStringExpression;
        if (Programs.Find("fluent-bit") is { } program)
        {
            var agent = builder.AddExecutable(name, program, storage, "--config", configuration)
                .WithEndpoint(port: port, targetPort: port, scheme: "tcp", name: "forward", env: "FLUENT_PORT", isProxied: false);
            return Finish(agent, brokers, storage, Loopback);
        }

        var forwarder = builder.AddProject<Projects.ChatPlatform_Forwarder>(name, launchProfileName: null)
            .WithArgs("--config", configuration)
            .WithHttpEndpoint(name: "http")
            .WithEndpoint(port: port, targetPort: port, scheme: "tcp", name: "forward", env: "FLUENT_PORT", isProxied: false)
            .WithHttpHealthCheck("/health", endpointName: "http");
        return Finish(forwarder, brokers, storage, Loopback);
    }

    /// <summary>Fluent Bit's own image, its buffer in a volume.</summary>
    public static Upstream AddContainer(IDistributedApplicationBuilder builder, string name, ReferenceExpression brokers, int port)
    {
        var agent = builder.AddContainer(name, Image, Tag)
            .WithBindMount(ConfigurationFile(builder), ConfigurationPath, isReadOnly: true)
            .WithVolume("chat-fluent-bit", "/var/lib/fluent-bit")
            .WithArgs("--config", ConfigurationPath)
            .WithEndpoint(port: port, targetPort: ForwardPort, scheme: "tcp", name: "forward", env: "FLUENT_PORT");
        // Inside its container only; the published port is on this machine's loopback.
        return Finish(agent, brokers, "/var/lib/fluent-bit", listen: "0.0.0.0");
    }

    /// <summary>On every node of a cluster, its buffer on the node's disk; our forwarder in its place for those who choose that overlay.</summary>
    public static Upstream AddNodeAgent(IDistributedApplicationBuilder builder, string name, IResourceBuilder<IResourceWithConnectionString> kafka, string storage)
    {
        var brokers = kafka.Resource.ConnectionStringExpression;
        // In the file's own words: its HTTP server is switched on from outside it.
        var agent = builder.AddContainer(name, Image, Tag)
            .WithArgs("--config", ConfigurationPath, "-H", "-P", "2020")
            .WithEndpoint(port: ForwardPort, targetPort: ForwardPort, scheme: "tcp", name: "forward", env: "FLUENT_PORT")
            .WithHttpEndpoint(targetPort: 2020, name: "http")
            .WithHttpHealthCheck("/api/v1/uptime", endpointName: "http");
        var forwarder = builder.AddProject<Projects.ChatPlatform_Forwarder>("forwarder", launchProfileName: null)
            .WithArgs("--config", ConfigurationPath)
            .WithEndpoint(port: ForwardPort, targetPort: ForwardPort, scheme: "tcp", name: "forward", env: "FLUENT_PORT")
            .WithHttpEndpoint(targetPort: 2020, name: "http")
            .WithHttpHealthCheck("/health", endpointName: "http")
            .WithAnnotation(new EksInsteadOf(agent.Resource));
        OnNode(forwarder);
        Set(forwarder, brokers, storage, listen: "0.0.0.0");
        return Finish(OnNode(agent), brokers, storage, listen: "0.0.0.0");

        IResourceBuilder<T> OnNode<T>(IResourceBuilder<T> resource)
            where T : IComputeResource => resource
            .WithAnnotation(new EksNodeAgent(storage))
            .WithEksFile(ConfigurationFile(builder), ConfigurationPath)
            .WithEksSize(cpuMillis: 100, memoryMi: 256)
            // Fluent Bit's own grace for what it holds.
            .WithEksDrain(leaveSeconds: 1, stopSeconds: 30);
    }

    private static Upstream Finish<T>(IResourceBuilder<T> agent, ReferenceExpression brokers, string storage, string listen)
        where T : IResourceWithEnvironment, IResourceWithEndpoints
    {
        Set(agent, brokers, storage, listen);
        var endpoint = agent.GetEndpoint("forward");
        return new Upstream(agent.ApplicationBuilder.ExecutionContext.IsPublishMode
            ? ReferenceExpression.Create($"tcp://{endpoint.Property(EndpointProperty.HostAndPort)}")
            : ReferenceExpression.Create($"tcp://127.0.0.1:{endpoint.Property(EndpointProperty.Port)}"));
    }

    private static void Set<T>(IResourceBuilder<T> agent, ReferenceExpression brokers, string storage, string listen)
        where T : IResourceWithEnvironment =>
        agent.WithEnvironment("KAFKA_BROKERS", brokers).WithEnvironment("STORAGE_PATH", storage).WithEnvironment("FLUENT_LISTEN", listen);

    private static string ConfigurationFile(IDistributedApplicationBuilder builder) =>
        Path.GetFullPath(Path.Combine(builder.AppHostDirectory, "..", "services", "fluent-bit", "fluent-bit.yaml"));
}
