using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChatPlatform.Smoke.Checks;

namespace ChatPlatform.Smoke.Clients;

/// <summary>One user at the REST edge, contracts §3. Thread-safe after signing in.</summary>
public sealed class ChatRest(HttpClient http, string userId)
{
    /// <summary>How long one call is tried again while the system answers 429, 502, 503 or 504, or not at all.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>UTF-8 as it is, as browsers send it; escapes only where JSON demands them.</summary>
    internal static JsonSerializerOptions Wire { get; } = new(JsonSerializerDefaults.Web) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public string UserId { get; } = userId;

    public string Token { get; private set; } = "";

    /// <summary>Takes a token from the development endpoint.</summary>
    public async Task SignInAsync(string name, CancellationToken cancellationToken)
    {
        using var answer = await CallAsync(HttpMethod.Post, "/dev/token", new JsonObject { ["userId"] = UserId, ["name"] = name }, null, cancellationToken);
        Token = answer.Body.RootElement.GetProperty("accessToken").GetString()!;
    }

    /// <summary>Creates a room, or finds the direct one that exists; gives its id.</summary>
    public async Task<string> OpenRoomAsync(bool group, string? title, string? articleId, IEnumerable<string> others, CancellationToken cancellationToken)
    {
        var body = new JsonObject { ["kind"] = group ? "group" : "direct", ["memberIds"] = new JsonArray([.. others.Select(id => (JsonNode)id)]) };
        if (title is not null)
            body["title"] = title;
        if (articleId is not null)
            body["articleId"] = articleId;
        using var answer = await CallAsync(HttpMethod.Post, "/v1/rooms", body, null, cancellationToken);
        return answer.Body.RootElement.GetProperty("roomId").GetString()!;
    }

    public async Task<long> LastSeqAsync(string roomId, CancellationToken cancellationToken)
    {
        using var answer = await CallAsync(HttpMethod.Get, $"/v1/rooms/{roomId}", null, null, cancellationToken);
        return answer.Body.RootElement.GetProperty("lastSeq").GetInt64();
    }

    public async Task RegisterDeviceAsync(string deviceId, string pushToken, CancellationToken cancellationToken)
    {
        using var answer = await CallAsync(HttpMethod.Put, $"/v1/devices/{deviceId}", new JsonObject { ["platform"] = "fcm", ["token"] = pushToken }, null, cancellationToken);
    }

    /// <summary>Sends a text; gives what the system answered. <paramref name="traceParent"/> makes the request part of that trace.</summary>
    public async Task<StoredMessage> SendAsync(string roomId, string clientMessageId, string text, string? traceParent, CancellationToken cancellationToken)
    {
        var body = new JsonObject { ["clientMessageId"] = clientMessageId, ["kind"] = "text", ["text"] = text };
        using var answer = await CallAsync(HttpMethod.Post, $"/v1/rooms/{roomId}/messages", body, traceParent, cancellationToken);
        return StoredMessage.Read(answer.Body.RootElement, answer.Status);
    }

    /// <summary>The entries after <paramref name="after"/>, at most 100, in order.</summary>
    public async Task<IReadOnlyList<SeenEntry>> LogAsync(string roomId, long after, CancellationToken cancellationToken)
    {
        using var answer = await CallAsync(HttpMethod.Get, $"/v1/rooms/{roomId}/log?after={after}&limit=100", null, null, cancellationToken);
        return [.. answer.Body.RootElement.GetProperty("items").EnumerateArray().Select(EntryJson.Read)];
    }

    private async Task<RestAnswer> CallAsync(HttpMethod method, string path, JsonObject? body, string? traceParent, CancellationToken cancellationToken)
    {
        var watch = Stopwatch.StartNew();
        for (var attempt = 0; ; attempt++)
        {
            TimeSpan pause;
            string trouble;
            try
            {
                using var request = new HttpRequestMessage(method, path);
                if (Token.Length > 0)
                    request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Token);
                if (traceParent is not null)
                    request.Headers.Add("traceparent", traceParent);
                if (body is not null)
                    request.Content = JsonContent.Create(body, options: Wire);
                using var response = await http.SendAsync(request, cancellationToken);
                var bytes = await response.Content.ReadAsByteArrayAsync(cancellationToken);
                if (response.IsSuccessStatusCode)
                    return new RestAnswer(response.StatusCode, JsonDocument.Parse(bytes.Length == 0 ? "{}"u8.ToArray() : bytes));
                trouble = $"{method} {path} answered {(int)response.StatusCode} {ProblemCode(bytes)}";
                if (response.StatusCode is not (HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout))
                    throw new CheckFailedException(trouble);
                pause = response.Headers.RetryAfter?.Delta ?? TimeSpan.FromMilliseconds(200 * (attempt + 1));
            }
            catch (Exception error) when (error is HttpRequestException || (error is TaskCanceledException && !cancellationToken.IsCancellationRequested))
            {
                trouble = $"{method} {path}: {error.Message}";
                pause = TimeSpan.FromMilliseconds(200 * (attempt + 1));
            }

            if (watch.Elapsed + pause > Patience)
                throw new CheckFailedException($"{trouble}, still after {watch.Elapsed.TotalSeconds:0} s");
            await Task.Delay(pause, cancellationToken);
        }
    }

    private static string ProblemCode(byte[] body)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            return json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty("code", out var code) ? code.ToString() : "";
        }
        catch (JsonException)
        {
            return $"({body.Length} bytes that are no JSON)";
        }
    }

    private sealed record RestAnswer(HttpStatusCode Status, JsonDocument Body) : IDisposable
    {
        public void Dispose() => Body.Dispose();
    }
}
