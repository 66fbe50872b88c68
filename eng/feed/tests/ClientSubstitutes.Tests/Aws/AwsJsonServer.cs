using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ClientSubstitutes.Tests.Aws;

/// <summary>A request as it arrived.</summary>
internal sealed record SeenRequest(string Method, string Path, IReadOnlyDictionary<string, string> Headers, string Body);

/// <summary>
/// An HTTP server on a free port that answers with the replies put into it, one per request and in order, and keeps every request it saw.
/// A request without a reply left is answered 500 "NoReplyLeft", so that a client that asks too often is found out.
/// </summary>
internal sealed class AwsJsonServer : IAsyncDisposable
{
    private readonly ConcurrentQueue<(int Status, string Body)> _replies = new();
    private readonly WebApplication _app;

    private AwsJsonServer(WebApplication app) => _app = app;

    public ConcurrentQueue<SeenRequest> Seen { get; } = new();

    public string Url { get; private set; } = "";

    public static async Task<AwsJsonServer> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(options => options.Listen(IPAddress.Loopback, 0));
        var server = new AwsJsonServer(builder.Build());
        server._app.Run(server.AnswerAsync);
        await server._app.StartAsync();
        server.Url = server._app.Urls.Single();
        return server;
    }

    public AwsJsonServer Reply(string body, int status = 200)
    {
        _replies.Enqueue((status, body));
        return this;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
        var headers = context.Request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase);
        Seen.Enqueue(new SeenRequest(context.Request.Method, context.Request.Path, headers, await reader.ReadToEndAsync()));
        var (status, body) = _replies.TryDequeue(out var reply) ? reply : (500, """{"__type":"NoReplyLeft","message":"no reply left"}""");
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/x-amz-json-1.0";
        context.Response.Headers["x-amzn-RequestId"] = "request-1";
        await context.Response.WriteAsync(body);
    }
}
