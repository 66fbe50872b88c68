using System.Globalization;
using ChatPlatform.LocalAws.DynamoDb.Tables;
using ChatPlatform.LocalAws.Storage;

namespace ChatPlatform.LocalAws.Streams;

/// <summary>A shard: the changes of some of a table's keys, in order. <paramref name="EndSequence"/> is null while it is open.</summary>
/// <param name="CreatedAt">Epoch milliseconds.</param>
internal sealed record ShardDefinition(string Id, string? ParentId, long StartSequence, long? EndSequence, long CreatedAt)
{
    /// <summary>Epoch milliseconds; null while it is open. A day later it is gone.</summary>
    public long? ClosedAt { get; init; }

    /// <summary>The last sequence that retention took from it; 0 when none.</summary>
    public long TrimmedTo { get; init; }

    /// <summary>A shard of a stream that takes the place of <paramref name="parent"/>, or is among the first ones.</summary>
    /// <param name="stream">The stream's number.</param>
    /// <param name="slot">Which of the open shards it is, 0 to 63; a child has its parent's, so that the changes of an item stay in one line of shards.</param>
    public static ShardDefinition Open(int stream, int slot, ShardDefinition? parent, long lastSequence, long now)
    {
        // Later than the parent even when the clock is not: ids of one slot differ by their time, and are listed in its order.
        var createdAt = parent is null ? now : Math.Max(now, parent.CreatedAt + 1);
        var id = string.Create(CultureInfo.InvariantCulture, $"shardId-{createdAt:D20}-{(stream * 64) + slot:x8}");
        return new ShardDefinition(id, parent?.Id, lastSequence + 1, null, createdAt);
    }
}

/// <summary>Everything about a stream but its records. It outlives its table and its own closing by the retention time. Stored as JSON.</summary>
internal sealed record StreamDefinition
{
    /// <summary>Number of the stream in the log; never used twice.</summary>
    public required int Number { get; init; }

    public required string TableName { get; init; }

    public required Dictionary<string, DynamoDb.Values.AttributeType> AttributeTypes { get; init; }

    public required KeySchema Keys { get; init; }

    /// <summary>The time of its making, which is part of its ARN, e.g. <c>2026-05-11T21:21:33.291</c>.</summary>
    public required string Label { get; init; }

    public required string ViewType { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? ClosedAt { get; init; }

    public required IReadOnlyList<ShardDefinition> Shards { get; init; }
}

/// <summary>One change of one item, in 32 bytes: there are as many as changes in a day. The images are the stored items themselves, never copies.</summary>
internal readonly struct StreamRecord(long sequence, long time, byte[]? old, byte[]? @new, bool expired)
{
    /// <summary>The time; its complement, which is negative, when TTL deleted the item.</summary>
    private readonly long _time = expired ? ~time : time;

    /// <summary>Grows over all streams of the process.</summary>
    public long Sequence { get; } = sequence;

    /// <summary>Epoch milliseconds.</summary>
    public long Time => Expired ? ~_time : _time;

    /// <summary>Whether TTL deleted it.</summary>
    public bool Expired => _time < 0;

    /// <summary>The item before; null for an insert.</summary>
    public byte[]? Old { get; } = old;

    /// <summary>The item after; null for a removal.</summary>
    public byte[]? New { get; } = @new;
}

/// <summary>The records of one stream, shard by shard. Guarded by the store's lock.</summary>
internal sealed class ChangeStream
{
    /// <summary>https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html: records are kept for 24 hours.</summary>
    public static readonly TimeSpan Retention = TimeSpan.FromHours(24);

    private readonly Dictionary<string, Shard> _shards = new(StringComparer.Ordinal);
    private Shard[] _open = [];

    public ChangeStream(StreamDefinition definition) => Redefine(definition);

    public StreamDefinition Definition { get; private set; } = null!;

    public bool IsOpen => Definition.ClosedAt is null;

    /// <summary>Records that are kept.</summary>
    public int Count => _shards.Values.Sum(s => s.Records.Count);

    /// <summary>A sequence number as AWS shows it: digits, of one length, so that text order is number order.</summary>
    public static string Format(long sequence) => "1" + sequence.ToString("D20", CultureInfo.InvariantCulture);

    public static bool TryParse(string text, out long sequence)
    {
        sequence = 0;
        return text.Length == 21 && text[0] == '1' && long.TryParse(text.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out sequence);
    }

    /// <summary>Takes over new shards and new ends; records of shards that are gone, and those up to <see cref="ShardDefinition.TrimmedTo"/>, go.</summary>
    public void Redefine(StreamDefinition definition)
    {
        Definition = definition;
        foreach (var gone in _shards.Keys.Except(definition.Shards.Select(s => s.Id)).ToList())
            _shards.Remove(gone);
        foreach (var shard in definition.Shards)
        {
            if (!_shards.TryGetValue(shard.Id, out var known))
                _shards.Add(shard.Id, known = new Shard());
            known.Definition = shard;
            known.Records.RemoveFirst(FirstIndex(known.Records, shard.TrimmedTo + 1));
        }

        _open = [.. definition.Shards.Where(s => s.EndSequence is null).Select(s => _shards[s.Id])];
    }

    public void Add(ReadOnlySpan<byte> tableKey, StreamRecord record) => _open[ItemKeys.Shard(tableKey, _open.Length)].Records.Add(record);

    public void Add(string shard, StreamRecord record) => _shards[shard].Records.Add(record);

    public ShardDefinition? Find(string shard) => _shards.GetValueOrDefault(shard)?.Definition;

    /// <summary>At most <paramref name="limit"/> records with at least that sequence, none older than <paramref name="horizon"/> (epoch milliseconds).</summary>
    public List<StreamRecord> Read(string shard, long from, int limit, long horizon)
    {
        var records = _shards[shard].Records;
        var at = FirstIndex(records, Math.Max(from, TrimmedTo(shard, horizon) + 1));
        return records.GetRange(at, Math.Min(limit, records.Count - at));
    }

    /// <summary>The last sequence of a shard that is older than <paramref name="horizon"/> (epoch milliseconds), there or trimmed; 0 when none.</summary>
    public long TrimmedTo(string shard, long horizon)
    {
        var (definition, records) = (_shards[shard].Definition, _shards[shard].Records);
        var kept = 0;
        while (kept < records.Count && records[kept].Time < horizon)
            kept++;
        return kept == 0 ? definition.TrimmedTo : records[kept - 1].Sequence;
    }

    /// <summary>A reader has got everything below <paramref name="sequence"/> of a shard. Known to this process only.</summary>
    public void Reached(string shard, long sequence) => _shards[shard].Reached = Math.Max(_shards[shard].Reached, sequence);

    /// <summary>How many records no reader has got yet, and the time of the oldest of them (epoch milliseconds; null when there is none).</summary>
    public (int Count, long? Oldest) Unread()
    {
        var (count, oldest) = (0, (long?)null);
        foreach (var shard in _shards.Values)
        {
            var at = FirstIndex(shard.Records, shard.Reached);
            if (at == shard.Records.Count)
                continue;
            count += shard.Records.Count - at;
            oldest = Math.Min(oldest ?? long.MaxValue, shard.Records[at].Time);
        }

        return (count, oldest);
    }

    /// <summary>The records as they are now, by shard, to be read later and without the store's lock.</summary>
    public List<(string Shard, IEnumerable<StreamRecord> Records)> Freeze() => [.. _shards.Select(s => (s.Key, s.Value.Records.Freeze()))];

    /// <summary>
    /// The stream as it should be now: open shards that are <paramref name="lifetime"/> old have a successor, shards that were closed a day ago are gone, and so
    /// are records of that age. Null when nothing is to be done.
    /// </summary>
    /// <param name="lastSequence">The latest sequence of any stream. A closed shard ends one after it, with a number that no record gets, so that an empty one has a range too.</param>
    public StreamDefinition? Renewed(DateTimeOffset now, TimeSpan lifetime, long lastSequence)
    {
        var (time, horizon) = (now.ToUnixTimeMilliseconds(), (now - Retention).ToUnixTimeMilliseconds());
        var shards = new List<ShardDefinition>(Definition.Shards.Count);
        var slot = 0;
        foreach (var shard in Definition.Shards.Where(s => !(s.ClosedAt < horizon)))
        {
            var trimmed = TrimmedTo(shard.Id, horizon);
            var kept = trimmed == shard.TrimmedTo ? shard : shard with { TrimmedTo = trimmed };
            if (shard.EndSequence is null && time - shard.CreatedAt >= lifetime.TotalMilliseconds)
            {
                // The successor stands where its parent stood: the order of the open ones decides which items they take.
                shards.Add(kept with { EndSequence = lastSequence + 1, ClosedAt = time });
                shards.Add(ShardDefinition.Open(Definition.Number, slot, shard, lastSequence + 1, time));
            }
            else
            {
                shards.Add(kept);
            }

            slot += shard.EndSequence is null ? 1 : 0;
        }

        return shards.SequenceEqual(Definition.Shards) ? null : Definition with { Shards = shards };
    }

    private static int FirstIndex(AppendList<StreamRecord> records, long from)
    {
        var (low, high) = (0, records.Count);
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (records[middle].Sequence < from)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    private sealed class Shard
    {
        public ShardDefinition Definition { get; set; } = null!;

        public AppendList<StreamRecord> Records { get; } = new();

        /// <summary>Everything below has been read by somebody.</summary>
        public long Reached { get; set; }
    }
}
