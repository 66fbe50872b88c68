using System.Net.WebSockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace ChatPlatform.ServiceTests.Gateway;

/// <summary>
/// A service behind the gateway that tells what reached it: <c>GET /v1/…</c> answers the path and the headers of interest, <c>/v1/ws</c> echoes frames,
/// <c>/v1/limited</c>
/// answers 429 and <c>/v1/large</c> 413 as the API would.
/// </summary>
internal sealed class Upstream : IAsyncDisposable
{
    private readonly WebApplication _app;

    private Upstream(WebApplication app, string name)
    {
        _app = app;
        Name = name;
    }

    public string Name { get; }

    public string Url => _app.Urls.Single();

    /// <summary>The requests that came, e.g. <c>GET /v1/rooms</c>; probes are not counted.</summary>
    public System.Collections.Concurrent.ConcurrentQueue<string> Requests { get; } = new();

    public static async Task<Upstream> StartAsync(string name, HttpProtocols protocols = HttpProtocols.Http1, int port = 0)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(System.Net.IPAddress.Loopback, port, listen => listen.Protocols = protocols));
        var upstream = new Upstream(builder.Build(), name);
        upstream._app.UseWebSockets();
        upstream._app.Run(upstream.AnswerAsync);
        await upstream._app.StartAsync();
        return upstream;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        if (path == "/alive")
            return;
        Requests.Enqueue($"{context.Request.Method} {path}");
        if (context.WebSockets.IsWebSocketRequest)
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync(context.WebSockets.WebSocketRequestedProtocols.First());
            var buffer = new byte[64 * 1024];
            while (await socket.ReceiveAsync(buffer.AsMemory(), context.RequestAborted) is { MessageType: not WebSocketMessageType.Close } part)
                await socket.SendAsync(buffer.AsMemory(0, part.Count), part.MessageType, part.EndOfMessage, context.RequestAborted);
            await socket.CloseOutputAsync((WebSocketCloseStatus)4503, "slow consumer", context.RequestAborted);
            return;
        }

        if (path == "/v1/limited")
        {
            context.Response.StatusCode = 429;
            context.Response.Headers.RetryAfter = "3";
            context.Response.Headers["RateLimit-Limit"] = "10";
            await context.Response.WriteAsync("""{"code":"rate_limited"}""");
            return;
        }

        if (path == "/v1/missing")
        {
            context.Response.StatusCode = 404;
            context.Response.ContentType = "application/problem+json";
            await context.Response.WriteAsync("""{"code":"room_not_found"}""");
            return;
        }

        var headers = context.Request.Headers;
        await context.Response.WriteAsJsonAsync(new
        {
            name = Name,
            path,
            protocol = context.Request.Protocol,
            traceparent = headers.TraceParent.ToString(),
            forwardedFor = headers["X-Forwarded-For"].ToString(),
            forwardedProto = headers["X-Forwarded-Proto"].ToString(),
            forwardedHost = headers["X-Forwarded-Host"].ToString(),
            authorization = headers.Authorization.ToString(),
        });
    }
}
