namespace ChatPlatform.AppHost.Backing;

/// <summary>The agent between the chat and Kafka, from the repo's one <c>fluent-bit.yaml</c> whatever program reads it.</summary>
internal static class FluentBit
{
    /// <summary>Fluent Bit's own port of the forward protocol, inside a container.</summary>
    private const int ForwardPort = 24224;

    private const string Loopback = "127.0.0.1";

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
        var agent = builder.AddContainer(name, "fluent/fluent-bit", "4.2.0")
            .WithBindMount(ConfigurationFile(builder), "/fluent-bit/etc/fluent-bit.yaml", isReadOnly: true)
            .WithVolume("chat-fluent-bit", "/var/lib/fluent-bit")
            .WithArgs("--config", "/fluent-bit/etc/fluent-bit.yaml")
            .WithEndpoint(port: port, targetPort: ForwardPort, scheme: "tcp", name: "forward", env: "FLUENT_PORT");
        // Inside its container only; the published port is on this machine's loopback.
        return Finish(agent, brokers, "/var/lib/fluent-bit", listen: "0.0.0.0");
    }

    private static Upstream Finish<T>(IResourceBuilder<T> agent, ReferenceExpression brokers, string storage, string listen)
        where T : IResourceWithEnvironment, IResourceWithEndpoints
    {
        agent.WithEnvironment("KAFKA_BROKERS", brokers).WithEnvironment("STORAGE_PATH", storage).WithEnvironment("FLUENT_LISTEN", listen);
        return new Upstream(ReferenceExpression.Create($"tcp://127.0.0.1:{agent.GetEndpoint("forward").Property(EndpointProperty.Port)}"));
    }

    private static string ConfigurationFile(IDistributedApplicationBuilder builder) =>
        Path.GetFullPath(Path.Combine(builder.AppHostDirectory, "..", "services", "fluent-bit", "fluent-bit.yaml"));
}
