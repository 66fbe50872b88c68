using System.Collections.Concurrent;
using System.Text.Json;
using ChatPlatform.ServiceTests.Processes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ChatPlatform.ServiceTests.Chat;

/// <summary>Stands between the services and the tables and counts what they ask. Thread-safe.</summary>
internal sealed class TableCallCounter : IAsyncDisposable
{
    private readonly ConcurrentDictionary<(string Operation, string Table), int> _calls = new();
    private readonly HttpClient _http = new();
    private readonly WebApplication _app;

    private TableCallCounter(Uri target, Uri address)
    {
        Address = address;
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls(address.ToString());
        builder.Logging.ClearProviders();
        _app = builder.Build();
        _app.Run(context => ForwardAsync(context, target));
    }

    public Uri Address { get; }

    public static async Task<TableCallCounter> StartAsync(Uri target)
    {
        var counter = new TableCallCounter(target, new Uri($"http://127.0.0.1:{ServiceProcess.FreePort()}/"));
        await counter._app.StartAsync();
        return counter;
    }

    /// <summary>How often an operation, e.g. <c>Query</c>, was called on a table (an index counts as its table).</summary>
    public int Count(string operation, string table) => _calls.GetValueOrDefault((operation, table));

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _http.Dispose();
    }

    private async Task ForwardAsync(HttpContext context, Uri target)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        var bytes = body.ToArray();
        // https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html: the target header names the operation.
        var operation = context.Request.Headers["X-Amz-Target"].ToString().Split('.')[^1];
        if (operation.Length > 0)
        {
            using var json = JsonDocument.Parse(bytes);
            var table = json.RootElement.TryGetProperty("TableName", out var name) ? name.GetString()! : "";
            _calls.AddOrUpdate((operation, table), 1, (_, count) => count + 1);
        }

        using var request = new HttpRequestMessage(new HttpMethod(context.Request.Method), new Uri(target, context.Request.Path + context.Request.QueryString)) { Content = new ByteArrayContent(bytes) };
        foreach (var (key, value) in context.Request.Headers.Where(header => header.Key is not ("Host" or "Content-Length")))
        {
            if (!request.Headers.TryAddWithoutValidation(key, (IEnumerable<string?>)value))
                request.Content.Headers.TryAddWithoutValidation(key, (IEnumerable<string?>)value);
        }

        using var answer = await _http.SendAsync(request, context.RequestAborted);
        context.Response.StatusCode = (int)answer.StatusCode;
        foreach (var (key, value) in answer.Headers.Concat(answer.Content.Headers).Where(header => header.Key is not ("Transfer-Encoding" or "Connection")))
            context.Response.Headers[key] = value.ToArray();
        await answer.Content.CopyToAsync(context.Response.Body);
    }
}
