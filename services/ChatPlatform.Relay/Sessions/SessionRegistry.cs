using System.Collections.Concurrent;
using System.Collections.Immutable;
using ChatPlatform.Relay.Sockets;

namespace ChatPlatform.Relay.Sessions;

/// <summary>The sockets on this node by user. Thread-safe; look-ups take no lock.</summary>
internal sealed class SessionRegistry
{
    private readonly ConcurrentDictionary<string, ImmutableArray<ChatSocket>> _byUser = new(StringComparer.Ordinal);

    /// <summary>Adds a socket unless the user has <paramref name="limit"/> here already.</summary>
    public bool TryAdd(ChatSocket socket, int limit)
    {
        while (true)
        {
            if (!_byUser.TryGetValue(socket.UserId, out var sockets))
            {
                if (_byUser.TryAdd(socket.UserId, [socket]))
                    return true;
                continue;
            }

            if (sockets.Length >= limit)
                return false;
            if (_byUser.TryUpdate(socket.UserId, sockets.Add(socket), sockets))
                return true;
        }
    }

    public void Remove(ChatSocket socket)
    {
        while (_byUser.TryGetValue(socket.UserId, out var sockets))
        {
            var rest = sockets.Remove(socket);
            var done = rest.IsEmpty
                ? _byUser.TryRemove(KeyValuePair.Create(socket.UserId, sockets))
                : _byUser.TryUpdate(socket.UserId, rest, sockets);
            if (done)
                return;
        }
    }

    public ImmutableArray<ChatSocket> Of(string userId) => _byUser.TryGetValue(userId, out var sockets) ? sockets : [];

    public IEnumerable<ChatSocket> All => _byUser.SelectMany(user => user.Value);
}
