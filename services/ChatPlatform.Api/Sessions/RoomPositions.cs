using Amazon.DynamoDBv2.Model;
using ChatPlatform.Api.Access;
using ChatPlatform.Api.Rooms;
using ChatPlatform.Api.Tables;
using ChatPlatform.Contracts.Tables;

namespace ChatPlatform.Api.Sessions;

/// <summary>Where the logs of a user's rooms end, for clients that come back. After a relay went away thousands ask at once: their reads go out together. Thread-safe.</summary>
internal sealed class RoomPositions
{
    private const int MaxRooms = 100;

    private readonly KeyedReads _members;
    private readonly KeyedReads _rooms;

    public RoomPositions(RoomStore rooms)
    {
        _members = new KeyedReads(keys => rooms.BatchGetAsync(ChatTables.Members.Name, keys, CancellationToken.None), IdOf);
        _rooms = new KeyedReads(keys => rooms.BatchGetAsync(ChatTables.Rooms.Name, keys, CancellationToken.None), item => item.Text("roomId"));

        static string IdOf(Dictionary<string, AttributeValue> item) => MemberId(item.Text("roomId"), item.Text("userId"));
    }

    /// <summary>The last seq of each room; rooms that the caller is no member of are absent. Strongly consistent: later entries are committed after the call began.</summary>
    public async Task<IReadOnlyDictionary<string, long>> FindAsync(string callerId, IReadOnlyCollection<string> roomIds, CancellationToken cancellationToken)
    {
        if (roomIds.Count is 0 or > MaxRooms)
            throw Refusals.Invalid("roomIds", $"1 to {MaxRooms} rooms");
        var asked = roomIds.Where(id => id.Length is > 0 and <= Checks.MaxIdLength).Distinct(StringComparer.Ordinal);
        var rows = await Task.WhenAll(asked.Select(room => FindAsync(callerId, room))).WaitAsync(cancellationToken);
        return rows.OfType<RoomRow>().ToDictionary(row => row.RoomId, row => row.LastSeq, StringComparer.Ordinal);
    }

    private static string MemberId(string roomId, string userId) => $"{roomId}\n{userId}";

    private async Task<RoomRow?> FindAsync(string callerId, string roomId) =>
        await _members.ReadAsync(MemberId(roomId, callerId), RoomStore.MemberKey(roomId, callerId)) is not null
        && await _rooms.ReadAsync(roomId, RoomStore.RoomKey(roomId)) is { } item
            ? RoomRow.FromItem(item)
            : null;
}
