using ChatPlatform.Api;
using ChatPlatform.Api.Access;
using ChatPlatform.Api.Attachments;
using ChatPlatform.Api.Events;
using ChatPlatform.Api.Grpc;
using ChatPlatform.Api.Limits;
using ChatPlatform.Api.Messages;
using ChatPlatform.Api.Rooms;
using ChatPlatform.Api.Rooms.Owners;
using ChatPlatform.Api.Sessions;
using ChatPlatform.Api.Users;
using ChatPlatform.Contracts.Tables;
using ChatPlatform.ServiceDefaults;
using ChatPlatform.ServiceDefaults.Authentication;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddGrpcPort();
builder.AddChatAuthentication();
builder.AddDynamoDb([.. ChatTables.All.Select(table => table.Name)]);
builder.AddRedis();
builder.AddEventPublishing();
builder.AddAttachments();
builder.AddChat();
builder.AddRoomOwners();
builder.AddRateLimits();
builder.AddProtocols();

var app = builder.Build();
app.UseProblems();
app.UseAuthentication();
app.UseMiddleware<RateLimiting>();
app.UseAuthorization();
app.UseMiddleware<RoomHop>();
app.MapDefaultEndpoints();
app.MapOpenApi().AllowAnonymous();
app.MapDevTokens();
app.MapInternalMessages();
app.MapGrpcHealthChecksService().AllowAnonymous();
app.MapGrpcService<ChatGrpcService>();

var users = app.MapGroup("").RequireAuthorization(ChatAuthentication.UserPolicy);
users.MapRooms();
users.MapMessages();
users.MapAttachments();
users.MapUsers();

app.Run();
