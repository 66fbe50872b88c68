using System.Net.Sockets;
using ChatPlatform.LocalKafka;
using ChatPlatform.ServiceDefaults;
using Microsoft.AspNetCore.Connections;

// A Kafka cluster for a laptop: librdkafka's own mock cluster (real protocol, in memory), reached over the fixed port KAFKA_PORT.
try
{
    var builder = WebApplication.CreateBuilder(args);
    builder.AddServiceDefaults();
    // A taken port is told in one line below, without the host's stack trace.
    builder.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None);

    var options = LocalKafkaOptions.Read(builder.Configuration);
    using var bootstrap = BootstrapPort.Bind(options.Port);
    using var cluster = new MockCluster(brokers: 1);
    cluster.CreateTopic(options.Topic, options.Partitions);

    builder.Services.AddHostedService(services => new BootstrapForwarder(bootstrap, cluster.Address, services.GetRequiredService<ILogger<BootstrapForwarder>>()));
    builder.Services.AddSingleton(new KafkaMetadata($"127.0.0.1:{options.Port}"));
    builder.Services.AddHealthChecks().AddCheck<KafkaHealth>("kafka");

    var app = builder.Build();
    app.MapDefaultEndpoints();
    await app.RunAsync();
    return 0;
}
catch (Exception error) when (error is LocalKafkaException or AddressInUseException || error.InnerException is AddressInUseException or SocketException)
{
    Console.Error.WriteLine($"LocalKafka cannot start: {error.Message}");
    return 1;
}
