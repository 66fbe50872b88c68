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
// After UseWebSockets: a token in the query counts for WebSocket handshakes only.
app.UseAuthentication();
app.UseAuthorization();
app.MapDefaultEndpoints();
app.MapGet("/v1/ws", (HttpContext http, SocketEndpoint sockets) => sockets.HandleAsync(http)).AllowAnonymous();
app.MapGrpcHealthChecksService().AllowAnonymous();
app.MapGrpcService<RelayGrpcService>().AllowAnonymous();

app.Run();
