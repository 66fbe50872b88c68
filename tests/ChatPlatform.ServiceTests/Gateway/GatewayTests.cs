using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using ChatPlatform.ServiceTests.Processes;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace ChatPlatform.ServiceTests.Gateway;

public sealed class GatewayTests : IAsyncLifetime
{
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(15) };
    private Upstream _api = null!;
    private Upstream _relay = null!;
    private Upstream _grpc = null!;
    private ServiceProcess _gateway = null!;
    private int _grpcPort;

    public async Task InitializeAsync()
    {
        _api = await Upstream.StartAsync("api");
        _relay = await Upstream.StartAsync("relay");
        _grpc = await Upstream.StartAsync("grpc", HttpProtocols.Http2);
        var port = ServiceProcess.FreePort();
        _grpcPort = ServiceProcess.FreePort();
        _gateway = ServiceProcess.StartService("services/ChatPlatform.Gateway", new Dictionary<string, string?>
        {
            ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{port}",
            ["GRPC_PORT"] = $"{_grpcPort}",
            ["Gateway__Api"] = _api.Url,
            ["Gateway__Relay"] = _relay.Url,
            ["Gateway__ApiGrpc"] = _grpc.Url,
        });
        _http.BaseAddress = new Uri($"http://127.0.0.1:{port}");
        await _gateway.WaitForHealthAsync($"http://127.0.0.1:{port}/health");
    }

    public async Task DisposeAsync()
    {
        _http.Dispose();
        await _gateway.DisposeAsync();
        await _api.DisposeAsync();
        await _relay.DisposeAsync();
        await _grpc.DisposeAsync();
    }

    [Fact]
    public async Task Every_address_reaches_the_service_it_belongs_to_and_nothing_else_does()
    {
        foreach (var path in new[] { "/v1/rooms", "/dev/token", "/openapi/v1.json", "/v1/rooms/a%2Fb/messages" })
            (await NameAsync(path)).ShouldBe("api", path);
        _api.Requests.ShouldContain("GET /v1/rooms/a%2Fb/messages");

        _api.Requests.Clear();
        foreach (var path in new[] { "/internal/v1/rooms/r/messages", "/v1/../internal/x", "/v1/%2e%2e/internal/x", "//internal/x", "/INTERNAL/x", "/chat.v1.Other/Call", "/nothing" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_http.BaseAddress + path[1..], new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
            request.Content = new StringContent("{}");
            using var answer = await _http.SendAsync(request);
            answer.StatusCode.ShouldBe(HttpStatusCode.NotFound, path);
            (await CodeAsync(answer)).ShouldBe("not_found", path);
        }

        _api.Requests.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_frame_and_a_close_code_pass_the_front_door_both_ways()
    {
        using var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol("chat.v1.json");
        await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{_http.BaseAddress!.Port}/v1/ws?access_token=t"), default);
        socket.SubProtocol.ShouldBe("chat.v1.json");
        var sent = Encoding.UTF8.GetBytes(new string('한', 10_000));
        await socket.SendAsync(sent, WebSocketMessageType.Text, true, default);

        var received = new MemoryStream();
        var buffer = new byte[8192];
        ValueWebSocketReceiveResult part;
        do
        {
            part = await socket.ReceiveAsync(buffer.AsMemory(), default);
            received.Write(buffer, 0, part.Count);
        }
        while (!part.EndOfMessage);
        received.ToArray().ShouldBe(sent);

        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, default);
        ((int)socket.CloseStatus!.Value).ShouldBe(4503);
        _relay.Requests.ShouldBe(["GET /v1/ws"]);
    }

    [Fact]
    public async Task The_trace_the_token_and_the_clients_address_go_along_and_cannot_be_forged()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/rooms");
        var trace = ActivityTraceId.CreateRandom().ToString();
        request.Headers.Add("traceparent", $"00-{trace}-{ActivitySpanId.CreateRandom()}-01");
        request.Headers.Add("Authorization", "Bearer t");
        request.Headers.Add("X-Forwarded-For", "203.0.113.9");
        using var answer = await _http.SendAsync(request);
        var seen = await answer.Content.ReadFromJsonAsync<JsonElement>();

        seen.GetProperty("traceparent").GetString()!.ShouldContain(trace);
        seen.GetProperty("authorization").GetString().ShouldBe("Bearer t");
        seen.GetProperty("forwardedFor").GetString().ShouldBe("127.0.0.1");
        seen.GetProperty("forwardedProto").GetString().ShouldBe("http");
        seen.GetProperty("forwardedHost").GetString().ShouldBe($"127.0.0.1:{_http.BaseAddress!.Port}");
    }

    [Fact]
    public async Task What_the_API_answers_is_not_touched()
    {
        using var limited = await _http.GetAsync("/v1/limited");
        ((int)limited.StatusCode).ShouldBe(429);
        limited.Headers.RetryAfter!.Delta.ShouldBe(TimeSpan.FromSeconds(3));
        limited.Headers.GetValues("RateLimit-Limit").ShouldBe(["10"]);

        using var missing = await _http.GetAsync("/v1/missing");
        (await CodeAsync(missing)).ShouldBe("room_not_found");
    }

    [Fact]
    public async Task A_body_that_no_limit_of_the_API_allows_is_refused_before_it_is_read()
    {
        using var answer = await _http.PostAsync("/v1/rooms", new ByteArrayContent(new byte[2 * 1024 * 1024]));
        answer.StatusCode.ShouldBe(HttpStatusCode.RequestEntityTooLarge);
        (await CodeAsync(answer)).ShouldBe("body_too_large");
        _api.Requests.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_gRPC_call_on_the_gRPC_port_arrives_as_HTTP_2()
    {
        foreach (var path in new[] { "/chat.v1.ChatService/GetRoom", "/grpc.health.v1.Health/Check" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"http://127.0.0.1:{_grpcPort}{path}")
            {
                Version = HttpVersion.Version20,
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
                Content = new ByteArrayContent([0, 0, 0, 0, 0]),
            };
            using var answer = await _http.SendAsync(request);
            var seen = await answer.Content.ReadFromJsonAsync<JsonElement>();
            (seen.GetProperty("name").GetString(), seen.GetProperty("protocol").GetString(), seen.GetProperty("path").GetString()).ShouldBe(("grpc", "HTTP/2", path));
        }
    }

    [Fact]
    public async Task The_web_client_is_served_with_a_policy_that_runs_nothing_but_its_own_files()
    {
        using var page = await _http.GetAsync("/");
        page.StatusCode.ShouldBe(HttpStatusCode.OK);
        page.Content.Headers.ContentType!.MediaType.ShouldBe("text/html");
        page.Headers.GetValues("Content-Security-Policy").Single().ShouldContain("script-src 'self'");
        using var script = await _http.GetAsync("/app.js");
        script.Content.Headers.ContentType!.MediaType.ShouldBe("text/javascript");
    }

    [Fact]
    public async Task Without_the_API_the_gateway_is_degraded_answers_502_and_recovers_by_itself()
    {
        var port = new Uri(_api.Url).Port;
        await _api.DisposeAsync();
        using (var down = await _http.GetAsync("/v1/rooms"))
        {
            down.StatusCode.ShouldBe(HttpStatusCode.BadGateway);
            (await CodeAsync(down)).ShouldBe("upstream_unavailable");
            down.Headers.RetryAfter.ShouldNotBeNull();
        }

        using (var health = await _http.GetAsync("/health"))
        {
            health.StatusCode.ShouldBe(HttpStatusCode.OK);
            var report = await health.Content.ReadFromJsonAsync<JsonElement>();
            report.GetProperty("status").GetString().ShouldBe("Degraded");
            report.GetProperty("checks").GetProperty("relay").GetProperty("status").GetString().ShouldBe("Healthy");
        }

        // Even many failures in a row do not make it give up on the only destination there is.
        for (var i = 0; i < 30; i++)
            (await _http.GetAsync("/v1/rooms")).StatusCode.ShouldBe(HttpStatusCode.BadGateway);
        _api = await Upstream.StartAsync("api", port: port);
        (await NameAsync("/v1/rooms")).ShouldBe("api");
    }

    [Fact]
    public async Task SIGTERM_ends_it_within_seconds_although_a_socket_is_open()
    {
        using var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol("chat.v1.json");
        await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{_http.BaseAddress!.Port}/v1/ws"), default);
        (await _gateway.StopAsync(TimeSpan.FromSeconds(10))).ShouldBe(0);
    }

    [Fact]
    public async Task A_wrong_setting_ends_the_start_with_its_name()
    {
        await using var wrong = ServiceProcess.StartService("services/ChatPlatform.Gateway", new Dictionary<string, string?>
        {
            ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{ServiceProcess.FreePort()}",
            ["Gateway__Api"] = "127.0.0.1:1",
            ["Gateway__Relay"] = _relay.Url,
        });
        (await Should.ThrowAsync<InvalidOperationException>(() => wrong.WaitForAsync(() => Task.FromResult(false), "the end")))
            .Message.ShouldContain("Gateway:Api is '127.0.0.1:1'");
        wrong.ExitCode.ShouldNotBe(0);
    }

    private async Task<string?> NameAsync(string path)
    {
        using var answer = await _http.GetAsync(new Uri(_http.BaseAddress + path[1..], new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
        return (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("name").GetString();
    }

    private static async Task<string?> CodeAsync(HttpResponseMessage answer)
    {
        answer.Content.Headers.ContentType?.MediaType.ShouldBe("application/problem+json");
        return (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("code").GetString();
    }
}
