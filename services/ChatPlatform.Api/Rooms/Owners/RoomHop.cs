using System.Net.Sockets;
using ChatPlatform.Api.Access;
using Microsoft.AspNetCore.WebUtilities;
using Yarp.ReverseProxy.Forwarder;

namespace ChatPlatform.Api.Rooms.Owners;

/// <summary>Marks an endpoint under <c>{roomId}</c> that changes the room or owes an event of it.</summary>
/// <param name="IsRepeatable">True when doing it twice is doing it once: a send has its <c>clientMessageId</c>, a read position never moves back.</param>
internal sealed record RoomWrite(bool IsRepeatable = false);

/// <summary>
/// Passes REST calls that change a room on to the server that owns it (see <see cref="RoomOwners"/>), after this one has authenticated the caller; the owner does so again with the same
/// token. A call is passed on once at most. When the owner surely did not get it, it is served here. When that is unknown, a repeatable one is served here too, and any other is
/// answered 503: it may have been done.
/// </summary>
internal sealed class RoomHop(RoomOwners owners, IHttpForwarder forwarder) : IMiddleware, IDisposable
{
    /// <summary>On a call that was passed on; its value says nothing. Who sets it from outside only has the call served where it arrives.</summary>
    public const string Marker = "x-chat-passed-on";

    /// <summary>How long a send waits for the owner before it is tried here, so that both fit the deadline of a relay's call.</summary>
    public static readonly TimeSpan RepeatableTimeout = TimeSpan.FromSeconds(4);

    /// <summary>Longer than the owner tries to commit.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(13);

    private static readonly Transformer Transform = new();

    private readonly HttpMessageInvoker _client = new(NewHandler());

    /// <summary>A handler for calls to other API servers. It writes this process's span into the call's headers.</summary>
    public static SocketsHttpHandler NewHandler() => new()
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        EnableMultipleHttp2Connections = true,
        PooledConnectionIdleTimeout = TimeSpan.FromMinutes(1),
        KeepAlivePingDelay = TimeSpan.FromSeconds(5),
        KeepAlivePingTimeout = TimeSpan.FromSeconds(5),
        ConnectCallback = ConnectAsync,
    };

    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<RoomWrite>() is not { } write
            || context.Request.RouteValues["roomId"] is not string roomId
            || context.Request.Headers.ContainsKey(Marker)
            || owners.FindElsewhere(roomId) is not { } owner)
        {
            await next(context);
            return;
        }

        // Read whole, at most 64 KiB, so that it can be served here after all; too large a one is refused right here.
        context.Request.EnableBuffering(ChatApi.MaxBodyBytes);
        await context.Request.Body.DrainAsync(context.RequestAborted);
        context.Request.Body.Position = 0;

        var config = new ForwarderRequestConfig { ActivityTimeout = write.IsRepeatable ? RepeatableTimeout : Timeout };
        var error = await forwarder.SendAsync(context, owner.Address, _client, config, Transform);
        if (error == ForwarderError.None || context.RequestAborted.IsCancellationRequested)
            return;
        owners.PassOver(owner);
        if (context.Response.HasStarted)
            return;
        context.Response.Clear();
        if (!write.IsRepeatable && !IsUnsent(context.Features.Get<IForwarderErrorFeature>()?.Exception))
            throw Refusals.Unavailable();
        context.Request.Body.Position = 0;
        await next(context);
    }

    /// <summary>True when there was no connection to send a call over. A connection that broke later proves nothing.</summary>
    public static bool IsUnsent(Exception? error) => error switch
    {
        null => false,
        OwnerUnreachableException => true,
        HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError } => true,
        _ => IsUnsent(error.InnerException),
    };

    public void Dispose() => _client.Dispose();

    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        // A limit of its own: the handler's ConnectTimeout looks like any other cancellation to those who must tell them apart.
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(1));
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(context.DnsEndPoint, limit.Token);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch (Exception error) when (error is SocketException || !cancellationToken.IsCancellationRequested)
        {
            socket.Dispose();
            throw new OwnerUnreachableException(error);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private sealed class Transformer : HttpTransformer
    {
        public override async ValueTask TransformRequestAsync(
            HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
        {
            await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
            proxyRequest.Headers.Host = null;
            // The client's span is the hop's parent; the headers that came in are that span's parent.
            proxyRequest.Headers.Remove("traceparent");
            proxyRequest.Headers.Remove("tracestate");
            proxyRequest.Headers.TryAddWithoutValidation(Marker, "1");
        }
    }
}

/// <summary>There was no connection to the owner.</summary>
internal sealed class OwnerUnreachableException(Exception cause) : IOException("The room's owner cannot be reached: " + cause.Message, cause);
