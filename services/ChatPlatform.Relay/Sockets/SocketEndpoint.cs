using System.Buffers;
using System.Diagnostics;
using System.Net.WebSockets;
using ChatPlatform.Contracts.Frames;
using ChatPlatform.Relay.Resume;
using ChatPlatform.Relay.Sessions;
using ChatPlatform.ServiceDefaults.Authentication;
using Grpc.Core;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Relay.Sockets;

/// <summary><c>GET /v1/ws</c> (contracts §4): lets a client in, reads its frames one after the other, and cleans up after it.</summary>
internal sealed partial class SocketEndpoint(
    SessionRegistry registry,
    SessionDirectory directory,
    RoomReplay replay,
    ChatCalls calls,
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

        // A browser sees no HTTP status of a failed handshake, but it does see a close code: the socket is opened to say no.
        var caller = await http.AuthenticateAsync(ChatAuthentication.Scheme);
        var refusedFrom = await http.TokenRefusedFromAsync();
        using var webSocket = await http.WebSockets.AcceptWebSocketAsync(new WebSocketAcceptContext
        {
            SubProtocol = http.WebSockets.WebSocketRequestedProtocols.Contains(Subprotocol) ? Subprotocol : null,
            // Clients ping by themselves.
            KeepAliveInterval = TimeSpan.Zero,
        });
        if (!caller.Succeeded || caller.Principal.HasClaim(AccessTokens.ScopeClaim, AccessTokens.ServiceScope))
        {
            await CloseAsync(webSocket, CloseCodes.Unauthenticated);
            return;
        }

        // The request's span would be as long as the connection; each frame begins a trace of its own.
        Activity.Current = null;
        var socket = new ChatSocket(webSocket, caller.Principal.Identity!.Name!, http.CallerToken()!, refusedFrom, _options.SocketQueueLength, time);
        if (!registry.TryAdd(socket, _options.ConnectionsPerUser))
        {
            await CloseAsync(webSocket, CloseCodes.TooMany);
            return;
        }

        RelayTelemetry.Sockets.Add(1);
        var writing = socket.WriteAsync();
        var replaying = Task.CompletedTask;
        using var ended = new CancellationTokenSource();
        try
        {
            if (!await directory.TryJoinAsync(socket))
                socket.Close(CloseCodes.TooMany);
            else if (await ReadHelloAsync(socket) is { } resume)
            {
                replaying = replay.RunAsync(socket, resume, ended.Token);
                await ReadFramesAsync(socket);
            }
        }
        finally
        {
            socket.Close(CloseCodes.Normal);
            registry.Remove(socket);
            await ended.CancelAsync();
            await directory.LeaveAsync(socket);
            await writing;
            await socket.AwaitCloseAsync();
            await EndOfReplayAsync(replaying);
            RelayTelemetry.Sockets.Add(-1);
        }
    }

    /// <summary>The first frame: what to resume, or null when it is no hello (and the socket closed).</summary>
    private async Task<IReadOnlyDictionary<string, long>?> ReadHelloAsync(ChatSocket socket)
    {
        var buffer = new ArrayBufferWriter<byte>(1_024);
        if (!await socket.ReadAsync(buffer))
            return null;
        if (ClientFrame.Parse(buffer.WrittenSpan) is not { Type: "hello" } hello || hello.Resume is { Count: > MaxResumeRooms })
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

    private async Task ReadFramesAsync(ChatSocket socket)
    {
        var budget = new FrameBudget(_options.FramesPerSecond, time);
        var buffer = new ArrayBufferWriter<byte>(1_024);
        while (socket.CloseCode == 0 && await socket.ReadAsync(buffer))
        {
            if (!budget.TryTake())
            {
                socket.Close(CloseCodes.TooMany);
                return;
            }

            // One at a time: a client's sends are stored in the order it sent them, and one that floods waits for its own answers.
            socket.IsBusy = true;
            await HandleAsync(socket, ClientFrame.Parse(buffer.WrittenSpan));
            socket.IsBusy = false;
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
                await CallAsync(socket, reference, "send", frame, async () => socket.Enqueue(ServerFrames.Ack(reference, (await calls.SendAsync(socket.Token, frame)).Json.Memory)));
                break;
            case "read" when frame.RoomId is not null && frame.Seq is not null:
                await CallAsync(socket, reference, "read", frame, () => calls.ReadAsync(socket.Token, frame.RoomId, frame.Seq.Value));
                break;
            case "typing" when frame.RoomId is not null:
                await CallAsync(socket, reference, "typing", frame, () => calls.NotifyTypingAsync(socket.Token, frame.RoomId));
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

    private async Task EndOfReplayAsync(Task replaying)
    {
        try
        {
            await replaying;
        }
        catch (Exception error) when (error is OperationCanceledException or RpcException)
        {
            Log.ReplayCut(logger);
        }
    }

    private static async Task CloseAsync(WebSocket webSocket, int code)
    {
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

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "The chat API gave no answer to {Call}: {Status}")]
        public static partial void ApiAway(ILogger logger, string call, StatusCode status);

        [LoggerMessage(LogLevel.Debug, "A connection ended before its replay did.")]
        public static partial void ReplayCut(ILogger logger);
    }
}
