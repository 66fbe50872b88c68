using ChatPlatform.FcmEmulator;
using ChatPlatform.ServiceDefaults;

// Firebase Cloud Messaging, HTTP v1, for a laptop: validates as FCM does, can be told to fail, and shows what each device received.
var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = 64 * 1024);
builder.Services.AddSingleton(TimeProvider.System);
builder.Services.AddSingleton<Faults>();
builder.Services.AddSingleton<ReceivedMessages>();

var app = builder.Build();
app.MapDefaultEndpoints();
app.MapSend();
app.MapInspection();
await app.RunAsync();
