using ChatPlatform.Relay;
using ChatPlatform.Relay.Delivery;
using ChatPlatform.Relay.Sessions;
using ChatPlatform.Relay.Sockets;
using ChatPlatform.ServiceDefaults;
using ChatPlatform.ServiceDefaults.Authentication;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddGrpcPort();
builder.AddChatAuthentication();
builder.AddRedis();
builder.AddRelay();

var app = builder.Build();
app.UseWebSockets();
app.MapDefaultEndpoints();
// As a plain delegate: no services of a request's own, which would live as long as the connection.
app.MapGet("/v1/ws", (RequestDelegate)app.Services.GetRequiredService<SocketEndpoint>().HandleAsync).AllowAnonymous();
app.MapGrpcHealthChecksService().AllowAnonymous();
app.MapGrpcService<RelayGrpcService>().AllowAnonymous();

app.Run();
