using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using ChatPlatform.Contracts.Protos.Chat.V1;
using ChatPlatform.ServiceTests.Chat;
using ChatPlatform.ServiceTests.Processes;
using Grpc.Core;
using Grpc.Net.Client;

namespace ChatPlatform.ServiceTests.Api;

/// <summary>API servers with small limits beside those of the collection: two over the same Redis, and one that has none and trusts no proxy here.</summary>
public sealed class LimitedServers : IAsyncLifetime
{
    /// <summary>Ten calls and four messages at once, two a minute after that; five calls from an address.</summary>
    private static readonly (string, string?)[] Small =
    [
        ("RateLimits__User__Burst", "10"), ("RateLimits__User__PerSecond", "0.033"),
        ("RateLimits__Send__Burst", "4"), ("RateLimits__Send__PerSecond", "0.033"),
        ("RateLimits__Address__Burst", "5"), ("RateLimits__Address__PerSecond", "0.033"),
    ];

    private readonly List<ServiceProcess> _processes = [];

    /// <summary>The third one is alone.</summary>
    public Uri[] Rest { get; } = new Uri[3];

    public Uri[] Grpc { get; } = new Uri[3];

    /// <summary>Starts them on the first call.</summary>
    public async Task<LimitedServers> OverAsync(ApiSystem system)
    {
        if (_processes.Count > 0)
            return this;
        for (var i = 0; i < 3; i++)
        {
            (string, string?)[] alone = [("ConnectionStrings__redis", $"127.0.0.1:{ServiceProcess.FreePort()}"), ("RateLimits__TrustedProxies", "10.0.0.0/8")];
            _processes.Add(system.Chat.StartApi(out Rest[i], out Grpc[i], [.. Small, .. i == 2 ? alone : []]));
        }

        await Task.WhenAll(_processes.Select((process, i) => process.WaitForHealthAsync(Rest[i] + "alive", TimeSpan.FromSeconds(90))));
        return this;
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var process in _processes)
            await process.DisposeAsync();
    }
}

/// <summary>Limits per user and per address (contracts §1), shared by all API servers through Redis.</summary>
[Collection(ApiCollection.Name)]
public sealed class RateLimitTests(ApiSystem system, LimitedServers limited) : IClassFixture<LimitedServers>
{
    private static readonly HttpClient Http = new();

    [Fact]
    public async Task Frames_of_a_WebSocket_count_against_the_address_of_its_client_as_calls_do()
    {
        var servers = await limited.OverAsync(system);
        await using var relay = system.Chat.StartRelay(0, out var url, ("Api__GrpcAddress", servers.Grpc[0].ToString()), ("Relay__HelloSeconds", "30"));
        await relay.WaitForHealthAsync(url + "health", TimeSpan.FromSeconds(90));
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);
        List<ChatConnection> sockets = [await mina.OpenAsync(url, "203.0.113.77"), await joon.OpenAsync(url, "203.0.113.77"), await joon.OpenAsync(url, "203.0.113.78")];
        foreach (var socket in sockets)
        {
            await socket.SendAsync(new { type = "hello" });
            await socket.NextAsync("welcome");
        }

        // Three messages each, of which either user has four: the sixth is one too many of the address.
        for (var i = 0; i < 5; i++)
            (await SendAsync(sockets[i % 2], $"m{i}")).ShouldBe("ack");
        (await SendAsync(sockets[1], "m5")).ShouldBe("rate_limited");
        (await SendAsync(sockets[2], "m5")).ShouldBe("ack");
        foreach (var socket in sockets)
            await socket.DisposeAsync();

        async Task<string?> SendAsync(ChatConnection socket, string id)
        {
            await socket.SendAsync(new { type = "send", @ref = id, roomId = room, clientMessageId = id, kind = "text", text = "hi" });
            while (await socket.NextAsync() is { } frame)
            {
                if (frame.GetProperty("type").GetString() is "ack" or "error")
                    return frame.TryGetProperty("code", out var code) ? code.GetString() : "ack";
            }

            return "closed";
        }
    }

    [Fact]
    public async Task Two_servers_share_a_users_limits_in_REST_and_gRPC_and_say_when_to_come_back()
    {
        var servers = await limited.OverAsync(system);
        var (mina, joon, sora) = (await system.NewUserAsync(), await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);

        List<HttpResponseMessage> answers = [];
        for (var i = 0; i < 12; i++)
            answers.Add(await GetAsync(servers.Rest[i % 2], mina));
        answers.Count(answer => answer.StatusCode == HttpStatusCode.OK).ShouldBe(10);
        answers[0].Headers.GetValues("RateLimit-Limit").Single().ShouldBe("10");
        answers.Take(10).Select(answer => answer.Headers.GetValues("RateLimit-Remaining").Single()).ShouldBe(["9", "8", "7", "6", "5", "4", "3", "2", "1", "0"]);
        var refused = answers[^1];
        refused.StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
        refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds.ShouldBeInRange(1, 31);
        refused.Headers.GetValues("RateLimit-Reset").Single().ShouldNotBe("0");
        refused.Content.Headers.ContentType!.MediaType.ShouldBe("application/problem+json");
        (await refused.Content.ReadAsStringAsync()).ShouldContain("\"code\":\"rate_limited\"");

        using var channel = GrpcChannel.ForAddress(servers.Grpc[1]);
        var grpc = new ChatService.ChatServiceClient(channel);
        var error = await Should.ThrowAsync<RpcException>(async () => await grpc.GetRoomAsync(new GetRoomRequest { RoomId = room }, ApiSystem.As(mina)));
        error.StatusCode.ShouldBe(StatusCode.ResourceExhausted);
        error.Trailers.GetValue("chat-error-code").ShouldBe("rate_limited");
        int.Parse(error.Trailers.GetValue("chat-retry-after")!, CultureInfo.InvariantCulture).ShouldBeInRange(1, 31);
        using var stream = grpc.Subscribe(new SubscribeRequest { After = { [room] = 0 } }, ApiSystem.As(mina));
        (await Should.ThrowAsync<RpcException>(() => stream.ResponseStream.MoveNext(CancellationToken.None))).StatusCode.ShouldBe(StatusCode.ResourceExhausted);

        // Others are not affected, and messages have a limit of their own below that of calls.
        (await GetAsync(servers.Rest[0], sora)).StatusCode.ShouldBe(HttpStatusCode.OK);
        for (var i = 0; i < 5; i++)
        {
            var sent = await ApiSystem.RefusalOfAsync(async () => await grpc.SendMessageAsync(
                new SendMessageRequest { RoomId = room, ClientMessageId = $"{i}", Kind = "text", Text = "x" }, ApiSystem.As(joon)));
            sent.ShouldBe(i < 4 ? (StatusCode.OK, null) : (StatusCode.ResourceExhausted, "rate_limited"));
        }

        (await GetAsync(servers.Rest[0], joon)).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_burst_on_two_servers_at_once_gets_exactly_the_limit()
    {
        var servers = await limited.OverAsync(system);
        var mina = await system.NewUserAsync();

        var answers = await Task.WhenAll(Enumerable.Range(0, 60).Select(i => GetAsync(servers.Rest[i % 2], mina)));

        answers.Count(answer => answer.StatusCode == HttpStatusCode.OK).ShouldBe(10);
        answers.Count(answer => answer.StatusCode == HttpStatusCode.TooManyRequests).ShouldBe(50);
    }

    [Fact]
    public async Task An_address_is_limited_with_and_without_a_token_as_the_trusted_proxy_names_it()
    {
        var servers = await limited.OverAsync(system);
        var users = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => system.NewUserAsync()));

        List<HttpStatusCode> statuses = [];
        for (var i = 0; i < 7; i++)
            statuses.Add((await GetAsync(servers.Rest[0], i < 3 ? users[i] : null, $"6.6.6.{i}, 203.0.113.7")).StatusCode);

        statuses.ShouldBe(
        [
            .. Enumerable.Repeat(HttpStatusCode.OK, 3), .. Enumerable.Repeat(HttpStatusCode.Unauthorized, 2), .. Enumerable.Repeat(HttpStatusCode.TooManyRequests, 2),
        ]);
        (await GetAsync(servers.Rest[0], users[0], "203.0.113.8")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Without_Redis_a_server_limits_alone_and_strangers_make_up_neither_address_nor_the_mark_of_a_passed_on_call()
    {
        var servers = await limited.OverAsync(system);
        var mina = await system.NewUserAsync();

        List<HttpStatusCode> statuses = [];
        for (var i = 0; i < 7; i++)
            statuses.Add((await GetAsync(servers.Rest[2], mina, $"203.0.113.{i}", passedOn: true)).StatusCode);

        statuses.ShouldBe([.. Enumerable.Repeat(HttpStatusCode.OK, 5), .. Enumerable.Repeat(HttpStatusCode.TooManyRequests, 2)]);
        for (var i = 0; i < 20; i++)
        {
            // Probes are not counted.
            using var answer = await Http.GetAsync(new Uri(servers.Rest[2], "/alive"));
            answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        }
    }

    private static async Task<HttpResponseMessage> GetAsync(Uri server, ChatUser? user, string? forwardedFor = null, bool passedOn = false)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(server, "/v1/blocks"));
        if (user is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", user.Token);
        if (forwardedFor is not null)
            request.Headers.Add("X-Forwarded-For", forwardedFor);
        if (passedOn)
            request.Headers.Add("x-chat-passed-on", "1");
        return await Http.SendAsync(request);
    }
}
