using System.IO.Compression;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ChatPlatform.UnitTests.Smoke;

/// <summary>
/// The chat's public edge in memory, contracts §3 and §4 as far as the replay uses them, so that the replay and its checks are tested without the system,
/// and with faults that
/// the system must not have.
/// </summary>
internal sealed class FakeChat : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Room> _rooms = [];
    private readonly Dictionary<string, List<Connection>> _connections = [];
    private readonly WebApplication _app;

    private FakeChat(WebApplication app) => _app = app;

    public Uri Url => new(_app.Urls.Single());

    /// <summary>What a socket is given instead of an entry; null drops it.</summary>
    public Func<JsonObject, JsonObject?> AtTheSocket { get; init; } = entry => entry;

    /// <summary>Whether a repeated clientMessageId is noticed.</summary>
    public bool Dedupes { get; init; } = true;

    /// <summary>Every so many entries a socket is cut without a word; 0 for never.</summary>
    public int CutEvery { get; init; }

    public static async Task<FakeChat> StartAsync(Func<WebApplication, FakeChat>? with = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var fake = with?.Invoke(app) ?? new FakeChat(app);
        app.UseWebSockets();
        app.Run(fake.AnswerAsync);
        await app.StartAsync();
        return fake;
    }

    public static FakeChat With(WebApplication app, Func<JsonObject, JsonObject?>? atTheSocket = null, bool dedupes = true, int cutEvery = 0) =>
        new(app) { AtTheSocket = atTheSocket ?? (entry => entry), Dedupes = dedupes, CutEvery = cutEvery };

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        var words = context.Request.Path.Value!.Split('/', StringSplitOptions.RemoveEmptyEntries);
        var user = context.Request.Headers.Authorization.ToString().Replace("Bearer ", "", StringComparison.Ordinal);
        JsonNode? answer = null;
        if (words is [])
        {
            context.Response.ContentType = "text/html";
            return;
        }

        if (words is ["chat-lake", ..])
        {
            await LakeAsync(context, words);
            return;
        }

        if (words is ["_fcm", "devices", var token])
            answer = Pushes(token);
        else if (words is ["internal", ..])
            context.Response.StatusCode = 404;
        else if (words is ["dev", "token"])
            answer = new JsonObject { ["accessToken"] = (await BodyAsync(context))["userId"]!.GetValue<string>() };
        else if (user.Length == 0)
            context.Response.StatusCode = 401;
        else if (words is ["v1", "ws"])
            await SocketAsync(context, user);
        else if (words is ["v1", "devices", _])
            context.Response.StatusCode = 204;
        else if (words is ["v1", "rooms"])
            answer = Open(user, await BodyAsync(context));
        else if (words is ["v1", "rooms", var id])
            answer = new JsonObject { ["roomId"] = id, ["lastSeq"] = _rooms[id].Log.Count };
        else if (words is ["v1", "rooms", var room, "messages"])
        {
            var (message, created) = Send(user, room, await BodyAsync(context));
            context.Response.StatusCode = created ? 201 : 200;
            answer = message;
        }
        else if (words is ["v1", "rooms", var logged, "log"])
        {
            var after = int.Parse(context.Request.Query["after"].ToString(), System.Globalization.CultureInfo.InvariantCulture);
            lock (_gate)
                answer = new JsonObject { ["items"] = new JsonArray([.. _rooms[logged].Log.Skip(after).Take(100).Select(entry => entry.DeepClone())]) };
        }

        if (answer is not null)
            await context.Response.WriteAsync(answer.ToJsonString());
    }

    /// <summary>The log as one GZIP object, with S3's answers (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html).</summary>
    private async Task LakeAsync(HttpContext context, string[] words)
    {
        if (words.Length == 1)
        {
            context.Response.ContentType = "application/xml";
            await context.Response.WriteAsync("""
                <?xml version="1.0" encoding="UTF-8"?>
                <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>chat-lake</Name><Prefix>chat-log/</Prefix><KeyCount>1</KeyCount><MaxKeys>1000</MaxKeys>
                <IsTruncated>false</IsTruncated><Contents><Key>chat-log/all.gz</Key><Size>1</Size><StorageClass>STANDARD</StorageClass></Contents></ListBucketResult>
                """);
            return;
        }

        using var bytes = new MemoryStream();
        await using (var gzip = new GZipStream(bytes, CompressionLevel.Fastest, leaveOpen: true))
        {
            lock (_gate)
            {
                foreach (var entry in _rooms.Values.SelectMany(room => room.Log))
                    gzip.Write(Encoding.UTF8.GetBytes(entry.ToJsonString() + "\n"));
            }
        }

        context.Response.ContentLength = bytes.Length;
        await context.Response.Body.WriteAsync(bytes.GetBuffer().AsMemory(0, (int)bytes.Length));
    }

    private JsonObject Pushes(string token)
    {
        lock (_gate)
        {
            var missed = _rooms.Values.Where(room => room.Members.Any(member => token == $"token-{member}"))
                .SelectMany(room => room.Log.Where(entry => entry["message"] is not null && token != $"token-{entry["actorId"]}"))
                .Select(entry => (JsonNode)new JsonObject
                {
                    ["name"] = "n",
                    ["message"] = new JsonObject { ["token"] = token, ["data"] = new JsonObject { ["roomId"] = $"{entry["roomId"]}", ["seq"] = $"{entry["seq"]}" } },
                });
            return new JsonObject { ["token"] = token, ["unregistered"] = false, ["messages"] = new JsonArray([.. missed]) };
        }
    }

    private JsonObject Open(string user, JsonObject body)
    {
        lock (_gate)
        {
            var room = new Room($"room{_rooms.Count}", [user, .. body["memberIds"]!.AsArray().Select(member => member!.GetValue<string>())]);
            _rooms[room.Id] = room;
            room.Log.Add(new JsonObject { ["roomId"] = room.Id, ["seq"] = 1, ["type"] = "member.joined", ["at"] = "t", ["actorId"] = user });
            return new JsonObject { ["roomId"] = room.Id };
        }
    }

    private (JsonObject Message, bool Created) Send(string user, string roomId, JsonObject body)
    {
        lock (_gate)
        {
            var room = _rooms[roomId];
            var id = body["clientMessageId"]!.GetValue<string>();
            if (Dedupes && room.Log.FirstOrDefault(entry => entry["message"]?["clientMessageId"]?.GetValue<string>() == id) is { } first)
                return ((JsonObject)first["message"]!.DeepClone(), false);
            var message = new JsonObject
            {
                ["seq"] = room.Log.Count + 1,
                ["ordinal"] = room.Log.Count,
                ["senderId"] = user,
                ["clientMessageId"] = id,
                ["text"] = body["text"]!.GetValue<string>(),
            };
            var entry = new JsonObject { ["roomId"] = roomId, ["seq"] = room.Log.Count + 1, ["type"] = "message.created", ["at"] = "t", ["actorId"] = user, ["message"] = message };
            room.Log.Add(entry);
            foreach (var connection in room.Members.SelectMany(member => _connections.GetValueOrDefault(member) ?? []))
                Deliver(connection, entry);
            return ((JsonObject)message.DeepClone(), true);
        }
    }

    private void Deliver(Connection connection, JsonObject entry)
    {
        if (CutEvery > 0 && ++connection.Delivered % CutEvery == 0)
            connection.Frames.Writer.TryComplete();
        else if (AtTheSocket((JsonObject)entry.DeepClone()) is { } given)
            connection.Frames.Writer.TryWrite(new JsonObject { ["type"] = "entry", ["entry"] = given });
    }

    private async Task SocketAsync(HttpContext context, string user)
    {
        using var socket = await context.WebSockets.AcceptWebSocketAsync("chat.v1.json");
        var connection = new Connection();
        var writing = WriteAsync(socket, connection);
        var buffer = new byte[128 * 1024];
        var length = 0;
        try
        {
            while (await socket.ReceiveAsync(buffer.AsMemory(length), context.RequestAborted) is { MessageType: not WebSocketMessageType.Close } part)
            {
                length += part.Count;
                if (!part.EndOfMessage)
                    continue;
                Frame(user, connection, (JsonObject)JsonNode.Parse(buffer.AsSpan(0, length))!);
                length = 0;
            }
        }
        catch (Exception error) when (error is WebSocketException or OperationCanceledException)
        {
            context.Abort();
        }

        lock (_gate)
            _connections.GetValueOrDefault(user)?.Remove(connection);
        connection.Frames.Writer.TryComplete();
        await writing;
    }

    private void Frame(string user, Connection connection, JsonObject frame)
    {
        switch (frame["type"]!.GetValue<string>())
        {
            case "hello":
                lock (_gate)
                {
                    connection.Frames.Writer.TryWrite(new JsonObject { ["type"] = "welcome", ["nodeId"] = "fake", ["heartbeatSeconds"] = 25 });
                    foreach (var (roomId, seq) in frame["resume"]!.AsObject())
                    {
                        foreach (var entry in _rooms[roomId].Log.Skip(seq!.GetValue<int>()))
                            connection.Frames.Writer.TryWrite(new JsonObject { ["type"] = "entry", ["entry"] = AtTheSocket((JsonObject)entry.DeepClone()) });
                        connection.Frames.Writer.TryWrite(new JsonObject { ["type"] = "resumed", ["roomId"] = roomId });
                    }

                    if (!_connections.TryGetValue(user, out var all))
                        _connections[user] = all = [];
                    all.Add(connection);
                }

                break;
            case "send":
                var (message, _) = Send(user, frame["roomId"]!.GetValue<string>(), frame);
                connection.Frames.Writer.TryWrite(new JsonObject { ["type"] = "ack", ["ref"] = frame["ref"]!.GetValue<string>(), ["message"] = message });
                break;
        }
    }

    private static async Task WriteAsync(WebSocket socket, Connection connection)
    {
        try
        {
            await foreach (var frame in connection.Frames.Reader.ReadAllAsync())
                await socket.SendAsync(Encoding.UTF8.GetBytes(frame.ToJsonString()), WebSocketMessageType.Text, true, default);
        }
        catch (WebSocketException)
        {
            connection.Frames.Writer.TryComplete();
        }

        socket.Abort();
    }

    private static async Task<JsonObject> BodyAsync(HttpContext context) =>
        (JsonObject)(await JsonNode.ParseAsync(context.Request.Body))!;

    private sealed record Room(string Id, IReadOnlyList<string> Members)
    {
        public List<JsonObject> Log { get; } = [];
    }

    private sealed class Connection
    {
        public System.Threading.Channels.Channel<JsonObject> Frames { get; } = System.Threading.Channels.Channel.CreateUnbounded<JsonObject>();

        public int Delivered { get; set; }
    }
}
