using ChatPlatform.Smoke.Replay;

namespace ChatPlatform.Smoke.Checks;

/// <summary>Everyone signed in and connected; every send answered 2xx with its own text, and seqs that grow.</summary>
internal static class SendCheck
{
    public static async Task<string> PrepareAsync(ConversationReplay replay, CancellationToken cancellationToken)
    {
        await replay.PrepareAsync(cancellationToken);
        var sockets = replay.Users.Values.Where(user => user.Socket is not null).ToList();
        var relays = sockets.Select(user => user.Socket!.NodeId).Distinct().Count();
        return $"{replay.Users.Count} people, {replay.RoomIds.Count} rooms, {sockets.Count} sockets on {relays} relay(s)";
    }

    public static async Task<string> SendAsync(ConversationReplay replay, CancellationToken cancellationToken)
    {
        await replay.SendAllAsync(cancellationToken);
        foreach (var (room, sent) in replay.Sent)
        {
            for (var i = 0; i < sent.Count; i++)
            {
                var at = $"room {room}, message {i + 1} ({sent[i].Input.ClientMessageId})";
                if (TextDifference.Find(sent[i].Input.Text, sent[i].Answer.Text) is { } difference)
                    throw new CheckFailedException($"{at}: {difference}");
                if (sent[i].Answer.Ordinal != i + 1)
                    throw new CheckFailedException($"{at}: ordinal {sent[i].Answer.Ordinal}, not {i + 1}");
                if (i > 0 && sent[i].Answer.Seq <= sent[i - 1].Answer.Seq)
                    throw new CheckFailedException($"{at}: seq {sent[i].Answer.Seq} after {sent[i - 1].Answer.Seq}");
            }
        }

        // A rate limit is the system's right; anything else that made a socket send fail is not.
        if (replay.SocketTroubles.FirstOrDefault(trouble => !trouble.Contains("rate_limited", StringComparison.Ordinal)) is { } first)
            throw new CheckFailedException($"{replay.SocketTroubles.Count} sends over a socket had to be repeated over REST, first {first}");
        var all = replay.Sent.Values.SelectMany(sent => sent).ToList();
        var took = all.Select(message => message.Took.TotalMilliseconds).Order().ToList();
        return $"{all.Count(m => !m.OverSocket)} over REST, {all.Count(m => m.OverSocket)} over sockets; p50 {took[took.Count / 2]:0} ms, p99 {took[took.Count * 99 / 100]:0} ms";
    }
}
