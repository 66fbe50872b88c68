using System.Globalization;

namespace ChatPlatform.AppHost.Backing;

/// <summary>The same parts as containers: for a desk with a container engine, closer to production, slower to start.</summary>
internal sealed class ContainerBacking(IDistributedApplicationBuilder builder) : ChatBacking(builder)
{
    public const string Name = "containers";

    public override IResourceBuilder<IResourceWithConnectionString> AddRedis(string name) => Builder.AddRedis(name);

    /// <summary>Apache Kafka in KRaft mode, one node that is broker and controller (https://kafka.apache.org/documentation/#kraft).</summary>
    public override IResourceBuilder<IResourceWithConnectionString> AddKafka(string name)
    {
        // Clients follow the advertised address: processes on this machine the published port, containers the name on their network.
        var broker = Builder.AddContainer($"{name}-broker", "apache/kafka", "4.1.1")
            .WithEndpoint(port: Ports.Kafka, targetPort: 9092, scheme: "tcp", name: "tcp")
            .WithEndpoint(targetPort: 9094, scheme: "tcp", name: "internal")
            .WithEnvironment("KAFKA_NODE_ID", "1")
            .WithEnvironment("KAFKA_PROCESS_ROLES", "broker,controller")
            .WithEnvironment("KAFKA_LISTENERS", "HOST://0.0.0.0:9092,CONTROLLER://0.0.0.0:9093,NETWORK://0.0.0.0:9094")
            .WithEnvironment("KAFKA_ADVERTISED_LISTENERS", string.Create(CultureInfo.InvariantCulture, $"HOST://127.0.0.1:{Ports.Kafka},NETWORK://{name}-broker:9094"))
            .WithEnvironment("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "CONTROLLER:PLAINTEXT,HOST:PLAINTEXT,NETWORK:PLAINTEXT")
            .WithEnvironment("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER")
            .WithEnvironment("KAFKA_INTER_BROKER_LISTENER_NAME", "NETWORK")
            .WithEnvironment("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@localhost:9093")
            .WithEnvironment("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1")
            .WithEnvironment("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1")
            .WithEnvironment("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1")
            .WithEnvironment("KAFKA_NUM_PARTITIONS", "4");
        return Builder.AddConnectionString(name, ReferenceExpression.Create($"127.0.0.1:{broker.GetEndpoint("tcp").Property(EndpointProperty.Port)}"))
            .WaitFor(broker);
    }

    /// <summary>The last LocalStack that starts without a token; from 2026-03-23 on the image asks for one (https://blog.localstack.cloud/the-road-ahead-for-localstack/).</summary>
    public override AwsEdge AddAws(string name)
    {
        var edge = Builder.AddContainer(name, "localstack/localstack", "4.14.0")
            .WithHttpEndpoint(port: Ports.Aws, targetPort: 4566, name: "http")
            .WithEnvironment("SERVICES", "dynamodb,dynamodbstreams,s3,firehose")
            .WithHttpHealthCheck("/_localstack/health");
        return new AwsEdge(edge, ReferenceExpression.Create($"http://127.0.0.1:{edge.GetEndpoint("http").Property(EndpointProperty.Port)}"), Sdk: null);
    }

    public override IResourceBuilder<ProjectResource> AddLambda(string name, AwsEdge aws, IResourceBuilder<IResourceWithConnectionString> kafka) =>
        AddLambdaEmulator(name, aws, kafka);

    public override Upstream AddForwarder(string name, IResourceBuilder<IResourceWithConnectionString> kafka) =>
        // On the containers' network the broker has another address than on this machine.
        FluentBit.AddContainer(Builder, name, ReferenceExpression.Create($"{kafka.Resource.Name}-broker:9094"), Ports.FluentBit);
}
