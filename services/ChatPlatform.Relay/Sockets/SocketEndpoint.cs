using System.Diagnostics;
using System.Net.WebSockets;
using ChatPlatform.Contracts.Frames;
using ChatPlatform.Relay.Resume;
using ChatPlatform.Relay.Sessions;
using ChatPlatform.ServiceDefaults;
using ChatPlatform.ServiceDefaults.Authentication;
using Grpc.Core;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Relay.Sockets;

/// <summary>
/// <c>GET /v1/ws</c> (contracts §4): lets a client in, reads its frames one after the other, and cleans up after it. Plain handshakes come by way of <see cref="SocketUpgrade"/>, all
/// others as requests.
/// </summary>
internal sealed partial class SocketEndpoint(
    SessionRegistry registry,
    SessionDirectory directory,
    RoomReplay replay,
    ChatCalls calls,
    AccessTokens tokens,
    CallerAddress addresses,
    AddressLimit limit,
    Drain drain,
    IOptions<RelayOptions> options,
    TimeProvider time,
    ILogger<SocketEndpoint> logger)
{
    /// <summary>The WebSocket subprotocol.</summary>
    public const string Subprotocol = "chat.v1.json";

    private const int MaxResumeRooms = 5_000;
    private const int MaxReferenceLength = 128;
    private static readonly TimeSpan RefusalTimeout = TimeSpan.FromSeconds(2);

    private readonly RelayOptions _options = options.Value;

    public async Task HandleAsync(HttpContext http)
    {
        if (!http.WebSockets.IsWebSocketRequest)
        {
            await RefuseAsync(http, StatusCodes.Status400BadRequest, "not_a_websocket", "This address speaks WebSocket only.");
            return;
        }

        if (drain.IsDraining)
        {
            http.Response.Headers.RetryAfter = "1";
            await RefuseAsync(http, StatusCodes.Status503ServiceUnavailable, "draining", "This relay is stopping; connect again.");
            return;
        }

        // What this method keeps lives as long as the connection: no more than the socket.
        if (await AcceptAsync(http) is { } socket)
            await ServeAsync(socket);
    }

    /// <summary>Opens the socket, also to say no: a browser sees no HTTP status of a failed handshake, but it does see a close code.</summary>
    private async Task<ChatSocket?> AcceptAsync(HttpContext http)
    {
        var (token, address) = (http.CallerToken(), addresses.Find(http));
        var webSocket = await http.WebSockets.AcceptWebSocketAsync(new WebSocketAcceptContext
        {
            SubProtocol = http.WebSockets.WebSocketRequestedProtocols.Contains(Subprotocol) ? Subprotocol : null,
            // Clients ping by themselves.
            KeepAliveInterval = TimeSpan.Zero,
        });
        Forget(http);
        return await AdmitAsync(webSocket, token, address);
    }

    /// <summary>Lets a client in whose handshake is done; one with a bad token, or too many connections, is closed with the code that says so, and null is given.</summary>
    /// <param name="webSocket">The client's; its handshake is done.</param>
    /// <param name="token">The client's access token, if it gave one.</param>
    /// <param name="address">See <see cref="CallerAddress.Find(HttpContext)"/>.</param>
    public async Task<ChatSocket?> AdmitAsync(WebSocket webSocket, string? token, string? address)
    {
        if (token is null || await tokens.ValidateAsync(token) is not { } valid || valid.Identity.HasClaim(AccessTokens.ScopeClaim, AccessTokens.ServiceScope))
        {
            await CloseAsync(webSocket, CloseCodes.Unauthenticated);
            return null;
        }

        if (!limit.TryEnter(address))
        {
            await CloseAsync(webSocket, CloseCodes.TooMany);
            return null;
        }

        var socket = new ChatSocket(webSocket, valid.Identity.Name!, token, valid.RefusedFrom, address, _options.SocketQueueLength, _options.FramesPerSecond, time);
        if (registry.TryAdd(socket, _options.ConnectionsPerUser))
            return socket;
        limit.Leave(address);
        await CloseAsync(webSocket, CloseCodes.TooMany);
        return null;
    }

    /// <summary>Drops what nobody asks the request for again and would stay as long as the connection.</summary>
    private static void Forget(HttpContext http)
    {
        // One by one: cleared at once, the server would keep the values for the next request of the connection, which never comes.
        foreach (var name in http.Request.Headers.Keys.ToList())
            http.Request.Headers[name] = default;
        http.Request.QueryString = default;
        http.Features.Set<IHttpWebSocketFeature>(null);
        http.SetEndpoint(null);
    }

    /// <summary>Serves a client until its connection has ended: true when both sides have closed it, false when it broke.</summary>
    public async Task<bool> ServeAsync(ChatSocket socket)
    {
        // The handshake's span would be as long as the connection; each frame begins a trace of its own.
        Activity.Current = null;
        RelayTelemetry.Sockets.Add(1);
        var (replaying, isWhole) = (Replaying.None, false);
        try
        {
            if (!await directory.TryJoinAsync(socket))
                socket.Close(CloseCodes.TooMany);
            else if (await ReadHelloAsync(socket) is { } resume)
                replaying = Begin(socket, resume);
            await ReadFramesAsync(socket);
        }
        finally
        {
            socket.Close(CloseCodes.Normal);
            registry.Remove(socket);
            limit.Leave(socket.Address);
            await directory.LeaveAsync(socket);
            await socket.EndAsync();
            await EndAsync(replaying);
            isWhole = socket.IsClosed;
            socket.Dispose();
            RelayTelemetry.Sockets.Add(-1);
        }

        return isWhole;
    }

    /// <summary>The first frame: what to resume, or null when it is no hello (and the socket closed).</summary>
    private async Task<IReadOnlyDictionary<string, long>?> ReadHelloAsync(ChatSocket socket)
    {
        socket.AwaitHello();
        using var frame = await socket.ReadAsync();
        if (frame is null || socket.CloseCode != 0)
            return null;
        if (ClientFrame.Parse(frame.Bytes) is not { Type: "hello" } hello || hello.Resume is { Count: > MaxResumeRooms })
        {
            socket.Close(CloseCodes.Silent);
            return null;
        }

        IReadOnlyDictionary<string, long> resume = hello.Resume ?? [];
        socket.Enqueue(ServerFrames.Welcome(socket.ConnectionId, socket.UserId, _options.NodeId, _options.HeartbeatSeconds));
        // Before live entries come: what is replayed must wait for the replay.
        RoomReplay.Prepare(socket, resume);
        socket.IsReady = true;
        return resume;
    }

    private Replaying Begin(ChatSocket socket, IReadOnlyDictionary<string, long> resume)
    {
        if (resume.Count == 0)
            return Replaying.None;
        var stop = new CancellationTokenSource();
        return new Replaying(replay.RunAsync(socket, resume, stop.Token), stop);
    }

    /// <summary>Works the client's frames off one by one until the client closes or vanishes. Once the server closes they are read and passed over, so that the client gets to its close frame.</summary>
    private async Task ReadFramesAsync(ChatSocket socket)
    {
        while (true)
        {
            ClientFrame? frame;
            using (var bytes = await socket.ReadAsync())
            {
                if (bytes is null)
                    return;
                if (socket.CloseCode != 0)
                    continue;
                if (!socket.TryTakeFromBudget())
                {
                    socket.Close(CloseCodes.TooMany);
                    continue;
                }

                frame = ClientFrame.Parse(bytes.Bytes);
            }

            // One at a time: a client's sends are stored in the order it sent them, and one that floods waits for its own answers.
            if (!socket.TryBeginWork())
                continue;
            await HandleAsync(socket, frame);
            socket.EndWork();
        }
    }

    private async Task HandleAsync(ChatSocket socket, ClientFrame? frame)
    {
        var reference = frame?.Ref is { Length: <= MaxReferenceLength } given ? given : null;
        switch (frame?.Type)
        {
            case "ping":
                socket.Enqueue(ServerFrames.Pong);
                break;
            case "send":
                await CallAsync(socket, reference, "send", frame, async () => socket.Enqueue(ServerFrames.Ack(reference, (await calls.SendAsync(socket, frame)).Json.Memory)));
                break;
            case "read" when frame.RoomId is not null && frame.Seq is not null:
                await CallAsync(socket, reference, "read", frame, () => calls.ReadAsync(socket, frame.RoomId, frame.Seq.Value));
                break;
            case "typing" when frame.RoomId is not null:
                await CallAsync(socket, reference, "typing", frame, () => calls.NotifyTypingAsync(socket, frame.RoomId));
                break;
            default:
                socket.Enqueue(ServerFrames.Error(reference, "invalid_frame", "The frame is no JSON object that the server knows."));
                break;
        }
    }

    private async Task CallAsync(ChatSocket socket, string? reference, string name, ClientFrame frame, Func<Task> call)
    {
        using var span = RelayTelemetry.Source.StartActivity(name, ActivityKind.Server);
        span?.SetTag("chat.room.id", frame.RoomId);
        try
        {
            await call();
        }
        catch (RpcException error)
        {
            span?.SetStatus(ActivityStatusCode.Error);
            if (ChatCalls.CodeOf(error) is { } code)
            {
                socket.Enqueue(ServerFrames.Error(reference, code, error.Status.Detail));
            }
            else if (error.StatusCode == StatusCode.Unauthenticated)
            {
                socket.Close(CloseCodes.Unauthenticated);
            }
            else
            {
                Log.ApiAway(logger, name, error.StatusCode);
                socket.Enqueue(ServerFrames.Error(reference, "unavailable", "The chat API did not answer; try again with the same clientMessageId."));
            }
        }
    }

    private async Task EndAsync(Replaying replaying)
    {
        using var stop = replaying.Stop;
        if (stop is not null)
            await stop.CancelAsync();
        try
        {
            await replaying.Task;
        }
        catch (Exception error) when (error is OperationCanceledException or RpcException)
        {
            Log.ReplayCut(logger);
        }
    }

    private static async Task CloseAsync(WebSocket webSocket, int code)
    {
        using var socket = webSocket;
        RelayTelemetry.Closed.Add(1, new KeyValuePair<string, object?>("code", code));
        using var limit = new CancellationTokenSource(RefusalTimeout);
        try
        {
            await webSocket.CloseAsync((WebSocketCloseStatus)code, null, limit.Token);
        }
        catch (Exception error) when (error is WebSocketException or OperationCanceledException or IOException)
        {
            webSocket.Abort();
        }
    }

    private static Task RefuseAsync(HttpContext http, int status, string code, string title)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "application/problem+json";
        return http.Response.WriteAsync($$"""{"title":"{{title}}","status":{{status}},"code":"{{code}}"}""");
    }

    /// <summary>A connection's replay, and what ends it early.</summary>
    private readonly record struct Replaying(Task Task, CancellationTokenSource? Stop)
    {
        public static Replaying None => new(Task.CompletedTask, null);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "The chat API gave no answer to {Call}: {Status}")]
        public static partial void ApiAway(ILogger logger, string call, StatusCode status);

        [LoggerMessage(LogLevel.Debug, "A connection ended before its replay did.")]
        public static partial void ReplayCut(ILogger logger);
    }
}
