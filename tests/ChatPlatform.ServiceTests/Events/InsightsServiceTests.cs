using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using ChatPlatform.ServiceTests.Processes;
using Confluent.Kafka;

namespace ChatPlatform.ServiceTests.Events;

/// <summary>Another team's consumer, as a process on the topic.</summary>
public sealed class InsightsServiceTests
{
    private static readonly HttpClient Http = new();

    [Fact]
    public async Task Counts_are_exact_after_redelivery_a_kill_and_a_producer_that_repeats()
    {
        await using var services = new EventServices();
        await services.StartKafkaAsync();
        using var producer = new ProducerBuilder<string, string>(new ProducerConfig { BootstrapServers = services.Bootstrap }).Build();
        var url = $"http://127.0.0.1:{ServiceProcess.FreePort()}";
        await using (var first = await StartAsync(services, url))
        {
            foreach (var room in (string[])["r1", "r2"])
                await SendAsync(producer, room, "chat.room.created.v1", new { roomId = room, articleId = "bike" });
            await SendAsync(producer, "r1", "chat.room.created.v1", new { roomId = "r1", articleId = "bike" });
            await producer.ProduceAsync("chat.events", new() { Key = "r1", Value = "no JSON at all" });
            for (var seq = 1; seq <= 20; seq++)
                await SendAsync(producer, $"r{1 + (seq % 2)}", "chat.message.created.v1", new { roomId = $"r{1 + (seq % 2)}", seq });
            await first.WaitForAsync(async () => await CountAsync(url) == (2, 20), "two rooms and 20 messages", TimeSpan.FromSeconds(60));
            await first.KillAsync();
        }

        // What a producer repeats after an outage, and what is new.
        for (var seq = 17; seq <= 24; seq++)
            await SendAsync(producer, $"r{1 + (seq % 2)}", "chat.message.created.v1", new { roomId = $"r{1 + (seq % 2)}", seq });
        await using var second = await StartAsync(services, url);
        // The group gives up its killed member after a session's 45 s.
        await second.WaitForAsync(async () => await CountAsync(url) == (2, 24), "24 messages", TimeSpan.FromSeconds(120));

        (await Http.GetAsync(url + "/v1/articles/lamp")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        var top = (await Http.GetFromJsonAsync<JsonElement>(url + "/v1/articles")).GetProperty("items");
        top.EnumerateArray().Select(article => article.GetProperty("articleId").GetString()).ShouldBe(["bike"]);
        (await second.StopAsync()).ShouldBe(0);
    }

    private static async Task<ServiceProcess> StartAsync(EventServices services, string url)
    {
        var insights = ServiceProcess.StartService(
            "services/ChatPlatform.Insights",
            new Dictionary<string, string?> { ["ASPNETCORE_URLS"] = url, ["ConnectionStrings__kafka"] = services.Bootstrap, ["Insights__DataPath"] = Path.Combine(services.Folder, "insights") });
        await insights.WaitForHealthAsync(url + "/health");
        return insights;
    }

    private static async Task<(long Rooms, long Messages)> CountAsync(string url)
    {
        using var answer = await Http.GetAsync(url + "/v1/articles/bike");
        if (answer.StatusCode == HttpStatusCode.NotFound)
            return default;
        var article = await answer.Content.ReadFromJsonAsync<JsonElement>();
        return (article.GetProperty("rooms").GetInt64(), article.GetProperty("messages").GetInt64());
    }

    private static Task SendAsync(IProducer<string, string> producer, string key, string type, object data) =>
        producer.ProduceAsync("chat.events", new() { Key = key, Value = JsonSerializer.Serialize(new { specversion = "1.0", id = Guid.NewGuid(), source = "/chat/api", type, time = "2026-01-02T03:04:05Z", data }) });
}
