using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Api.Limits;

/// <summary>Where a call comes from. Thread-safe.</summary>
internal sealed class CallerAddress(IOptions<RateLimitOptions> options)
{
    private readonly IReadOnlyList<IPNetwork> _trusted = options.Value.TrustedNetworks();

    /// <summary>True when the connection itself is a trusted proxy's.</summary>
    public bool IsFromProxy(HttpContext context) => context.Connection.RemoteIpAddress is { } remote && IsTrusted(Plain(remote));

    /// <summary>
    /// The nearest address that is no trusted proxy, read from the right of <c>X-Forwarded-For</c>: what stands further left, the client may have made up. Null for the platform's own calls.
    /// </summary>
    public string? Find(HttpContext context)
    {
        if (context.Connection.RemoteIpAddress is not { } remote)
            return null;
        var address = Plain(remote);
        var forwarded = context.Request.Headers["X-Forwarded-For"].SelectMany(value => (value ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)).ToList();
        for (var i = forwarded.Count - 1; i >= 0 && IsTrusted(address); i--)
        {
            // Not an address: the proxy before it is the last that is known.
            if (!IPAddress.TryParse(WithoutPort(forwarded[i]), out var next))
                break;
            address = Plain(next);
        }

        return IsTrusted(address) ? null : Key(address);
    }

    private bool IsTrusted(IPAddress address)
    {
        foreach (var network in _trusted)
        {
            if (network.Contains(address))
                return true;
        }

        return false;
    }

    private static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    /// <summary>One customer has at least a /64 of IPv6 (RFC 6177).</summary>
    private static string Key(IPAddress address)
    {
        if (address.AddressFamily != AddressFamily.InterNetworkV6)
            return address.ToString();
        var bytes = address.GetAddressBytes();
        bytes.AsSpan(8).Clear();
        return $"{new IPAddress(bytes)}/64";
    }

    // A forwarder may write 203.0.113.7:4711 or [2001:db8::1]:4711.
    private static string WithoutPort(string text)
    {
        if (text.StartsWith('['))
            return text[1..].Split(']')[0];
        return text.Count(c => c == ':') == 1 ? text.Split(':')[0] : text;
    }
}
