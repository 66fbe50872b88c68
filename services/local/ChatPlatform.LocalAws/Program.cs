using ChatPlatform.LocalAws.DynamoDb;
using ChatPlatform.LocalAws.Faults;
using ChatPlatform.LocalAws.Firehose;
using ChatPlatform.LocalAws.Protocol;
using ChatPlatform.LocalAws.S3;
using ChatPlatform.LocalAws.Storage;
using ChatPlatform.LocalAws.Streams;
using ChatPlatform.ServiceDefaults;
using Microsoft.Extensions.Options;

WebApplication app;
try
{
    var builder = WebApplication.CreateBuilder(DataFolderSetup.ReadFlags(args));

    builder.AddServiceDefaults();
    builder.AddDataFolder();
    builder.AddAwsJson();

    builder.Services.AddDynamoDb().AddStreams().AddObjectStore().AddFirehose();

    app = builder.Build();

    // Before the server starts, so that a wrong setting or a folder that cannot be read is one line and not a host that fails.
    app.Services.GetRequiredService<IStartupValidator>().Validate();
    app.Services.GetRequiredService<DynamoStore>();

    app.MapDefaultEndpoints();
    app.MapServiceList();
    app.MapFaults();
    app.MapAwsJson();
    app.MapS3();
}
catch (Exception error) when (error is DataFolderException or OptionsValidationException)
{
    Console.Error.WriteLine(error.Message);
    return 1;
}

await app.RunAsync();
return 0;
