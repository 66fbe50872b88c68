using System.Collections.Concurrent;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Relay.Sockets;

/// <summary>Counts the live connections of each address on this relay. An address is as CallerAddress gives it; null, the platform's own, is not counted. Thread-safe.</summary>
internal sealed class AddressLimit(IOptions<RelayOptions> options)
{
    private readonly ConcurrentDictionary<string, int> _live = new(StringComparer.Ordinal);

    /// <summary>How many addresses are connected.</summary>
    public int Count => _live.Count;

    /// <summary>Counts a connection in; false when its address has too many. <see cref="Leave"/> takes it out again.</summary>
    public bool TryEnter(string? address)
    {
        if (address is null || _live.AddOrUpdate(address, 1, static (_, count) => count + 1) <= options.Value.ConnectionsPerAddress)
            return true;
        Leave(address);
        return false;
    }

    public void Leave(string? address)
    {
        if (address is not null && _live.AddOrUpdate(address, 0, static (_, count) => count - 1) <= 0)
            _live.TryRemove(KeyValuePair.Create(address, 0));
    }
}
