using System.Net;
using ChatPlatform.Smoke.Replay;

namespace ChatPlatform.Smoke.Checks;

/// <summary>In every room one send is repeated: 200 and the first message, and the room's log has not grown (contracts §2, guarantee 2).</summary>
internal static class RetryCheck
{
    public static async Task<string> RunAsync(ConversationReplay replay, CancellationToken cancellationToken)
    {
        foreach (var (room, sent) in replay.Sent)
        {
            var first = sent[sent.Count / 2];
            var rest = replay.Users[first.Input.From].Rest;
            var before = await rest.LastSeqAsync(first.RoomId, cancellationToken);
            var again = await rest.SendAsync(first.RoomId, first.Input.ClientMessageId, first.Input.Text, null, cancellationToken);
            if (again.Status != HttpStatusCode.OK)
                throw new CheckFailedException($"room {room}: the retry of {first.Input.ClientMessageId} answered {(int)again.Status}, not 200");
            if (again.Seq != first.Answer.Seq || TextDifference.Find(first.Input.Text, again.Text) is not null)
                throw new CheckFailedException($"room {room}: the retry of {first.Input.ClientMessageId} gave seq {again.Seq}, not the first message at {first.Answer.Seq}");
            var after = await rest.LastSeqAsync(first.RoomId, cancellationToken);
            if (after != before)
                throw new CheckFailedException($"room {room}: the retry of {first.Input.ClientMessageId} moved the log from {before} to {after}");
        }

        return $"{replay.Sent.Count} retries, no log grew";
    }
}
