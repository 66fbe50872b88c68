using ChatPlatform.Gateway.Health;
using ChatPlatform.Gateway.Problems;
using ChatPlatform.Gateway.Routing;
using ChatPlatform.Gateway.WebClient;
using ChatPlatform.ServiceDefaults;

var builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
builder.AddServiceDefaults();
builder.AddGrpcPort();
builder.AddRouting();
builder.AddUpstreamHealth();
// Open sockets are the relay's to drain; what is still open when the gateway stops reconnects and resumes.
builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(5));

var app = builder.Build();
app.UseGatewayProblems();
app.UseWebClient();
app.MapDefaultEndpoints();
app.MapUpstreams();
app.Run();
