using Amazon.DynamoDBStreams;
using Amazon.S3;
using ChatPlatform.LambdaEmulator;
using ChatPlatform.LambdaEmulator.Destinations;
using ChatPlatform.LambdaEmulator.Functions;
using ChatPlatform.LambdaEmulator.Invocations;
using ChatPlatform.LambdaEmulator.Mappings;
using ChatPlatform.LambdaEmulator.RuntimeApi;
using ChatPlatform.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();

EmulatorOptions options;
try
{
    options = EmulatorOptions.Read(builder.Configuration);
}
catch (InvalidOptionException error)
{
    Console.Error.WriteLine(error.Message);
    return 1;
}

// One loopback port per function process: that is how a request to the Runtime API is known to be that process's.
var ports = builder.AddRuntimePorts(options.MaximumConcurrency);

builder.Services.AddSingleton(options);
builder.Services.AddSingleton(ports);
builder.Services.AddSingleton(TimeProvider.System);
builder.Services.AddSingleton<ProcessStarter>();
builder.Services.AddSingleton<FunctionCatalog>();
builder.Services.AddSingleton<AsynchronousInvocations>();
builder.Services.AddSingleton<IAmazonDynamoDBStreams>(_ => new AmazonDynamoDBStreamsClient());
builder.Services.AddSingleton(new Lazy<IAmazonS3>(() => new AmazonS3Client(new AmazonS3Config { ForcePathStyle = true })));
builder.Services.AddSingleton<FailureDestinations>();
builder.Services.AddSingleton<MappingStore>();
builder.Services.AddSingleton<EventSourceMappings>();
builder.Services.AddHostedService<EmulatorLifetime>();
builder.Services.AddHealthChecks().AddCheck<EmulatorReady>("functions");

var app = builder.Build();
app.UseRuntimeApi();
app.UseAwsErrors();
app.MapDefaultEndpoints();
app.MapInvokeApi();
app.MapEventSourceMappingApi();
await app.RunAsync();
return 0;
