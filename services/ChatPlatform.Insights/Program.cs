using ChatPlatform.Insights.Articles;
using ChatPlatform.Insights.Events;
using ChatPlatform.ServiceDefaults;

// The example of another team's service: how much is chatted about an article, from the topic alone. It knows the event contract and nothing else of the chat.
var builder = WebApplication.CreateSlimBuilder(args);
builder.AddServiceDefaults();
builder.Services.AddSingleton(TimeProvider.System);
builder.AddArticleCounts();
builder.AddChatEvents();

var app = builder.Build();
app.MapDefaultEndpoints();
app.MapArticles();
await app.RunAsync();
