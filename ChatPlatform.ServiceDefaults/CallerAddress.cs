using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;

namespace ChatPlatform.ServiceDefaults;

/// <summary>Where a call comes from. Thread-safe.</summary>
/// <param name="trustedProxies">See <see cref="Networks"/>.</param>
/// <exception cref="FormatException">One of the networks is none.</exception>
public sealed class CallerAddress(string trustedProxies)
{
    /// <summary>The configuration key that all services read the trusted proxies from.</summary>
    public const string TrustedProxiesKey = "RateLimits:TrustedProxies";

    /// <summary>Where nothing is configured.</summary>
    public const string Loopback = "127.0.0.0/8,::1/128";

    private readonly IReadOnlyList<IPNetwork> _trusted = [.. Networks(trustedProxies).Select(IPNetwork.Parse)];

    /// <summary>The parts of a list of networks in CIDR notation, separated by commas, whose <c>X-Forwarded-For</c> is believed.</summary>
    public static string[] Networks(string trustedProxies) => trustedProxies.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>What is wrong with such a list; null when nothing is.</summary>
    public static string? Problem(string trustedProxies) => Networks(trustedProxies).FirstOrDefault(network => !IPNetwork.TryParse(network, out _)) is { } wrong
        ? $"{TrustedProxiesKey} holds '{wrong}'; each part must be a network such as 10.0.0.0/8 or fd00::/8."
        : null;

    /// <summary>True when the connection itself is a trusted proxy's.</summary>
    public bool IsFromProxy(HttpContext context) => context.Connection.RemoteIpAddress is { } remote && IsTrusted(Plain(remote));

    /// <summary>
    /// The nearest address that is no trusted proxy, read from the right of <c>X-Forwarded-For</c>: what stands further left, the client may have made up. Null for the platform's own calls.
    /// </summary>
    public string? Find(HttpContext context) => Find(context.Connection.RemoteIpAddress, context.Request.Headers["X-Forwarded-For"].ToString());

    /// <summary>The same of a connection from <paramref name="remote"/> whose header is <paramref name="forwardedFor"/>.</summary>
    public string? Find(IPAddress? remote, string? forwardedFor)
    {
        if (remote is null)
            return null;
        var address = Plain(remote);
        var forwarded = (forwardedFor ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        for (var i = forwarded.Length - 1; i >= 0 && IsTrusted(address); i--)
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
