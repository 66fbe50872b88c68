using System.Net.Http.Json;
using System.Text.Json;
using ChatPlatform.Smoke.Replay;

namespace ChatPlatform.Smoke.Checks;

/// <summary>
/// A message's trace in the dashboard has spans of the gateway, the API and a relay. The dashboard answers OTLP JSON:
/// <c>{"data":{"resourceSpans":[…]},"totalCount"}</c>.
/// </summary>
internal static class TraceCheck
{
    private static readonly string[] Services = ["gateway", "api", "relay"];

    public static async Task<string> RunAsync(ConversationReplay replay, TimeSpan patience, CancellationToken cancellationToken)
    {
        using var http = new HttpClient { BaseAddress = replay.System.DashboardUrl, Timeout = patience };
        if (replay.System.DashboardApiKey is { Length: > 0 } key)
            http.DefaultRequestHeaders.Add("x-api-key", key);
        var traced = replay.Conversation.Rooms
            .Where(room => replay.Sent.ContainsKey(room.Room))
            .Select(room => (Room: room, First: replay.Sent[room.Room][0]))
            .First(sent => sent.First.TraceId is not null && sent.Room.Members.Any(id => id != sent.First.Input.From && replay.Users[id].Socket is not null));
        IReadOnlyDictionary<string, int> spans = new Dictionary<string, int>();
        await Waiting.UntilAsync(async () =>
        {
            var answer = await http.GetFromJsonAsync<JsonElement>($"/api/telemetry/spans?traceId={traced.First.TraceId}&limit=500", cancellationToken);
            spans = SpansByService(answer, traced.First.TraceId!);
            var missing = Services.Where(service => !spans.Keys.Any(name => name.Contains(service, StringComparison.OrdinalIgnoreCase))).ToList();
            return missing.Count == 0 ? null : $"no span of {string.Join(", ", missing)} in trace {traced.First.TraceId}; found {Shown(spans)}";
        }, patience, cancellationToken);
        return Shown(spans);
    }

    /// <summary>How many spans of one trace each <c>service.name</c> has.</summary>
    internal static IReadOnlyDictionary<string, int> SpansByService(JsonElement answer, string traceId)
    {
        var counts = new SortedDictionary<string, int>(StringComparer.Ordinal);
        if (!answer.TryGetProperty("data", out var data) || data.ValueKind != JsonValueKind.Object || !data.TryGetProperty("resourceSpans", out var resources))
            return counts;
        foreach (var resource in Items(resources))
        {
            var name = resource.GetProperty("resource").GetProperty("attributes").EnumerateArray()
                .FirstOrDefault(attribute => attribute.GetProperty("key").GetString() == "service.name");
            var service = name.ValueKind == JsonValueKind.Object ? name.GetProperty("value").GetProperty("stringValue").GetString()! : "unnamed";
            var spans = Items(resource.GetProperty("scopeSpans"))
                .SelectMany(scope => Items(scope.GetProperty("spans")))
                .Count(span => string.Equals(span.GetProperty("traceId").GetString(), traceId, StringComparison.OrdinalIgnoreCase));
            if (spans > 0)
                counts[service] = counts.GetValueOrDefault(service) + spans;
        }

        return counts;
    }

    private static IEnumerable<JsonElement> Items(JsonElement array) => array.ValueKind == JsonValueKind.Array ? array.EnumerateArray() : [];

    private static string Shown(IReadOnlyDictionary<string, int> spans) =>
        spans.Count == 0 ? "no spans" : string.Join(", ", spans.Select(service => $"{service.Value} of {service.Key}"));
}
