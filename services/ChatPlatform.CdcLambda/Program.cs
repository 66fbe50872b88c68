using ChatPlatform.CdcLambda;
using ChatPlatform.CdcLambda.Delivery;
using ChatPlatform.CdcLambda.Runtime;
using ChatPlatform.CdcLambda.Streams;

// A custom runtime's bootstrap: read the settings, then answer one invocation after the other until the platform ends the process.
using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false, UseCookies = false, AllowAutoRedirect = false }) { Timeout = Timeout.InfiniteTimeSpan };
if (Environment.GetEnvironmentVariable("AWS_LAMBDA_RUNTIME_API") is not { Length: > 0 } address)
{
    Console.Error.WriteLine("AWS_LAMBDA_RUNTIME_API is not set; it must be the host:port of the Lambda Runtime API, which only Lambda or its emulator gives.");
    return 1;
}

var runtime = new LambdaRuntime(http, address);
CdcSettings settings;
try
{
    settings = CdcSettings.Read(Environment.GetEnvironmentVariable);
}
catch (InvalidSettingException error)
{
    Console.Error.WriteLine(error.Message);
    await runtime.ReportInitErrorAsync("Function.InvalidSetting", error.Message);
    return 1;
}

var function = new CdcFunction(
    new StreamEventReader(settings.DropFields, settings.KindField, settings.DropKinds),
    new FirehoseClient(http, settings, TimeProvider.System),
    TimeProvider.System,
    Console.Error);
await runtime.RunAsync(function.HandleAsync);
return 0;
