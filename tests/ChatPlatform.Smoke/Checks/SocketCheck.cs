using ChatPlatform.Smoke.Replay;

namespace ChatPlatform.Smoke.Checks;

/// <summary>At the socket of every connected member: the whole room, dense, in order, every byte of every text.</summary>
internal static class SocketCheck
{
    public static Task<string> RunAsync(ConversationReplay replay, CancellationToken cancellationToken) => RunAsync(replay, TimeSpan.FromSeconds(20), cancellationToken);

    public static async Task<string> RunAsync(ConversationReplay replay, TimeSpan patience, CancellationToken cancellationToken)
    {
        long compared = 0;
        foreach (var room in replay.Conversation.Rooms.Where(room => replay.Sent.ContainsKey(room.Room)))
        {
            var sent = replay.Sent[room.Room];
            foreach (var member in room.Members.Select(id => replay.Users[id]).Where(user => user.Socket is not null))
            {
                var socket = member.Socket!;
                // Everything has been sent, so the tail arrives by itself; the client does not ask for it.
                await Waiting.UntilAsync(
                    () => Task.FromResult(socket.Seq(sent[0].RoomId) >= sent[^1].Answer.Seq
                        ? null
                        : $"room {room.Room} at {member.Input.UserId}: seq {socket.Seq(sent[0].RoomId)} of {sent[^1].Answer.Seq} has arrived; {socket.Broken ?? "connected"}"),
                    patience, cancellationToken);
                var seen = socket.Feed(sent[0].RoomId);
                if ((RoomComparison.Dense(seen) ?? RoomComparison.Messages(sent, seen)) is { } difference)
                    throw new CheckFailedException($"room {room.Room} at {member.Input.UserId}: {difference}");
                compared += sent.Count;
            }
        }

        var sockets = replay.Users.Values.Select(user => user.Socket).OfType<Clients.ChatSocket>().ToList();
        var counts = sockets.Select(socket => socket.Counts()).ToList();
        var late = counts.Sum(count => count.OutOfOrder);
        if (late > 0)
            throw new CheckFailedException($"{late} entries came after a later one of their room on the same connection");
        var reasons = string.Join(", ", sockets.Where(socket => socket.Reconnects > 0).Select(socket => socket.Broken).Distinct());
        return $"{compared} deliveries compared; {counts.Sum(c => c.Doubles)} came twice, {counts.Sum(c => c.Mended)} asked from the log, {sockets.Sum(s => s.Reconnects)} reconnects"
            + (reasons.Length > 0 ? $" ({reasons})" : "");
    }
}
