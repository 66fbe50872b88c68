using System.Text;
using ChatPlatform.Relay.Sockets;

namespace ChatPlatform.UnitTests.Relay;

public sealed class UpgradeRequestTests
{
    // The example of RFC 6455 §1.2 and §1.3.
    private const string Plain =
        "GET /v1/ws HTTP/1.1\r\nHost: chat.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

    [Fact]
    public void A_plain_handshake_is_read_with_all_that_matters_and_no_byte_more()
    {
        var head = With("Sec-WebSocket-Protocol: other, chat.v1.json\r\nauthorization: bearer abc.def\r\nX-Forwarded-For: 203.0.113.7\r\ntraceparent: 00-1-2-01\r\n");

        var request = Parse(head + "\u0081\u0080next", out var length).ShouldNotBeNull();

        length.ShouldBe(head.Length);
        request.Token.ShouldBe("abc.def");
        request.Subprotocols.ShouldBe(["other", "chat.v1.json"]);
        request.ForwardedFor.ShouldBe("203.0.113.7");
        request.TraceParent.ShouldBe("00-1-2-01");
    }

    [Fact]
    public void The_answer_is_that_of_the_RFC() =>
        Encoding.ASCII.GetString(Parse(Plain, out _)!.Accepted("chat.v1.json")).Split("\r\n").ShouldBe(
            [
                "HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket",
                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "Sec-WebSocket-Protocol: chat.v1.json", "", "",
            ]);

    [Theory]
    [InlineData("GET /v1/ws?access_token=abc.def", null, "abc.def")]
    [InlineData("GET /v1/ws?access_token=abc.def", "Authorization: Bearer first\r\n", "first")]
    [InlineData("GET /v1/ws?access_token=", null, null)]
    [InlineData("GET /v1/ws", null, null)]
    [InlineData("GET /v1/ws", "Authorization: Basic abc\r\n", null)]
    public void The_token_comes_from_the_header_or_else_the_query(string start, string? header, string? token)
    {
        var request = Parse(With(header ?? "").Replace("GET /v1/ws", start, StringComparison.Ordinal), out _).ShouldNotBeNull();

        request.Token.ShouldBe(token);
    }

    [Theory]
    [InlineData("GET /v1/ws HTTP/1.1", "GET /v1/wsx HTTP/1.1")]
    [InlineData("GET /v1/ws HTTP/1.1", "GET /v1/ws/x HTTP/1.1")]
    [InlineData("GET /v1/ws HTTP/1.1", "GET /v1/ws?other=1 HTTP/1.1")]
    [InlineData("GET /v1/ws HTTP/1.1", "GET /v1/ws?access_token=a%20b HTTP/1.1")]
    [InlineData("GET /v1/ws HTTP/1.1", "GET /v1/ws?access_token=a&b=c HTTP/1.1")]
    [InlineData("GET /v1/ws HTTP/1.1", "GET /v1/ws HTTP/1.0")]
    [InlineData("GET /v1/ws HTTP/1.1", "GET  /v1/ws HTTP/1.1")]
    [InlineData("GET /v1/ws HTTP/1.1", "POST /v1/ws HTTP/1.1")]
    [InlineData("Host: chat.test\r\n", "")]
    [InlineData("Host: chat.test\r\n", "Host: \r\n")]
    [InlineData("Host: chat.test\r\n", "Host: chat.test\r\nHost: other.test\r\n")]
    [InlineData("Host: chat.test\r\n", "Host: chat.test\r\n folded\r\n")]
    [InlineData("Host: chat.test\r\n", "Host : chat.test\r\n")]
    [InlineData("Host: chat.test\r\n", "Host: chat.test\n")]
    [InlineData("Host: chat.test\r\n", "Host: chät.test\r\n")]
    [InlineData("Host: chat.test\r\n", "Host: chat.test\r\nno colon\r\n")]
    [InlineData("Upgrade: websocket", "Upgrade: h2c")]
    [InlineData("Connection: Upgrade", "Connection: keep-alive")]
    [InlineData("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ")]
    [InlineData("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZSE=")]
    [InlineData("Version: 13", "Version: 8")]
    [InlineData("Version: 13\r\n", "Version: 13\r\nContent-Length: 3\r\n")]
    [InlineData("Version: 13\r\n", "Version: 13\r\nTransfer-Encoding: chunked\r\n")]
    [InlineData("Version: 13\r\n", "Version: 13\r\nExpect: 100-continue\r\n")]
    [InlineData("\r\n\r\n", "\r\n")]
    public void Whatever_is_unusual_or_wrong_is_left_to_HTTP(string part, string instead) => Parse(Plain.Replace(part, instead, StringComparison.Ordinal), out _).ShouldBeNull();

    [Fact]
    public void A_head_that_is_too_long_is_left_to_HTTP() => Parse(With($"X-Long: {new string('x', UpgradeRequest.MaxHeadBytes)}\r\n"), out _).ShouldBeNull();

    [Fact]
    public void Damaged_heads_never_throw_and_what_is_read_from_them_is_a_handshake()
    {
        var random = new Random(20_261);
        var good = Encoding.Latin1.GetBytes(With("Sec-WebSocket-Protocol: chat.v1.json\r\nAuthorization: Bearer abc.def\r\n"));
        var read = 0;
        for (var i = 0; i < 50_000; i++)
        {
            var bytes = good.ToArray();
            for (var damage = random.Next(1, 4); damage > 0; damage--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            var cut = random.Next(4) == 0 ? random.Next(bytes.Length) : bytes.Length;
            if (UpgradeRequest.Parse(bytes.AsSpan(0, cut), out var length) is not { } request)
                continue;
            read++;
            length.ShouldBeLessThanOrEqualTo(cut);
            request.Key.Length.ShouldBe(24);
        }

        // Most of the bytes are values that may be anything.
        read.ShouldBeGreaterThan(1_000);
    }

    private static string With(string headers) => Plain.Replace("Upgrade: websocket\r\n", "Upgrade: websocket\r\n" + headers, StringComparison.Ordinal);

    private static UpgradeRequest? Parse(string head, out int length) => UpgradeRequest.Parse(Encoding.Latin1.GetBytes(head), out length);
}
