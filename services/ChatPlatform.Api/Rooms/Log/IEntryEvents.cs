using ChatPlatform.Contracts.Rooms;

namespace ChatPlatform.Api.Rooms.Log;

/// <summary>Where the sequencer writes down what other services are to be told of an entry, before anybody is answered. Thread-safe.</summary>
internal interface IEntryEvents
{
    /// <summary>True when nothing more should be committed, because its events could not be kept.</summary>
    bool IsFull { get; }

    /// <summary>
    /// Returns when the entry's event is on disk; at once for a type that has none. The same entry has the same event id however often it is appended. Await one append of a
    /// room before the next: that is what keeps their order.
    /// </summary>
    /// <exception cref="Events.EventSpoolFullException">It cannot be kept at the moment; worth another try.</exception>
    ValueTask EntryCommittedAsync(Entry entry, CancellationToken cancellationToken);

    /// <summary>The same for a room's creation, which is no entry and comes before all of them.</summary>
    /// <exception cref="Events.EventSpoolFullException">It cannot be kept at the moment; worth another try.</exception>
    ValueTask RoomCreatedAsync(RoomRow room, IReadOnlyList<string> memberIds, CancellationToken cancellationToken);
}
