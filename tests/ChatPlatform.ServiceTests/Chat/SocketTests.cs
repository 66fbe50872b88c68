using System.Net;
using System.Text;
using System.Text.Json;

namespace ChatPlatform.ServiceTests.Chat;

/// <summary>The WebSocket's close codes, limits and the life of a relay (contracts §4).</summary>
[Collection(ChatCollection.Name)]
public sealed class SocketTests(ChatSystem system)
{
    [Fact]
    public async Task The_subprotocol_is_spoken_and_ping_is_answered()
    {
        await using var socket = await (await system.NewUserAsync()).ConnectAsync();

        await socket.SendAsync(new { type = "ping" });

        (await socket.NextAsync("pong")).ValueKind.ShouldBe(JsonValueKind.Object);
        socket.Subprotocol.ShouldBe("chat.v1.json");
    }

    [Fact]
    public async Task A_token_in_the_query_is_as_good()
    {
        var mina = await system.NewUserAsync();
        await using var socket = await ChatConnection.OpenAsync(system.Relays[0], mina.Token, inQuery: true);
        await socket.SendAsync(new { type = "hello" });

        (await socket.NextAsync("welcome")).GetProperty("userId").GetString().ShouldBe(mina.Id);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("not-a-token")]
    public async Task A_missing_or_bad_token_closes_with_4401(string? token)
    {
        await using var socket = await ChatConnection.OpenAsync(system.Relays[0], token);

        (await socket.CloseCodeAsync()).ShouldBe(4401);
    }

    [Fact]
    public async Task No_hello_in_time_closes_with_4408()
    {
        await using var socket = await (await system.NewUserAsync()).OpenAsync(system.Relays[0]);

        (await socket.CloseCodeAsync()).ShouldBe(4408);
    }

    [Fact]
    public async Task A_frame_before_hello_closes_with_4408()
    {
        await using var socket = await (await system.NewUserAsync()).OpenAsync(system.Relays[0]);
        await socket.SendAsync(new { type = "ping" });

        (await socket.CloseCodeAsync()).ShouldBe(4408);
    }

    [Fact]
    public async Task A_frame_over_64_KiB_closes_with_4413()
    {
        await using var socket = await (await system.NewUserAsync()).ConnectAsync();
        await socket.SendRawAsync(Encoding.UTF8.GetBytes(new string('x', 66_000)));

        (await socket.CloseCodeAsync()).ShouldBe(4413);
    }

    [Fact]
    public async Task An_eleventh_connection_closes_with_4429_also_across_relays()
    {
        var mina = await system.NewUserAsync();
        List<ChatConnection> open = [];
        for (var i = 0; i < 10; i++)
            open.Add(await mina.ConnectAsync(relay: i % 2));

        await using var eleventh = await mina.OpenAsync(system.Relays[0]);
        (await eleventh.CloseCodeAsync()).ShouldBe(4429);
        foreach (var socket in open)
            await socket.DisposeAsync();
    }

    [Fact]
    public async Task A_flood_of_frames_closes_with_4429()
    {
        await using var socket = await (await system.NewUserAsync()).ConnectAsync();
        var reading = socket.CloseCodeAsync();
        for (var i = 0; i < 400; i++)
        {
            try
            {
                await socket.SendAsync(new { type = "ping" });
            }
            catch (System.Net.WebSockets.WebSocketException)
            {
                break;
            }
        }

        (await reading).ShouldBe(4429);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{\"type\":\"dance\"}")]
    [InlineData("{\"type\":7}")]
    public async Task A_malformed_frame_is_an_error_frame_and_the_socket_lives(string frame)
    {
        await using var socket = await (await system.NewUserAsync()).ConnectAsync();
        await socket.SendRawAsync(Encoding.UTF8.GetBytes(frame));

        (await socket.NextAsync("error")).GetProperty("code").GetString().ShouldBe("invalid_frame");
        await socket.SendAsync(new { type = "ping" });
        await socket.NextAsync("pong");
    }

    [Fact]
    public async Task A_refused_send_is_an_error_frame_with_the_codes_of_rest()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await joon.NewDirectAsync(await system.NewUserAsync());
        await using var socket = await mina.ConnectAsync();

        await socket.SendAsync(new { type = "send", @ref = "r9", roomId = room, clientMessageId = "c", kind = "text", text = "x" });
        var error = await socket.NextAsync("error");
        await socket.SendAsync(new { type = "send", @ref = "r10", roomId = room, clientMessageId = "c", kind = "shout", text = "x" });

        error.GetProperty("ref").GetString().ShouldBe("r9");
        error.GetProperty("code").GetString().ShouldBe("room_not_found");
        (await socket.NextAsync("error")).GetProperty("code").GetString().ShouldBe("invalid_kind");
    }

    [Fact]
    public async Task A_plain_request_to_the_socket_address_is_a_400()
    {
        using var http = new HttpClient();

        (await http.GetAsync(new Uri(system.Relays[0], "/v1/ws"))).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task A_silent_client_closes_with_4408()
    {
        await using var relay = system.StartRelay(0, out var url, ("Relay__HeartbeatSeconds", "1"));
        await relay.WaitForHealthAsync(url + "health");
        await using var socket = await (await system.NewUserAsync()).OpenAsync(url);
        await socket.SendAsync(new { type = "hello" });
        await socket.NextAsync("welcome");

        (await socket.CloseCodeAsync()).ShouldBe(4408);
    }

    [Fact]
    public async Task An_address_may_hold_so_many_connections_and_one_more_closes_with_4429_until_another_has_gone()
    {
        await using var relay = system.StartRelay(0, out var url, ("Relay__ConnectionsPerAddress", "2"), ("Relay__HelloSeconds", "30"));
        await relay.WaitForHealthAsync(url + "health");
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        await using var one = await mina.OpenAsync(url, "203.0.113.9");
        await using var two = await joon.OpenAsync(url, "198.51.100.1, 203.0.113.9");
        await two.SendAsync(new { type = "hello" });
        await two.NextAsync("welcome");

        await using (var third = await joon.OpenAsync(url, "203.0.113.9"))
            (await third.CloseCodeAsync()).ShouldBe(4429);
        await using var elsewhere = await joon.OpenAsync(url, "203.0.113.10");
        await elsewhere.SendAsync(new { type = "hello" });
        await elsewhere.NextAsync("welcome");

        await one.DisposeAsync();
        await relay.WaitForAsync(
            async () =>
            {
                await using var again = await joon.OpenAsync(url, "203.0.113.9");
                await again.SendAsync(new { type = "hello" });
                return await again.NextAsync() is { } frame && frame.GetProperty("type").GetString() == "welcome";
            },
            "the place to be free again");
    }

    [Theory]
    [InlineData("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 12\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 400)]
    [InlineData("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n", 400)]
    [InlineData("Connection: close\r\n", 400)]
    [InlineData("Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Tab: a\tb\r\n", 101)]
    [InlineData("Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 101)]
    public async Task A_handshake_in_pieces_or_out_of_the_ordinary_is_answered_like_any_other(string headers, int status)
    {
        using var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync(system.Relays[0].Host, system.Relays[0].Port);
        var stream = client.GetStream();
        var head = System.Text.Encoding.ASCII.GetBytes($"GET /v1/ws HTTP/1.1\r\nHost: chat.test\r\n{headers}\r\n");
        foreach (var piece in head.Chunk(40))
            await stream.WriteAsync(piece);

        using var reader = new StreamReader(stream);
        (await reader.ReadLineAsync())!.ShouldStartWith($"HTTP/1.1 {status} ");
    }

    [Fact]
    public async Task A_stopping_relay_says_so_closes_with_1001_and_leaves_the_directory()
    {
        await using var relay = system.StartRelay(0, out var url, ("Relay__HelloSeconds", "30"));
        await relay.WaitForHealthAsync(url + "health");
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        await using var socket = await mina.OpenAsync(url);
        await socket.SendAsync(new { type = "hello" });
        await socket.NextAsync("welcome");

        var stopping = relay.StopAsync();
        var draining = await socket.NextAsync("draining");
        var code = await socket.CloseCodeAsync();

        draining.GetProperty("retryAfterMs").GetInt64().ShouldBeInRange(0, 3_000);
        code.ShouldBe(1001);
        (await stopping).ShouldBe(0);
        (await joon.GetAsync($"/v1/presence?userIds={mina.Id}")).Body.GetProperty("items")[0].GetProperty("online").GetBoolean().ShouldBeFalse();
    }
}
