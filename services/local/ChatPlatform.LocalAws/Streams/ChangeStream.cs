using System.Globalization;
using ChatPlatform.LocalAws.DynamoDb.Tables;

namespace ChatPlatform.LocalAws.Streams;

/// <summary>A shard: the changes of some of a table's keys, in order. <paramref name="EndSequence"/> is null while it is open.</summary>
internal sealed record ShardDefinition(string Id, string? ParentId, long StartSequence, long? EndSequence);

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

/// <summary>One change of one item. The images are the stored items themselves, never copies. <paramref name="Expired"/>: TTL deleted it.</summary>
/// <param name="Sequence">Grows over all streams of the process.</param>
/// <param name="Time">Epoch milliseconds.</param>
/// <param name="Old">The item before; null for an insert.</param>
/// <param name="New">The item after; null for a removal.</param>
internal sealed record StreamRecord(long Sequence, long Time, byte[]? Old, byte[]? New, bool Expired);

/// <summary>The records of one stream, shard by shard. Guarded by the store's lock.</summary>
internal sealed class ChangeStream
{
    /// <summary>https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html: records are kept for 24 hours.</summary>
    public static readonly TimeSpan Retention = TimeSpan.FromHours(24);

    private readonly Dictionary<string, List<StreamRecord>> _records = new(StringComparer.Ordinal);

    /// <summary>By shard: the last sequence that was there and has been trimmed.</summary>
    private readonly Dictionary<string, long> _trimmed = new(StringComparer.Ordinal);
    private string[] _open = [];

    public ChangeStream(StreamDefinition definition) => Redefine(definition);

    public StreamDefinition Definition { get; private set; } = null!;

    public bool IsOpen => Definition.ClosedAt is null;

    /// <summary>Records that are kept.</summary>
    public int Count => _records.Values.Sum(r => r.Count);

    /// <summary>A sequence number as AWS shows it: digits, of one length, so that text order is number order.</summary>
    public static string Format(long sequence) => "1" + sequence.ToString("D20", CultureInfo.InvariantCulture);

    public static bool TryParse(string text, out long sequence)
    {
        sequence = 0;
        return text.Length == 21 && text[0] == '1' && long.TryParse(text.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out sequence);
    }

    public void Redefine(StreamDefinition definition)
    {
        Definition = definition;
        foreach (var shard in definition.Shards)
            _records.TryAdd(shard.Id, []);
        _open = [.. definition.Shards.Where(s => s.EndSequence is null).Select(s => s.Id)];
    }

    public void Add(ReadOnlySpan<byte> tableKey, StreamRecord record) => Add(_open[ItemKeys.Shard(tableKey, _open.Length)], record);

    public void Add(string shard, StreamRecord record) => _records[shard].Add(record);

    /// <summary>At most <paramref name="limit"/> records with at least that sequence.</summary>
    public List<StreamRecord> Read(string shard, long from, int limit)
    {
        var records = _records[shard];
        var at = FirstIndex(records, from);
        return records.GetRange(at, Math.Min(limit, records.Count - at));
    }

    /// <summary>The last sequence that retention took from a shard; 0 when none.</summary>
    public long Trimmed(string shard) => _trimmed.GetValueOrDefault(shard);

    public IEnumerable<(string Shard, IReadOnlyList<StreamRecord> Records)> All() => _records.Select(r => (r.Key, (IReadOnlyList<StreamRecord>)r.Value));

    /// <summary>Drops what is older than <paramref name="horizon"/> (epoch milliseconds).</summary>
    public void Trim(long horizon)
    {
        foreach (var (shard, records) in _records)
        {
            var count = records.FindIndex(r => r.Time >= horizon);
            count = count < 0 ? records.Count : count;
            if (count == 0)
                continue;
            _trimmed[shard] = records[count - 1].Sequence;
            records.RemoveRange(0, count);
        }
    }

    private static int FirstIndex(List<StreamRecord> records, long from)
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
}
