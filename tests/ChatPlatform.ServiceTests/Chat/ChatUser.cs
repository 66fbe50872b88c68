using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;

namespace ChatPlatform.ServiceTests.Chat;

/// <summary>What a call answered.</summary>
public sealed record Answer(HttpStatusCode Status, JsonElement Body, HttpResponseHeaders Headers, string? ContentType)
{
    public string? Code => Body.ValueKind == JsonValueKind.Object && Body.TryGetProperty("code", out var code) ? code.GetString() : null;
}

/// <summary>A user who calls the API and connects to relays.</summary>
public sealed class ChatUser(ChatSystem system, string id, string token, Uri? server = null)
{
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(20) };

    public string Id => id;

    public string Token => token;

    /// <summary>The same user, whose calls all go to one other server.</summary>
    public ChatUser At(Uri other) => new(system, id, token, other);

    /// <summary>Calls API server <paramref name="api"/> in the user's name.</summary>
    public async Task<Answer> CallAsync(HttpMethod method, string path, object? body = null, int api = 0)
    {
        using var request = new HttpRequestMessage(method, new Uri(server ?? system.Apis[api], path));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        if (body is not null)
            request.Content = body as HttpContent ?? JsonContent.Create(body);
        using var answer = await Http.SendAsync(request);
        var bytes = await answer.Content.ReadAsByteArrayAsync();
        var type = answer.Content.Headers.ContentType?.MediaType;
        var json = type?.EndsWith("json", StringComparison.Ordinal) == true && bytes.Length > 0 ? JsonElement.Parse(bytes) : default;
        return new Answer(answer.StatusCode, json, answer.Headers, type);
    }

    public Task<Answer> GetAsync(string path, int api = 0) => CallAsync(HttpMethod.Get, path, null, api);

    public Task<Answer> PostAsync(string path, object body, int api = 0) => CallAsync(HttpMethod.Post, path, body, api);

    public Task<Answer> PutAsync(string path, object? body = null, int api = 0) => CallAsync(HttpMethod.Put, path, body, api);

    public Task<Answer> PatchAsync(string path, object body, int api = 0) => CallAsync(HttpMethod.Patch, path, body, api);

    public Task<Answer> DeleteAsync(string path, int api = 0) => CallAsync(HttpMethod.Delete, path, null, api);

    public async Task<string> NewGroupAsync(params ChatUser[] others)
    {
        var answer = await PostAsync("/v1/rooms", new { kind = "group", title = "동네 모임", memberIds = others.Select(user => user.Id) });
        answer.Status.ShouldBe(HttpStatusCode.Created);
        return answer.Body.GetProperty("roomId").GetString()!;
    }

    public async Task<string> NewDirectAsync(ChatUser other, string? articleId = null)
    {
        var answer = await PostAsync("/v1/rooms", new { kind = "direct", memberIds = new[] { other.Id }, articleId });
        answer.Status.ShouldBeOneOf(HttpStatusCode.Created, HttpStatusCode.OK);
        return answer.Body.GetProperty("roomId").GetString()!;
    }

    public Task<Answer> TrySendAsync(string roomId, string text, string? clientMessageId = null, int api = 0) =>
        PostAsync($"/v1/rooms/{roomId}/messages", new { clientMessageId = clientMessageId ?? Guid.NewGuid().ToString(), kind = "text", text }, api);

    /// <summary>Sends a text and gives the message.</summary>
    public async Task<JsonElement> SendAsync(string roomId, string text, string? clientMessageId = null, int api = 0)
    {
        var answer = await TrySendAsync(roomId, text, clientMessageId, api);
        answer.Status.ShouldBeOneOf(HttpStatusCode.Created, HttpStatusCode.OK);
        return answer.Body;
    }

    public async Task<List<JsonElement>> LogAsync(string roomId, long after = 0)
    {
        List<JsonElement> entries = [];
        while (true)
        {
            var page = await GetAsync($"/v1/rooms/{roomId}/log?after={after}&limit=1000");
            page.Status.ShouldBe(HttpStatusCode.OK);
            var items = page.Body.GetProperty("items").EnumerateArray().ToList();
            if (items.Count == 0)
                return entries;
            entries.AddRange(items);
            after = items[^1].GetProperty("seq").GetInt64();
        }
    }

    /// <summary>Connects to relay <paramref name="relay"/> and says hello.</summary>
    public async Task<ChatConnection> ConnectAsync(int relay = 0, Dictionary<string, long>? resume = null)
    {
        var connection = await OpenAsync(system.Relays[relay]);
        await connection.SendAsync(new { type = "hello", resume });
        (await connection.NextAsync("welcome")).GetProperty("userId").GetString().ShouldBe(id);
        return connection;
    }

    /// <summary>Connects without a hello; <paramref name="forwardedFor"/> is what a gateway would say of the client's address.</summary>
    public Task<ChatConnection> OpenAsync(Uri relay, string? forwardedFor = null) => ChatConnection.OpenAsync(relay, token, forwardedFor: forwardedFor);
}

/// <summary>A client's WebSocket. One test uses it.</summary>
public sealed class ChatConnection : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly ClientWebSocket _socket = new();
    private readonly byte[] _buffer = new byte[128 * 1024];

    private ChatConnection()
    {
    }

    public string? Subprotocol => _socket.SubProtocol;

    public static async Task<ChatConnection> OpenAsync(Uri relay, string? token, bool inQuery = false, string? forwardedFor = null)
    {
        var connection = new ChatConnection();
        connection._socket.Options.AddSubProtocol("chat.v1.json");
        if (token is not null && !inQuery)
            connection._socket.Options.SetRequestHeader("Authorization", "Bearer " + token);
        if (forwardedFor is not null)
            connection._socket.Options.SetRequestHeader("X-Forwarded-For", forwardedFor);
        var address = new UriBuilder(relay) { Scheme = "ws", Path = "/v1/ws", Query = inQuery ? "access_token=" + token : "" };
        using var limit = new CancellationTokenSource(Patience);
        await connection._socket.ConnectAsync(address.Uri, limit.Token);
        return connection;
    }

    public Task SendAsync(object frame) => SendRawAsync(JsonSerializer.SerializeToUtf8Bytes(frame));

    public Task SendRawAsync(byte[] frame) => _socket.SendAsync(frame, WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);

    /// <summary>The next frame of a type; others before it are passed over.</summary>
    public async Task<JsonElement> NextAsync(string type)
    {
        while (true)
        {
            var frame = await NextAsync() ?? throw new WebSocketException($"closed with {(int?)_socket.CloseStatus} while waiting for {type}");
            if (frame.GetProperty("type").GetString() == type)
                return frame;
        }
    }

    /// <summary>The next entry of a room.</summary>
    public async Task<JsonElement> NextEntryAsync(string roomId)
    {
        while (true)
        {
            var entry = (await NextAsync("entry")).GetProperty("entry");
            if (entry.GetProperty("roomId").GetString() == roomId)
                return entry;
        }
    }

    /// <summary>Entries of a room until seq <paramref name="last"/>.</summary>
    public async Task<List<JsonElement>> EntriesUntilAsync(string roomId, long last)
    {
        List<JsonElement> entries = [];
        do
            entries.Add(await NextEntryAsync(roomId));
        while (entries[^1].GetProperty("seq").GetInt64() < last);
        return entries;
    }

    /// <summary>The next frame; null when the server closed.</summary>
    public async Task<JsonElement?> NextAsync()
    {
        using var limit = new CancellationTokenSource(Patience);
        var count = 0;
        while (true)
        {
            var result = await _socket.ReceiveAsync(_buffer.AsMemory(count), limit.Token);
            if (result.MessageType == WebSocketMessageType.Close)
                return null;
            count += result.Count;
            if (result.EndOfMessage)
                return JsonElement.Parse(_buffer.AsSpan(0, count));
        }
    }

    /// <summary>Reads on until the server closes, and gives the code.</summary>
    public async Task<int> CloseCodeAsync()
    {
        while (_socket.CloseStatus is null && await NextAsync() is not null)
            continue;
        var code = (int)_socket.CloseStatus!.Value;
        await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
        return code;
    }

    public ValueTask DisposeAsync()
    {
        _socket.Abort();
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }
}
