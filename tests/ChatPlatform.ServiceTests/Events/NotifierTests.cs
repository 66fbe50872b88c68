using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using ChatPlatform.ServiceTests.Processes;
using Confluent.Kafka;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ChatPlatform.ServiceTests.Events;

public sealed class NotifierTests
{
    private static readonly HttpClient Http = new();

    [Fact]
    public async Task A_missed_message_is_pushed_once_to_every_device_of_its_users_through_every_trouble_of_fcm()
    {
        await using var services = new EventServices();
        await using var table = await DeviceTable.StartAsync();
        table.AddDevice("u1", "phone", "token-1");
        table.AddDevice("u1", "tablet", "token-2");
        table.AddDevice("u2", "phone", "token-muted");
        table.AddDevice("u3", "phone", "token-gone");
        table.Muted.Add("u2");
        await services.StartKafkaAsync();
        var fcmUrl = $"http://127.0.0.1:{ServiceProcess.FreePort()}";
        await using var fcm = ServiceProcess.StartService("services/local/ChatPlatform.FcmEmulator", new Dictionary<string, string?> { ["ASPNETCORE_URLS"] = fcmUrl });
        await fcm.WaitForHealthAsync(fcmUrl + "/health");
        (await Http.PutAsJsonAsync(fcmUrl + "/_fcm/devices/token-gone", new { unregistered = true })).EnsureSuccessStatusCode();
        (await Http.PostAsJsonAsync(fcmUrl + "/_fcm/faults", new { error = "503", count = 2, token = "token-1" })).EnsureSuccessStatusCode();
        (await Http.PostAsJsonAsync(fcmUrl + "/_fcm/faults", new { error = "429", count = 1, retryAfterSeconds = 1, token = "token-2" })).EnsureSuccessStatusCode();

        var notifierUrl = $"http://127.0.0.1:{ServiceProcess.FreePort()}";
        await using var notifier = ServiceProcess.StartService(
            "services/ChatPlatform.Notifier",
            new Dictionary<string, string?>
            {
                ["ASPNETCORE_URLS"] = notifierUrl,
                ["ConnectionStrings__kafka"] = services.Bootstrap,
                ["Fcm__Endpoint"] = fcmUrl,
                ["Fcm__ProjectId"] = "chat-local",
                ["Fcm__RetryBaseSeconds"] = "0.1",
                ["AWS_ENDPOINT_URL"] = table.Url,
                ["AWS_REGION"] = "ap-northeast-2",
                ["AWS_ACCESS_KEY_ID"] = "local",
                ["AWS_SECRET_ACCESS_KEY"] = "local",
            });
        await notifier.WaitForHealthAsync(notifierUrl + "/health");

        using (var producer = new ProducerBuilder<string, string>(new ProducerConfig { BootstrapServers = services.Bootstrap }).Build())
        {
            await producer.ProduceAsync("chat.events", new() { Key = "r1", Value = "no JSON at all" });
            await producer.ProduceAsync("chat.events", new() { Key = "r1", Value = Missed(1, "안녕 😀") });
            await producer.ProduceAsync("chat.events", new() { Key = "r1", Value = Missed(1, "안녕 😀") });
            await producer.ProduceAsync("chat.events", new() { Key = "r1", Value = Missed(2, "두 번째") });
        }

        await notifier.WaitForAsync(async () => (await ReceivedAsync(fcmUrl, "token-2")).Count >= 2, "two pushes to the second device", TimeSpan.FromSeconds(40));
        foreach (var token in (string[])["token-1", "token-2"])
        {
            var received = await ReceivedAsync(fcmUrl, token);
            received.Select(m => m.GetProperty("data").GetProperty("seq").GetString()).ShouldBe(["1", "2"]);
            var first = received[0];
            first.GetProperty("notification").GetProperty("title").GetString().ShouldBe("u9");
            first.GetProperty("notification").GetProperty("body").GetString().ShouldBe("안녕 😀");
            first.GetProperty("data").GetProperty("roomId").GetString().ShouldBe("r1");
            first.GetProperty("android").GetProperty("collapse_key").GetString().ShouldBe("r1");
        }

        (await ReceivedAsync(fcmUrl, "token-muted")).ShouldBeEmpty();
        table.Devices("u3").ShouldBeEmpty();
        (await notifier.StopAsync()).ShouldBe(0);
    }

    private static string Missed(int seq, string text) => JsonSerializer.Serialize(new
    {
        specversion = "1.0",
        id = $"r1:{seq}:chat.delivery.missed.v1",
        source = "/chat/api",
        type = "chat.delivery.missed.v1",
        data = new { roomId = "r1", seq, userIds = new[] { "u1", "u2", "u3" }, message = new { senderId = "u9", kind = "text", text } },
    });

    private static async Task<IReadOnlyList<JsonElement>> ReceivedAsync(string fcmUrl, string token) =>
        [.. (await Http.GetFromJsonAsync<JsonElement>($"{fcmUrl}/_fcm/devices/{token}")).GetProperty("messages").EnumerateArray().Select(m => m.GetProperty("message"))];

    /// <summary>The DynamoDB calls that the notifier makes, over the two tables it reads.</summary>
    private sealed class DeviceTable(WebApplication app, string url) : IAsyncDisposable
    {
        private readonly Dictionary<string, Dictionary<string, string>> _devices = [];

        public string Url => url;

        public HashSet<string> Muted { get; } = [];

        public static async Task<DeviceTable> StartAsync()
        {
            var url = $"http://127.0.0.1:{ServiceProcess.FreePort()}";
            var builder = WebApplication.CreateBuilder();
            builder.WebHost.UseUrls(url);
            builder.Logging.ClearProviders();
            var app = builder.Build();
            var table = new DeviceTable(app, url);
            app.MapPost("/", table.AnswerAsync);
            await app.StartAsync();
            return table;
        }

        public void AddDevice(string user, string device, string token)
        {
            lock (_devices)
            {
                if (!_devices.TryGetValue(user, out var own))
                    _devices[user] = own = [];
                own["device#" + device] = token;
            }
        }

        public IReadOnlyList<string> Devices(string user)
        {
            lock (_devices)
                return _devices.TryGetValue(user, out var own) ? [.. own.Keys] : [];
        }

        public ValueTask DisposeAsync() => app.DisposeAsync();

        private async Task AnswerAsync(HttpContext context)
        {
            var body = await JsonSerializer.DeserializeAsync<JsonElement>(context.Request.Body);
            object answer;
            lock (_devices)
                answer = Answer(context.Request.Headers["X-Amz-Target"].ToString().Split('.')[1], body);
            context.Response.StatusCode = (int)HttpStatusCode.OK;
            context.Response.ContentType = "application/x-amz-json-1.0";
            await context.Response.WriteAsync(JsonSerializer.Serialize(answer));
        }

        private object Answer(string call, JsonElement body)
        {
            switch (call)
            {
                case "DescribeTable":
                    return new { Table = new { TableName = body.GetProperty("TableName").GetString(), TableStatus = "ACTIVE" } };
                case "GetItem":
                    var user = body.GetProperty("Key").GetProperty("userId").GetProperty("S").GetString()!;
                    return new { Item = new { userId = new { S = user }, muted = new { BOOL = Muted.Contains(user) } } };
                case "Query":
                    var owner = body.GetProperty("ExpressionAttributeValues").GetProperty(":user").GetProperty("S").GetString()!;
                    var items = _devices.GetValueOrDefault(owner["user#".Length..], [])
                        .Select(d => new { pk = new { S = owner }, sk = new { S = d.Key }, platform = new { S = "fcm" }, token = new { S = d.Value } }).ToArray();
                    return new { Items = items, Count = items.Length, ScannedCount = items.Length };
                case "DeleteItem":
                    var key = body.GetProperty("Key");
                    _devices[key.GetProperty("pk").GetProperty("S").GetString()!["user#".Length..]].Remove(key.GetProperty("sk").GetProperty("S").GetString()!);
                    return new { };
                default:
                    throw new InvalidOperationException($"The notifier does not call {call}.");
            }
        }
    }
}
