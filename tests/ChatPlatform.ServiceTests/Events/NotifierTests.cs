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
        var keyFile = Path.Combine(services.Folder, "service-account.json");
        await using var fcm = await StartFcmAsync(fcmUrl, keyFile);
        (await Http.PutAsJsonAsync(fcmUrl + "/_fcm/devices/token-gone", new { unregistered = true })).EnsureSuccessStatusCode();
        (await Http.PostAsJsonAsync(fcmUrl + "/_fcm/faults", new { error = "503", count = 2, token = "token-1" })).EnsureSuccessStatusCode();
        (await Http.PostAsJsonAsync(fcmUrl + "/_fcm/faults", new { error = "429", count = 1, retryAfterSeconds = 1, token = "token-2" })).EnsureSuccessStatusCode();

        await using var notifier = await StartNotifierAsync(services, table, fcmUrl, keyFile);

        using (var producer = new ProducerBuilder<string, string>(new ProducerConfig { BootstrapServers = services.Bootstrap }).Build())
        {
            await producer.ProduceAsync("chat.events", new() { Key = "r1", Value = "no JSON at all" });
            await producer.ProduceAsync("chat.events", new() { Key = "r1", Value = Missed(1, "안녕 😀") });
            await producer.ProduceAsync("chat.events", new() { Key = "r1", Value = Missed(1, "안녕 😀") });
            // What FCM says of a revoked token is put right with a new one.
            await notifier.WaitForAsync(async () => (await ReceivedAsync(fcmUrl, "token-2")).Count >= 1, "a push to the second device", TimeSpan.FromSeconds(40));
            (await Http.DeleteAsync(fcmUrl + "/_fcm/tokens")).EnsureSuccessStatusCode();
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
            first.GetProperty("apns").GetProperty("headers").GetProperty("apns-collapse-id").GetString().ShouldBe("r1");
            // Four unread in another room, and in this one the second and third message after the one read.
            received.Select(m => m.GetProperty("apns").GetProperty("payload").GetProperty("aps").GetProperty("badge").GetInt32()).ShouldBe([4 + 1, 4 + 2]);
            received.Select(m => m.GetProperty("android").GetProperty("notification").GetProperty("notification_count").GetInt32()).ShouldBe([5, 6]);
        }

        (await ReceivedAsync(fcmUrl, "token-muted")).ShouldBeEmpty();
        table.Devices("u3").ShouldBeEmpty();
        (await notifier.StopAsync()).ShouldBe(0);
    }

    [Fact]
    public async Task A_killed_notifier_pushes_what_it_missed_and_nothing_twice_also_what_a_producer_repeats()
    {
        await using var services = new EventServices();
        await using var table = await DeviceTable.StartAsync();
        table.AddDevice("u1", "phone", "token-1");
        await services.StartKafkaAsync();
        var fcmUrl = $"http://127.0.0.1:{ServiceProcess.FreePort()}";
        var keyFile = Path.Combine(services.Folder, "service-account.json");
        await using var fcm = await StartFcmAsync(fcmUrl, keyFile);
        using var producer = new ProducerBuilder<string, string>(new ProducerConfig { BootstrapServers = services.Bootstrap }).Build();
        await using (var first = await StartNotifierAsync(services, table, fcmUrl, keyFile))
        {
            for (var seq = 1; seq <= 5; seq++)
                await producer.ProduceAsync("chat.events", new() { Key = "r1", Value = Missed(seq, "hello") });
            await first.WaitForAsync(async () => (await ReceivedAsync(fcmUrl, "token-1")).Count >= 5, "five pushes", TimeSpan.FromSeconds(40));
            await UntilCommittedAsync(services, 5);
            await first.KillAsync();
        }

        await producer.ProduceAsync("chat.events", new() { Key = "r1", Value = Missed(5, "hello") });
        await producer.ProduceAsync("chat.events", new() { Key = "r1", Value = Missed(6, "hello") });
        await using var second = await StartNotifierAsync(services, table, fcmUrl, keyFile);

        await second.WaitForAsync(async () => (await ReceivedAsync(fcmUrl, "token-1")).Count >= 6, "a sixth push", TimeSpan.FromSeconds(40));
        (await ReceivedAsync(fcmUrl, "token-1")).Select(m => m.GetProperty("data").GetProperty("seq").GetString()).ShouldBe(["1", "2", "3", "4", "5", "6"]);
    }

    private static async Task UntilCommittedAsync(EventServices services, long events)
    {
        using var consumer = new ConsumerBuilder<string, string>(new ConsumerConfig { BootstrapServers = services.Bootstrap, GroupId = "chat-notifier", EnableAutoCommit = false }).Build();
        var partitions = Enumerable.Range(0, 6).Select(p => new TopicPartition("chat.events", p)).ToList();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (consumer.Committed(partitions, TimeSpan.FromSeconds(10)).Sum(c => c.Offset.IsSpecial ? 0 : c.Offset.Value) < events)
            await Task.Delay(50, limit.Token);
    }

    private static async Task<ServiceProcess> StartFcmAsync(string url, string keyFile)
    {
        var fcm = ServiceProcess.StartService("services/local/ChatPlatform.FcmEmulator", new Dictionary<string, string?> { ["ASPNETCORE_URLS"] = url, ["FCM_SERVICE_ACCOUNT_FILE"] = keyFile });
        await fcm.WaitForHealthAsync(url + "/health");
        return fcm;
    }

    private static async Task<ServiceProcess> StartNotifierAsync(EventServices services, DeviceTable table, string fcmUrl, string keyFile)
    {
        var url = $"http://127.0.0.1:{ServiceProcess.FreePort()}";
        var notifier = ServiceProcess.StartService(
            "services/ChatPlatform.Notifier",
            new Dictionary<string, string?>
            {
                ["ASPNETCORE_URLS"] = url,
                ["ConnectionStrings__kafka"] = services.Bootstrap,
                ["Fcm__Endpoint"] = fcmUrl,
                ["Fcm__ProjectId"] = "chat-local",
                ["Fcm__CredentialsFile"] = keyFile,
                ["Fcm__RetryBaseSeconds"] = "0.1",
                ["AWS_ENDPOINT_URL"] = table.Url,
                ["AWS_REGION"] = "ap-northeast-2",
                ["AWS_ACCESS_KEY_ID"] = "local",
                ["AWS_SECRET_ACCESS_KEY"] = "local",
            });
        await notifier.WaitForHealthAsync(url + "/health");
        return notifier;
    }

    private static string Missed(int seq, string text) => JsonSerializer.Serialize(new
    {
        specversion = "1.0",
        id = $"r1:{seq}:chat.delivery.missed.v1",
        source = "/chat/api",
        type = "chat.delivery.missed.v1",
        data = new { roomId = "r1", seq, userIds = new[] { "u1", "u2", "u3" }, message = new { senderId = "u9", kind = "text", text, ordinal = 10 + seq } },
    });

    private static async Task<IReadOnlyList<JsonElement>> ReceivedAsync(string fcmUrl, string token) =>
        [.. (await Http.GetFromJsonAsync<JsonElement>($"{fcmUrl}/_fcm/devices/{token}")).GetProperty("messages").EnumerateArray().Select(m => m.GetProperty("message"))];

    /// <summary>The DynamoDB calls that the notifier makes, over the tables it reads.</summary>
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

        private static object Membership(string room, int read) => new { roomId = new { S = room }, lastReadOrdinal = new { N = $"{read}" } };

        private static object Room(string room, int messages) => new { roomId = new { S = room }, messageCount = new { N = $"{messages}" } };

        private object Answer(string call, JsonElement body)
        {
            switch (call)
            {
                case "DescribeTable":
                    return new { Table = new { TableName = body.GetProperty("TableName").GetString(), TableStatus = "ACTIVE" } };
                case "GetItem":
                    var user = body.GetProperty("Key").GetProperty("userId").GetProperty("S").GetString()!;
                    return new { Item = new { userId = new { S = user }, muted = new { BOOL = Muted.Contains(user) } } };
                case "Query" when body.GetProperty("TableName").GetString() == "chat-members":
                    return new { Items = new[] { Membership("r1", 10), Membership("r2", 3) }, Count = 2, ScannedCount = 2 };
                case "BatchGetItem":
                    return new { Responses = new Dictionary<string, object> { ["chat-rooms"] = new[] { Room("r1", 99), Room("r2", 7) } }, UnprocessedKeys = new { } };
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
