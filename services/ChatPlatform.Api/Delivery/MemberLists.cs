using System.Collections.Concurrent;
using ChatPlatform.Api.Rooms;

namespace ChatPlatform.Api.Delivery;

/// <summary>
/// Rooms' members for delivery, cached per version of the membership. The index behind them is eventually consistent: a list whose length is not the room's member count
/// is asked for again, and kept only when it is. Thread-safe.
/// </summary>
internal sealed class MemberLists(RoomStore rooms, TimeProvider time)
{
    // Also how long a change of a member's own settings (muted) may take to be seen.
    private static readonly TimeSpan CacheTime = TimeSpan.FromSeconds(10);
    private const int MaxRooms = 10_000;
    private const int Tries = 4;

    private readonly ConcurrentDictionary<string, (long Version, List<MemberRow> Members, long ReadAt)> _lists = new(StringComparer.Ordinal);

    public async Task<IReadOnlyList<MemberRow>> GetAsync(RoomRow room, CancellationToken cancellationToken)
    {
        if (_lists.TryGetValue(room.RoomId, out var known) && known.Version == room.MemberVersion && time.GetElapsedTime(known.ReadAt) < CacheTime)
            return known.Members;
        for (var attempt = 1; ; attempt++)
        {
            var members = await rooms.ListMembersAsync(room.RoomId, cancellationToken);
            if (members.Count == room.MemberCount)
            {
                if (_lists.Count >= MaxRooms)
                    DropOld();
                _lists[room.RoomId] = (room.MemberVersion, members, time.GetTimestamp());
                return members;
            }

            // A later change may be in the list already; after a few tries what the index says is the best there is.
            if (attempt == Tries)
                return members;
            await Task.Delay(TimeSpan.FromMilliseconds(20 * attempt), time, cancellationToken);
        }
    }

    /// <summary>The members as of now, for calls that have no room row at hand.</summary>
    public async Task<IReadOnlyList<MemberRow>> GetAsync(string roomId, CancellationToken cancellationToken) =>
        _lists.TryGetValue(roomId, out var known) && time.GetElapsedTime(known.ReadAt) < CacheTime
            ? known.Members
            : await rooms.FindRoomAsync(roomId, cancellationToken) is { } room ? await GetAsync(room, cancellationToken) : [];

    private void DropOld()
    {
        foreach (var (roomId, list) in _lists)
        {
            if (time.GetElapsedTime(list.ReadAt) >= CacheTime)
                _lists.TryRemove(roomId, out _);
        }

        // All of them fresh: rather none cached than no bound.
        if (_lists.Count >= MaxRooms)
            _lists.Clear();
    }
}
