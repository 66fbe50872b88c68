using ChatPlatform.Api.Access;
using ChatPlatform.Api.Rooms;
using ChatPlatform.Contracts.Tables;

namespace ChatPlatform.Api.Sessions;

/// <summary>Where the logs of a user's rooms end, for clients that come back. By key only: after a relay went away thousands ask at once. Thread-safe.</summary>
internal sealed class RoomPositions(RoomStore rooms)
{
    private const int MaxRooms = 100;

    /// <summary>The last seq of each room; rooms that the caller is no member of are absent. Strongly consistent: later entries are committed after the call began.</summary>
    public async Task<IReadOnlyDictionary<string, long>> FindAsync(string callerId, IReadOnlyCollection<string> roomIds, CancellationToken cancellationToken)
    {
        if (roomIds.Count is 0 or > MaxRooms)
            throw Refusals.Invalid("roomIds", $"1 to {MaxRooms} rooms");
        var keys = roomIds.Where(id => id.Length is > 0 and <= Checks.MaxIdLength).Distinct(StringComparer.Ordinal).Select(id => RoomStore.MemberKey(id, callerId)).ToList();
        if (keys.Count == 0)
            return new Dictionary<string, long>();
        var mine = (await rooms.BatchGetAsync(ChatTables.Members.Name, keys, cancellationToken)).Select(item => MemberRow.FromItem(item).RoomId).ToList();
        return (await rooms.GetRoomsAsync(mine, cancellationToken)).ToDictionary(room => room.Key, room => room.Value.LastSeq, StringComparer.Ordinal);
    }
}
