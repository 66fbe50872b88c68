using System.Text;
using System.Text.Json;
using ChatPlatform.ServiceTests.Chat;

namespace ChatPlatform.ServiceTests.Relay;

/// <summary>Each frame of contracts §4: what it does, each error it can meet, and that a client's bad frames are its own trouble only.</summary>
[Collection(ChatCollection.Name)]
public sealed class FrameTests(ChatSystem system)
{
    /// <summary>A frame with ROOM (a room of the sender), FOREIGN (a room of others), BLOCKED (a direct room whose other user has blocked the sender), and the code of the error it is answered with.</summary>
    public static TheoryData<string, string> RefusedFrames { get; } = new()
    {
        { """{"type":"send","ref":"r","roomId":"nowhere","clientMessageId":"c","kind":"text","text":"x"}""", "room_not_found" },
        { """{"type":"send","ref":"r","roomId":"FOREIGN","clientMessageId":"c","kind":"text","text":"x"}""", "room_not_found" },
        { """{"type":"send","ref":"r","clientMessageId":"c","kind":"text","text":"x"}""", "room_not_found" },
        { """{"type":"send","ref":"r","roomId":"BLOCKED","clientMessageId":"c","kind":"text","text":"x"}""", "blocked" },
        { """{"type":"send","ref":"r","roomId":"ROOM","kind":"text","text":"x"}""", "invalid_clientMessageId" },
        { """{"type":"send","ref":"r","roomId":"ROOM","clientMessageId":"","kind":"text","text":"x"}""", "invalid_clientMessageId" },
        { """{"type":"send","ref":"r","roomId":"ROOM","clientMessageId":"change:1","kind":"text","text":"x"}""", "invalid_clientMessageId" },
        { """{"type":"send","ref":"r","roomId":"ROOM","clientMessageId":"c","kind":"shout","text":"x"}""", "invalid_kind" },
        { """{"type":"send","ref":"r","roomId":"ROOM","clientMessageId":"c","text":"x"}""", "invalid_kind" },
        { """{"type":"send","ref":"r","roomId":"ROOM","clientMessageId":"c","kind":"system","text":"x"}""", "invalid_kind" },
        { """{"type":"send","ref":"r","roomId":"ROOM","clientMessageId":"c","kind":"transfer","text":"x"}""", "invalid_kind" },
        { """{"type":"send","ref":"r","roomId":"ROOM","clientMessageId":"c","kind":"text","text":""}""", "invalid_text" },
        { """{"type":"send","ref":"r","roomId":"ROOM","clientMessageId":"c","kind":"text"}""", "invalid_text" },
        { """{"type":"send","ref":"r","roomId":"ROOM","clientMessageId":"c","kind":"text","text":"LONG"}""", "text_too_long" },
        { """{"type":"send","ref":"r","roomId":"ROOM","clientMessageId":"c","kind":"location"}""", "invalid_payload" },
        { """{"type":"send","ref":"r","roomId":"ROOM","clientMessageId":"c","kind":"sticker","payload":[1]}""", "invalid_payload" },
        { """{"type":"read","ref":"r","roomId":"FOREIGN","seq":1}""", "room_not_found" },
        { """{"type":"read","ref":"r","roomId":"ROOM","seq":-1}""", "invalid_seq" },
        { """{"type":"read","ref":"r","roomId":"ROOM"}""", "invalid_frame" },
        { """{"type":"read","ref":"r","seq":1}""", "invalid_frame" },
        { """{"type":"typing","ref":"r","roomId":"FOREIGN"}""", "room_not_found" },
        { """{"type":"typing","ref":"r"}""", "invalid_frame" },
        { """{"type":"hello","ref":"r"}""", "invalid_frame" },
        { """{"type":"dance","ref":"r"}""", "invalid_frame" },
        { """{"ref":"r"}""", "invalid_frame" },
        { """{"type":"ack","ref":"r","message":{}}""", "invalid_frame" },
    };

    public static TheoryData<string> MalformedFrames { get; } = new(
        "", " ", "{", "}", "[]", "null", "7", "\"send\"", "{\"type\":7}", "{\"type\":\"ping\"", "{\"type\":\"ping\"}{\"type\":\"ping\"}", "{'type':'ping'}",
        "{\"type\":\"send\",\"roomId\":{}}", "{\"type\":\"read\",\"roomId\":\"a\",\"seq\":1.5}", "{\"type\":\"read\",\"roomId\":\"a\",\"seq\":99999999999999999999}",
        "{\"type\":\"send\",\"text\":\"\\ud800\"", new string('[', 5_000), "\uFEFF{\"type\":\"ping\"}");

    [Theory]
    [MemberData(nameof(RefusedFrames))]
    public async Task A_frame_that_is_refused_is_answered_with_its_code_and_reference_and_nobody_else_notices(string frame, string code)
    {
        var (mina, joon, sora) = (system.NewLocalUser(), system.NewLocalUser(), system.NewLocalUser());
        var room = await mina.NewDirectAsync(joon);
        var foreign = await joon.NewDirectAsync(sora);
        var blocked = await mina.NewDirectAsync(sora);
        (await sora.PutAsync($"/v1/blocks/{mina.Id}")).Status.ShouldBe(System.Net.HttpStatusCode.NoContent);
        await using var socket = await mina.ConnectAsync();
        await using var other = await joon.ConnectAsync(relay: 1);

        await socket.SendRawAsync(Encoding.UTF8.GetBytes(
            frame.Replace("ROOM", room).Replace("FOREIGN", foreign).Replace("BLOCKED", blocked).Replace("LONG", new string('x', 5_001))));

        var error = await socket.NextAsync("error");
        error.GetProperty("code").GetString().ShouldBe(code);
        error.GetProperty("ref").GetString().ShouldBe("r");
        error.GetProperty("title").GetString().ShouldNotBeNullOrEmpty();
        await socket.SendAsync(new { type = "ping" });
        await socket.NextAsync("pong");
        await other.SendAsync(new { type = "ping" });
        (await other.NextAsync())!.Value.GetProperty("type").GetString().ShouldBe("pong");
    }

    [Theory]
    [MemberData(nameof(MalformedFrames))]
    public async Task A_malformed_frame_is_an_invalid_frame_and_the_connection_goes_on(string frame)
    {
        await using var socket = await system.NewLocalUser().ConnectAsync();

        await socket.SendRawAsync(Encoding.UTF8.GetBytes(frame));
        await socket.SendAsync(new { type = "ping" });

        (await socket.NextAsync())!.Value.GetProperty("code").GetString().ShouldBe("invalid_frame");
        (await socket.NextAsync())!.Value.GetProperty("type").GetString().ShouldBe("pong");
    }

    [Theory]
    [InlineData("{\"type\":\"send\",\"ref\":\"r\",\"roomId\":\"x\"}")]
    [InlineData("{\"type\":\"typing\",\"roomId\":\"x\"}")]
    [InlineData("{\"type\":\"read\",\"roomId\":\"x\",\"seq\":1}")]
    [InlineData("{\"type\":\"hello\",\"resume\":[]}")]
    [InlineData("{\"type\":\"hello\",\"resume\":{\"a\":\"b\"}}")]
    [InlineData("hello")]
    [InlineData("")]
    public async Task A_first_frame_that_is_no_hello_closes_with_4408(string frame)
    {
        await using var socket = await system.NewLocalUser().OpenAsync(system.Relays[0]);
        await socket.SendRawAsync(Encoding.UTF8.GetBytes(frame));

        (await socket.CloseCodeAsync()).ShouldBe(4408);
    }

    [Fact]
    public async Task Invalid_utf8_is_an_invalid_frame_or_closes_and_never_reaches_anybody()
    {
        var (mina, joon) = (system.NewLocalUser(), system.NewLocalUser());
        var room = await mina.NewDirectAsync(joon);
        await using var socket = await RawSocket.ConnectAsync(system.Relays[0], System.Net.IPAddress.Loopback, mina.Token, CancellationToken.None);
        await socket.SendAsync("""{"type":"hello"}""", CancellationToken.None);
        byte[] start = [.. "{\"type\":\"send\",\"roomId\":\""u8, .. Encoding.ASCII.GetBytes(room), .. "\",\"clientMessageId\":\"c\",\"kind\":\"text\",\"text\":\""u8, 0xC3, 0x28, .. "\"}"u8];
        await socket.SendAsync(start, CancellationToken.None);

        var buffer = new byte[4_096];
        var frames = new List<string>();
        while (frames.Count < 2 && await socket.ReadAsync(buffer, CancellationToken.None) is { Count: > 0 } more)
            frames.AddRange(more);

        (frames.Count < 2 || frames[1].Contains("invalid_frame", StringComparison.Ordinal)).ShouldBeTrue();
        (await joon.LogAsync(room)).ShouldBeEmpty();
    }

    /// <summary>A client whose token is not good learns it by the close code, whatever is wrong with it.</summary>
    [Theory]
    [InlineData("other key")]
    [InlineData("other issuer")]
    [InlineData("other audience")]
    [InlineData("expired")]
    [InlineData("unsigned")]
    [InlineData("service")]
    [InlineData("no subject")]
    public async Task A_token_that_is_not_good_closes_with_4401(string flaw)
    {
        var key = system.SigningKey;
        var token = flaw switch
        {
            "other key" => SignedToken.Create(Convert.ToBase64String(new byte[32]), "mallory"),
            "other issuer" => SignedToken.Create(key, "mallory", issuer: "https://elsewhere.test"),
            "other audience" => SignedToken.Create(key, "mallory", audience: "payments"),
            "expired" => SignedToken.Create(key, "mallory", TimeSpan.FromMinutes(-5)),
            "unsigned" => SignedToken.Create(key, "mallory", algorithm: "none"),
            "service" => SignedToken.Create(key, "billing", scope: "chat.internal"),
            _ => SignedToken.Create(key, ""),
        };
        await using var socket = await ChatConnection.OpenAsync(system.Relays[0], token);

        (await socket.CloseCodeAsync()).ShouldBe(4401);
    }

    [Fact]
    public async Task A_token_that_expires_in_mid_connection_closes_with_4401()
    {
        // Clocks may differ by 30 s: a token that expired 27 s ago is good for 3 s more.
        var mina = system.NewLocalUser(TimeSpan.FromSeconds(-27));
        await using var socket = await mina.ConnectAsync();

        (await socket.CloseCodeAsync()).ShouldBe(4401);
    }

    [Fact]
    public async Task The_largest_frame_is_taken_and_one_byte_more_closes_with_4413()
    {
        await using var socket = await system.NewLocalUser().ConnectAsync();
        await socket.SendRawAsync(Padded(64 * 1_024));
        (await socket.NextAsync("pong")).ValueKind.ShouldBe(JsonValueKind.Object);

        await socket.SendRawAsync(Padded(64 * 1_024 + 1));
        (await socket.CloseCodeAsync()).ShouldBe(4413);

        static byte[] Padded(int length) => Encoding.ASCII.GetBytes("{\"type\":\"ping\"}".PadRight(length));
    }

    [Fact]
    public async Task A_flood_on_one_connection_closes_that_one_with_4429_and_no_other()
    {
        var mina = system.NewLocalUser();
        await using var flooding = await mina.ConnectAsync();
        await using var quiet = await mina.ConnectAsync();
        var closed = flooding.CloseCodeAsync();
        try
        {
            for (var i = 0; i < 2_000 && !closed.IsCompleted; i++)
                await flooding.SendRawAsync([]);
        }
        catch (System.Net.WebSockets.WebSocketException)
        {
            // The relay has closed already.
            flooding.ShouldNotBeNull();
        }

        (await closed).ShouldBe(4429);
        await quiet.SendAsync(new { type = "ping" });
        await quiet.NextAsync("pong");
    }

    [Theory]
    [InlineData("text", """ "text":"안녕 🥕" """)]
    [InlineData("sticker", """ "payload":{"stickerId":"carrot-7"} """)]
    [InlineData("location", """ "payload":{"lat":37.5,"lng":127.0} """)]
    public async Task A_send_of_every_kind_is_acknowledged_with_what_the_log_holds(string kind, string content)
    {
        var (mina, joon) = (system.NewLocalUser(), system.NewLocalUser());
        var room = await mina.NewDirectAsync(joon);
        await using var socket = await mina.ConnectAsync();

        await socket.SendRawAsync(Encoding.UTF8.GetBytes($$"""{"type":"send","ref":"1","roomId":"{{room}}","clientMessageId":"c","kind":"{{kind}}",{{content}}}"""));

        var ack = await socket.NextAsync("ack");
        ack.GetProperty("ref").GetString().ShouldBe("1");
        (await joon.LogAsync(room)).Single().GetProperty("message").GetRawText().ShouldBe(ack.GetProperty("message").GetRawText());
    }

    [Fact]
    public async Task A_retried_send_over_the_socket_is_acknowledged_with_the_first_message()
    {
        var (mina, joon) = (system.NewLocalUser(), system.NewLocalUser());
        var room = await mina.NewDirectAsync(joon);
        await using var one = await mina.ConnectAsync(relay: 0);
        await using var two = await mina.ConnectAsync(relay: 1);
        await one.SendAsync(new { type = "send", @ref = "a", roomId = room, clientMessageId = "same", kind = "text", text = "first" });
        var first = await one.NextAsync("ack");

        await two.SendAsync(new { type = "send", @ref = "b", roomId = room, clientMessageId = "same", kind = "text", text = "second" });

        (await two.NextAsync("ack")).GetProperty("message").GetRawText().ShouldBe(first.GetProperty("message").GetRawText());
        (await joon.LogAsync(room)).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Sends_without_waiting_are_stored_and_acknowledged_in_their_order()
    {
        var (mina, joon) = (system.NewLocalUser(), system.NewLocalUser());
        var room = await mina.NewDirectAsync(joon);
        await using var socket = await mina.ConnectAsync();
        for (var i = 0; i < 30; i++)
            await socket.SendAsync(new { type = "send", @ref = $"{i}", roomId = room, clientMessageId = $"c{i}", kind = "text", text = $"{i}" });

        for (var i = 0; i < 30; i++)
        {
            var ack = await socket.NextAsync("ack");
            ack.GetProperty("ref").GetString().ShouldBe($"{i}");
            ack.GetProperty("message").GetProperty("seq").GetInt64().ShouldBe(i + 1);
        }
    }

    [Fact]
    public async Task Whatever_bytes_a_client_sends_the_relay_stays_up_and_the_other_client_is_served()
    {
        var random = new Random(20_261_122);
        await using var other = await system.NewLocalUser().ConnectAsync();
        for (var client = 0; client < 20; client++)
        {
            await using var socket = await RawSocket.ConnectAsync(system.Relays[0], System.Net.IPAddress.Loopback, system.NewLocalUser().Token, CancellationToken.None);
            await socket.SendAsync("""{"type":"hello"}""", CancellationToken.None);
            for (var i = 0; i < 20; i++)
            {
                var bytes = new byte[random.Next(1, 300)];
                random.NextBytes(bytes);
                try
                {
                    // As text frames, and as no frames at all.
                    if (i % 2 == 0)
                        await socket.SendAsync(bytes, CancellationToken.None);
                    else
                        await socket.SendBytesAsync(bytes, CancellationToken.None);
                }
                catch (System.Net.Sockets.SocketException)
                {
                    break;
                }
            }
        }

        await other.SendAsync(new { type = "ping" });
        await other.NextAsync("pong");
    }
}
