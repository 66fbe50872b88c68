using System.Text.Json;
using Amazon.DynamoDBv2.Model;

namespace ChatPlatform.ServiceTests.Chat.UnderFire;

/// <summary>What never changes of an entry, wherever it was read: the socket, the log call, the table.</summary>
internal sealed record EntryFacts(long Seq, string Type, string ActorId, string? SenderId, string? ClientMessageId, long? Target, string? Text, string? Emoji)
{
    public static EntryFacts Of(JsonElement entry)
    {
        var message = entry.TryGetProperty("message", out var sent) && sent.ValueKind == JsonValueKind.Object ? sent : (JsonElement?)null;
        return new(
            entry.GetProperty("seq").GetInt64(),
            entry.GetProperty("type").GetString()!,
            entry.GetProperty("actorId").GetString()!,
            message?.GetProperty("senderId").GetString(),
            message?.GetProperty("clientMessageId").GetString(),
            entry.TryGetProperty("targetSeq", out var target) && target.ValueKind == JsonValueKind.Number ? target.GetInt64() : null,
            TextOrNull(entry, "text"),
            TextOrNull(entry, "emoji"));
    }

    public static EntryFacts Of(Dictionary<string, AttributeValue> item) => new(
        long.Parse(item["seq"].N),
        item["type"].S,
        item["actorId"].S,
        item.TryGetValue("message", out var message) ? message.M["senderId"].S : null,
        message?.M["clientMessageId"].S,
        item.TryGetValue("targetSeq", out var target) ? long.Parse(target.N) : null,
        item.TryGetValue("text", out var text) ? text.S : null,
        item.TryGetValue("emoji", out var emoji) ? emoji.S : null);

    private static string? TextOrNull(JsonElement entry, string name) => entry.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}

/// <summary>A client's copy of one room's log: only what follows on it without a hole is taken. Thread-safe.</summary>
internal sealed class RoomCopy
{
    private readonly Lock _gate = new();
    private readonly List<EntryFacts> _entries = [];

    /// <summary>Whether the client is a member and so has a right to every entry.</summary>
    public bool IsMember { get; set; } = true;

    public long LastSeq
    {
        get
        {
            lock (_gate)
                return _entries.Count;
        }
    }

    /// <summary>Takes an entry, or finds it known. False when entries before it are missing.</summary>
    /// <exception cref="InvalidOperationException">Another entry had this seq.</exception>
    public bool Take(EntryFacts entry)
    {
        lock (_gate)
        {
            if (entry.Seq > _entries.Count + 1)
                return false;
            if (entry.Seq == _entries.Count + 1)
                _entries.Add(entry);
            else if (_entries[(int)entry.Seq - 1] != entry)
                throw new InvalidOperationException($"seq {entry.Seq} was {_entries[(int)entry.Seq - 1]} and now is {entry}");
            return true;
        }
    }

    public List<EntryFacts> Entries()
    {
        lock (_gate)
            return [.. _entries];
    }

    /// <summary>A message somebody sent, to react to or to read up to; null when there is none yet.</summary>
    public long? AnyMessage(Random random)
    {
        lock (_gate)
        {
            for (var tries = 0; tries < 8 && _entries.Count > 0; tries++)
            {
                var entry = _entries[random.Next(_entries.Count)];
                if (entry.Type == "message.created")
                    return entry.Seq;
            }

            return null;
        }
    }
}
