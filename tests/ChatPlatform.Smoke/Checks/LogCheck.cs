using ChatPlatform.Smoke.Clients;
using ChatPlatform.Smoke.Replay;

namespace ChatPlatform.Smoke.Checks;

/// <summary>Paging through every room's log gives every entry once, in order, to the room's last seq.</summary>
internal static class LogCheck
{
    public static async Task<string> RunAsync(ConversationReplay replay, CancellationToken cancellationToken)
    {
        var entries = 0;
        foreach (var room in replay.Conversation.Rooms.Where(room => replay.Sent.ContainsKey(room.Room)))
        {
            var rest = replay.Users[room.Members[^1]].Rest;
            var roomId = replay.RoomIds[room.Room];
            List<SeenEntry> seen = [];
            while (await rest.LogAsync(roomId, seen.Count == 0 ? 0 : seen[^1].Seq, cancellationToken) is { Count: > 0 } page)
                seen.AddRange(page);
            if ((RoomComparison.Dense(seen) ?? RoomComparison.Messages(replay.Sent[room.Room], seen)) is { } difference)
                throw new CheckFailedException($"room {room.Room}: {difference}");
            var last = await rest.LastSeqAsync(roomId, cancellationToken);
            if (last != seen.Count)
                throw new CheckFailedException($"room {room.Room}: its last seq is {last}, its log ends at {seen.Count}");
            entries += seen.Count;
        }

        return $"{entries} entries of {replay.Sent.Count} rooms";
    }
}
