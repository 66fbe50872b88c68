using System.Collections.Concurrent;

namespace ChatPlatform.Api.Rooms.Owners;

/// <summary>
/// Which API server a room's changes go through. Passing them all to one keeps a room's events in one spool and so in seq order, and saves the retries of commits that race.
/// The log does not depend on it: any server may commit to any room at any time, so whenever the owner is in doubt a change is committed where it arrived.
/// <para>The cost is one more hop for changes that arrive elsewhere: about half of them with two servers, (n-1)/n with n.</para>
/// <para>
/// Events of a room keep their order while its owner stays the same. When servers come, go or die the rooms that change hands may have events out of order around that moment: the old
/// owner's last ones may still be in its spool (one that was killed sends them after its restart), and until every server has seen the change (a renewal of
/// <see cref="ApiNodeLease"/>, 2 s) two may take themselves for the owner. Every event still arrives, and <c>seq</c> tells the order.
/// </para>
/// Thread-safe; a look-up asks nobody.
/// </summary>
internal sealed class RoomOwners(TimeProvider time)
{
    /// <summary>How long a server that did not answer is passed over; its lease runs out in the meantime if it is dead.</summary>
    private static readonly TimeSpan Distrust = TimeSpan.FromSeconds(4);

    private readonly ConcurrentDictionary<string, long> _distrusted = new(StringComparer.Ordinal);
    private volatile View _view = new(null, []);

    /// <summary>The servers known to live.</summary>
    public IReadOnlyList<ApiNode> Nodes => _view.Nodes;

    /// <summary>Takes over what the node directory says. <paramref name="self"/> is null while this server is no part of it: then nothing is passed on.</summary>
    public void Update(ApiNode? self, IReadOnlyList<ApiNode> nodes)
    {
        _view = new View(self, nodes);
        foreach (var (address, since) in _distrusted)
        {
            if (time.GetElapsedTime(since) >= Distrust)
                _distrusted.TryRemove(address, out _);
        }
    }

    /// <summary>The other server that the room's changes belong to; null when they belong here.</summary>
    public ApiNode? FindElsewhere(string roomId)
    {
        var view = _view;
        if (view.Self is null)
            return null;
        var owner = Rendezvous.Choose(roomId, view.Nodes.Where(node => node.Address == view.Self.Address || IsTrusted(node)));
        return owner is null || owner.Address == view.Self.Address ? null : owner;
    }

    /// <summary>Passes a server over for a while, because it did not answer.</summary>
    public void PassOver(ApiNode node) => _distrusted[node.Address] = time.GetTimestamp();

    /// <summary>An id for a new room, chosen so that the room belongs here and its very first event comes from its owner. An ordinary new id when luck is against it.</summary>
    public string NewRoomId()
    {
        var id = NewId();
        for (var tries = 0; tries < 32 && FindElsewhere(id) is not null; tries++)
            id = NewId();
        return id;

        static string NewId() => Guid.CreateVersion7().ToString("N");
    }

    private bool IsTrusted(ApiNode node) => !_distrusted.TryGetValue(node.Address, out var since) || time.GetElapsedTime(since) >= Distrust;

    private sealed record View(ApiNode? Self, IReadOnlyList<ApiNode> Nodes);
}
