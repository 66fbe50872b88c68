using ChatPlatform.FcmEmulator;
using ChatPlatform.ServiceDefaults;

// Firebase Cloud Messaging, HTTP v1, for a laptop: validates as FCM does, can be told to fail, and shows what each device received.
var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = 64 * 1024);
builder.Services.AddSingleton(TimeProvider.System);
builder.Services.AddSingleton<Faults>();
builder.Services.AddSingleton<AccessTokens>();
builder.Services.AddSingleton<ReceivedMessages>();

var app = builder.Build();
// Written before anything answers, so that whoever waits for this process finds the file.
app.Services.GetRequiredService<AccessTokens>().WriteKeyFile();
app.MapDefaultEndpoints();
app.MapToken();
app.MapSend();
app.MapInspection();
await app.RunAsync();
