using ChatPlatform.Notifier.Delivery;
using ChatPlatform.Notifier.Devices;
using ChatPlatform.Notifier.Push;
using ChatPlatform.ServiceDefaults;

// Consumes chat.events and pushes what a member with no live connection missed.
var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.Services.AddSingleton(TimeProvider.System);
builder.AddDynamoDb(DeviceDirectory.Users, DeviceDirectory.Members, UnreadCounts.Rooms);
builder.AddFcm();
builder.AddMissedDeliveries();

var app = builder.Build();
app.MapDefaultEndpoints();
await app.RunAsync();
