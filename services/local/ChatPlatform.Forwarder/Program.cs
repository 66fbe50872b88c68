using ChatPlatform.Forwarder;
using ChatPlatform.Forwarder.Configuration;
using ChatPlatform.Forwarder.Delivery;
using ChatPlatform.ServiceDefaults;
using Microsoft.AspNetCore.Connections;

// A Forward-protocol agent that reads Fluent Bit's configuration file and deletes a record only after every output's far end has acknowledged it.
try
{
    var pipeline = ForwarderHost.LoadPipeline(args);
    var builder = WebApplication.CreateSlimBuilder();
    builder.AddServiceDefaults();
    // A taken port is told in one line below, without the host's stack trace.
    builder.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None);
    builder.AddPipeline(pipeline);

    var app = builder.Build();
    app.MapDefaultEndpoints();
    app.MapFluentBitEndpoints();
    await app.RunAsync();
    return 0;
}
catch (Exception error) when (error is PipelineFileException or ForwarderStartException || error.InnerException is AddressInUseException)
{
    Console.Error.WriteLine($"Forwarder cannot start: {error.Message}");
    return 1;
}
