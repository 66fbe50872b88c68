using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.IO.Pipelines;
using System.Net;
using System.Net.WebSockets;
using ChatPlatform.ServiceDefaults;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Relay.Sockets;

/// <summary>
/// Takes plain handshakes of <c>GET /v1/ws</c> before HTTP does: what HTTP keeps of a request, with its headers, features and middleware, stays as long as the WebSocket that came of
/// it, some kilobytes of every idle connection. Whatever is no such handshake goes on to HTTP untouched, where <see cref="SocketEndpoint.HandleAsync"/> answers it, with a WebSocket or a
/// refusal. Thread-safe.
/// </summary>
internal sealed class SocketUpgrade(SocketEndpoint endpoint, CallerAddress addresses, Drain drain, IOptions<RelayOptions> options, TimeProvider time)
{
    // Then HTTP waits, by its own limits.
    private static readonly TimeSpan HeadTimeout = TimeSpan.FromSeconds(5);

    private readonly TimeSpan _closeTimeout = TimeSpan.FromSeconds(options.Value.CloseSeconds);

    // Closed connections whose last bytes may still be on their way out, by the time they were closed at.
    private readonly ConcurrentQueue<(ConnectionContext Connection, long At)> _leaving = new();

    /// <summary>The connections' way, before <paramref name="http"/>.</summary>
    public ConnectionDelegate Before(ConnectionDelegate http) => connection => RunAsync(connection, http);

    /// <summary>Drops closed connections whose clients do not take what was sent last.</summary>
    public void DropLeft()
    {
        while (_leaving.TryPeek(out var oldest) && time.GetElapsedTime(oldest.At) > _closeTimeout && _leaving.TryDequeue(out var left))
            left.Connection.Abort();
    }

    private async Task RunAsync(ConnectionContext connection, ConnectionDelegate http)
    {
        // What this method keeps lives as long as the connection.
        var (isTaken, socket) = await TryTakeAsync(connection);
        if (!isTaken)
        {
            await http(connection);
            return;
        }

        if (socket is not null && !await endpoint.ServeAsync(socket))
            connection.Abort();
        else
            _leaving.Enqueue((connection, time.GetTimestamp()));
    }

    /// <summary>Whether the connection began with a plain handshake, and the socket that came of it unless the client was refused.</summary>
    private async Task<(bool IsTaken, ChatSocket? Socket)> TryTakeAsync(ConnectionContext connection)
    {
        if (await ReadAsync(connection.Transport.Input) is not { } request)
            return (false, null);
        ActivityContext.TryParse(request.TraceParent, null, isRemote: true, out var parent);
        using var span = RelayTelemetry.Source.StartActivity("GET /v1/ws", ActivityKind.Server, parent);
        var subprotocol = request.Subprotocols.Contains(SocketEndpoint.Subprotocol) ? SocketEndpoint.Subprotocol : null;
        var stream = new TransportStream(connection);
        try
        {
            await stream.WriteAsync(request.Accepted(subprotocol));
        }
        catch (Exception error) when (error is IOException or OperationCanceledException)
        {
            // The client is gone already.
            span?.SetStatus(ActivityStatusCode.Error);
            return (true, null);
        }

        // Clients ping by themselves.
        var webSocket = WebSocket.CreateFromStream(stream, isServer: true, subprotocol, keepAliveInterval: TimeSpan.Zero);
        return (true, await endpoint.AdmitAsync(webSocket, request.Token, addresses.Find((connection.RemoteEndPoint as IPEndPoint)?.Address, request.ForwardedFor)));
    }

    /// <summary>Takes the handshake off the input; else leaves all that came there, and gives null.</summary>
    private async Task<UpgradeRequest?> ReadAsync(PipeReader input)
    {
        using var limit = new CancellationTokenSource(HeadTimeout, time);
        try
        {
            var result = await input.ReadAsync(limit.Token);
            // A handshake is small and comes in one piece; while draining HTTP refuses it.
            var length = 0;
            var request = drain.IsDraining ? null : Parse(result.Buffer, out length);
            input.AdvanceTo(request is null ? result.Buffer.Start : result.Buffer.GetPosition(length));
            return request;
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    private static UpgradeRequest? Parse(in ReadOnlySequence<byte> bytes, out int length)
    {
        if (bytes.IsSingleSegment)
            return UpgradeRequest.Parse(bytes.FirstSpan, out length);
        return UpgradeRequest.Parse(bytes.Slice(0, Math.Min(bytes.Length, UpgradeRequest.MaxHeadBytes)).ToArray(), out length);
    }
}
