using ChatPlatform.Smoke.Clients;
using ChatPlatform.Smoke.Replay;

namespace ChatPlatform.Smoke.Checks;

/// <summary>Compares what came out of the system with what went in, for one room. Both give null when all is well, else the first difference.</summary>
public static class RoomComparison
{
    /// <summary>Every seq from 1 on once and in order, whatever the entries' types.</summary>
    public static string? Dense(IReadOnlyList<SeenEntry> entries)
    {
        for (var i = 0; i < entries.Count; i++)
        {
            if (entries[i].Seq != i + 1)
                return $"expected seq {i + 1}, found {entries[i].Seq}";
        }

        return null;
    }

    /// <summary>
    /// The <c>message.created</c> entries are exactly the messages sent: order, seq as the sender was told, sender, client id, and every byte of the
    /// text.
    /// </summary>
    public static string? Messages(IReadOnlyList<SentMessage> sent, IEnumerable<SeenEntry> entries)
    {
        var seen = entries.Where(entry => entry.Type == "message.created").ToList();
        for (var i = 0; i < Math.Min(sent.Count, seen.Count); i++)
        {
            var (want, got) = (sent[i], seen[i]);
            var at = $"message {i + 1} ({want.Input.ClientMessageId})";
            if (got.ClientMessageId != want.Input.ClientMessageId)
                return $"{at}: found '{got.ClientMessageId}' in its place";
            if (got.Seq != want.Answer.Seq)
                return $"{at}: the sender was told seq {want.Answer.Seq}, found {got.Seq}";
            if (got.SenderId != want.SenderId)
                return $"{at}: sent by {want.SenderId}, found {got.SenderId}";
            if (TextDifference.Find(want.Input.Text, got.Text) is { } difference)
                return $"{at}: {difference}";
        }

        return seen.Count == sent.Count ? null : $"{sent.Count} messages sent, {seen.Count} found";
    }
}
