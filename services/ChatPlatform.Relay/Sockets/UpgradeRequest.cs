using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace ChatPlatform.Relay.Sockets;

/// <summary>
/// A plain handshake (RFC 6455 §4.2.1) of <c>GET /v1/ws</c>, read straight from the bytes of a connection. Only one that is right in every respect is read at all; whatever is unusual or
/// wrong is HTTP's to judge.
/// </summary>
internal sealed record UpgradeRequest
{
    /// <summary>A longer head is left to HTTP.</summary>
    public const int MaxHeadBytes = 16 * 1024;

    /// <summary>What HTTP's paths of a handshake begin with.</summary>
    public static ReadOnlySpan<byte> Start => "GET /v1/ws"u8;

    // RFC 6455 §1.3.
    private const string AcceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    private const int KeyBytes = 16;

    /// <summary><c>Sec-WebSocket-Key</c>.</summary>
    public required string Key { get; init; }

    /// <summary>The access token of the header, or else of the query; null without one. A secret.</summary>
    public string? Token { get; init; }

    /// <summary>The subprotocols that the client offers.</summary>
    public IReadOnlyList<string> Subprotocols { get; init; } = [];

    /// <summary><c>X-Forwarded-For</c> as it came; null without one.</summary>
    public string? ForwardedFor { get; init; }

    /// <summary><c>traceparent</c> as it came; null without one.</summary>
    public string? TraceParent { get; init; }

    /// <summary>Reads a head from the beginning of <paramref name="bytes"/>; null when it is not whole, no handshake of ours, or not a plain one. Never throws.</summary>
    /// <param name="bytes">What the connection has brought so far.</param>
    /// <param name="length">How many of the bytes are the head's.</param>
    public static UpgradeRequest? Parse(ReadOnlySpan<byte> bytes, out int length)
    {
        length = bytes.IndexOf("\r\n\r\n"u8) + 4;
        if (length < 4 || length > MaxHeadBytes || !bytes.StartsWith(Start))
            return null;
        var lines = Encoding.Latin1.GetString(bytes[..(length - 4)]).Split("\r\n");
        // A bare CR or LF, or any other control character, is for HTTP to refuse.
        if (lines[0].Split(' ') is not ["GET", var target, "HTTP/1.1"] || lines.Any(line => line.Any(c => c is < ' ' or > '~')))
            return null;
        Dictionary<string, string> headers = new(StringComparer.OrdinalIgnoreCase);
        foreach (var line in lines.AsSpan(1))
        {
            var colon = line.IndexOf(':');
            // None twice, so that there is no doubt which one counts.
            if (colon <= 0 || line.AsSpan(0, colon).ContainsAny(" \t\"(),/;<=>?@[\\]{}") || !headers.TryAdd(line[..colon], line[(colon + 1)..].Trim(' ')))
                return null;
        }

        return IsHandshake(headers) && TokenOf(target, headers) is (true, var token)
            ? new UpgradeRequest
            {
                Key = headers["Sec-WebSocket-Key"],
                Token = token,
                Subprotocols = Words(headers.GetValueOrDefault("Sec-WebSocket-Protocol", "")),
                ForwardedFor = headers.GetValueOrDefault("X-Forwarded-For"),
                TraceParent = headers.GetValueOrDefault("traceparent"),
            }
            : null;
    }

    /// <summary>The answer that switches protocols (RFC 6455 §4.2.2).</summary>
    public byte[] Accepted(string? subprotocol)
    {
        var accept = Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(Key + AcceptSuffix)));
        var chosen = subprotocol is null ? "" : $"Sec-WebSocket-Protocol: {subprotocol}\r\n";
        return Encoding.ASCII.GetBytes($"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n{chosen}\r\n");
    }

    private static bool IsHandshake(Dictionary<string, string> headers) =>
        headers.GetValueOrDefault("Host") is { Length: > 0 }
        && string.Equals(headers.GetValueOrDefault("Upgrade"), "websocket", StringComparison.OrdinalIgnoreCase)
        && Words(headers.GetValueOrDefault("Connection", "")).Contains("upgrade", StringComparer.OrdinalIgnoreCase)
        && headers.GetValueOrDefault("Sec-WebSocket-Version") == "13"
        && headers.GetValueOrDefault("Sec-WebSocket-Key") is { Length: 24 } key && Base64.IsValid(key, out var bytes) && bytes == KeyBytes
        // A body, or a wish for another answer first.
        && !headers.ContainsKey("Content-Length") && !headers.ContainsKey("Transfer-Encoding") && !headers.ContainsKey("Expect");

    /// <summary>The token by RFC 6750 §2.1 or §2.3; false when the target is another path than ours, or the query has more than a token that needs no decoding.</summary>
    private static (bool IsPlain, string? Token) TokenOf(string target, Dictionary<string, string> headers)
    {
        const string Prefix = "Bearer ", Parameter = "?access_token=";
        var query = target["/v1/ws".Length..];
        string? fromQuery = null;
        if (query.StartsWith(Parameter, StringComparison.Ordinal) && query.AsSpan(Parameter.Length).IndexOfAny("%&+#") < 0)
            fromQuery = query[Parameter.Length..] is { Length: > 0 } text ? text : null;
        else if (query.Length > 0)
            return (false, null);
        var header = headers.GetValueOrDefault("Authorization", "");
        return (true, header.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) ? header[Prefix.Length..].Trim() : fromQuery);
    }

    private static string[] Words(string list) => list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}
