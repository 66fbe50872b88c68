using ChatPlatform.Relay;
using ChatPlatform.Relay.Delivery;
using ChatPlatform.Relay.Sessions;
using ChatPlatform.Relay.Sockets;
using ChatPlatform.ServiceDefaults;
using ChatPlatform.ServiceDefaults.Authentication;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddGrpcPort();
builder.AddAccessTokens();
builder.AddRedis();
builder.AddRelay();

var app = builder.Build();
app.UseWebSockets();
app.MapDefaultEndpoints();
// As a plain delegate: no services of a request's own, which would live as long as the connection.
app.MapGet("/v1/ws", (RequestDelegate)app.Services.GetRequiredService<SocketEndpoint>().HandleAsync);
app.MapGrpcHealthChecksService();
app.MapGrpcService<RelayGrpcService>();

app.Run();
