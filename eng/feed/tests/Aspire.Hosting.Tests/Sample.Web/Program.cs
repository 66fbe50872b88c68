// A program that tells what it was given: its environment, its process; and fails or ends when told to.
if (args is ["exit", var code])
{
    Console.WriteLine($"ending with {code}");
    return int.Parse(code, System.Globalization.CultureInfo.InvariantCulture);
}

var builder = WebApplication.CreateBuilder(args);
builder.Logging.SetMinimumLevel(LogLevel.Warning);
var app = builder.Build();
var started = System.Diagnostics.Stopwatch.StartNew();
app.MapGet("/pid", () => Environment.ProcessId);
app.MapGet("/env", () => Environment.GetEnvironmentVariables());
app.MapGet("/healthz", () => started.ElapsedMilliseconds > 500 ? Results.Ok() : Results.StatusCode(503));
app.MapPost("/crash", () => Environment.Exit(3));
app.MapPost("/echo", async (HttpRequest request, HttpResponse response) => await request.Body.CopyToAsync(response.Body));
Console.WriteLine("web is up");
app.Run();
return 0;
