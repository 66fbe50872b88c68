using Aspire.Hosting.ApplicationModel;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using ChatPlatform.Smoke.Checks;

namespace ChatPlatform.SystemTests;

/// <summary>The conversation file, byte for byte, at every station of the running system.</summary>
[Collection(nameof(RunningSystem))]
public sealed class MessagePathTests(RunningSystem system)
{
    private static readonly IReadOnlyList<string> Services = ["api", "relay", "gateway", "notifier", "insights", "aws", "lambda", "fluent-bit", "fcm", "kafka-broker"];

    [Theory]
    [InlineData("front_door")]
    [InlineData("everyone_in_place")]
    [InlineData("every_send_acknowledged")]
    [InlineData("retry_stores_nothing_new")]
    [InlineData("websocket_every_byte")]
    [InlineData("log_every_byte")]
    [InlineData("kafka_every_byte")]
    [InlineData("lake_every_byte")]
    [InlineData("push_per_missed_message")]
    [InlineData("one_trace_through_all")]
    public void The_conversation_passes(string check)
    {
        var result = system.Checks.FirstOrDefault(result => result.Name == check);

        result.ShouldNotBeNull($"the replay ended before {check}: {string.Join("; ", system.Checks.Where(r => !r.Ok).Select(r => $"{r.Name}: {r.Detail}"))}");
        result.Ok.ShouldBeTrue(result.Detail);
    }

    [Fact]
    public async Task The_dashboard_holds_logs_and_traces_of_every_service()
    {
        using var http = new HttpClient { BaseAddress = system.Endpoints.DashboardUrl };

        // Logs are sent in batches.
        await Waiting.UntilAsync(
            async () =>
            {
                var resources = await http.GetFromJsonAsync<JsonElement>("/api/telemetry/resources");
                var silent = Services.Where(name =>
                {
                    var instances = resources.EnumerateArray().Where(resource => resource.GetProperty("name").GetString() == name).ToList();
                    return instances.Count == 0 || !instances.TrueForAll(instance => instance.GetProperty("hasLogs").GetBoolean());
                }).ToList();
                return silent.Count == 0 ? null : $"no logs of {string.Join(", ", silent)}";
            },
            TimeSpan.FromSeconds(30),
            CancellationToken.None);
    }

    [Fact]
    public async Task Every_service_answers_its_probes()
    {
        using var http = new HttpClient();
        foreach (var name in Services)
        {
            foreach (var path in new[] { "/health", "/alive" })
            {
                using var answer = await http.GetAsync(new Uri(Aspire.Hosting.Testing.DistributedApplicationHostingTestingExtensions.GetEndpoint(system.App, name, "http"), path));
                answer.StatusCode.ShouldBe(HttpStatusCode.OK, $"{name} {path}");
            }
        }
    }
}
