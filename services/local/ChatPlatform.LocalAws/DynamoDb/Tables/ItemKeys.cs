using System.Buffers.Binary;
using System.IO.Hashing;
using ChatPlatform.LocalAws.DynamoDb.Values;

namespace ChatPlatform.LocalAws.DynamoDb.Tables;

/// <summary>
/// Keys as bytes whose memcmp order is the order of a Scan: eight bytes of hash of the partition key (spreads partitions, and gives parallel scans their
/// segments), the partition key's length and bytes, then the sort key. In an index the sort key is escaped and followed by the table's key, which makes entries unique.
/// </summary>
internal static class ItemKeys
{
    /// <summary>https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-partition-sort-keys</summary>
    public const int MaxPartitionKeyLength = 2048;
    public const int MaxSortKeyLength = 1024;
    public const int HashLength = 8;

    /// <summary>The stored key of an item that has its table's keys.</summary>
    public static byte[] OfTable(KeySchema keys, Item item)
    {
        var encoded = item.Encoded.Span;
        return Join(Item.Payload(encoded, keys.PartitionName), keys.SortName is null ? [] : Item.Payload(encoded, keys.SortName));
    }

    /// <summary>The entry of an item in an index; null when a key attribute is missing or not of the key's type (a sparse index).</summary>
    public static byte[]? OfIndex(TableDefinition table, IndexDefinition index, Item item, ReadOnlySpan<byte> tableKey)
    {
        if (IndexedKey(table, item, index.Keys.PartitionKey, index.Keys.PartitionName) is not { } partition)
            return null;
        var sort = ReadOnlyMemory<byte>.Empty;
        if (index.Keys.SortKey is not null)
        {
            if (IndexedKey(table, item, index.Keys.SortKey, index.Keys.SortName!) is not { } found)
                return null;
            sort = found;
        }

        return OfIndex(partition.Span, sort.Span, tableKey);
    }

    public static byte[] OfIndex(ReadOnlySpan<byte> partition, ReadOnlySpan<byte> sort, ReadOnlySpan<byte> tableKey)
    {
        var escaped = Escape(sort);
        return [.. PartitionPrefix(partition), .. escaped, 0, 0, .. tableKey];
    }

    /// <summary>What every key of a partition begins with.</summary>
    public static byte[] PartitionPrefix(ReadOnlySpan<byte> partition) => Join(partition, []);

    /// <summary>A sort key as it stands in an index: a zero byte is followed by FF, so that the two zeros at the end come before any longer key.</summary>
    public static byte[] Escape(ReadOnlySpan<byte> sort)
    {
        if (sort.IndexOf((byte)0) < 0)
            return sort.ToArray();
        var bytes = new List<byte>(sort.Length + 4);
        foreach (var b in sort)
        {
            bytes.Add(b);
            if (b == 0)
                bytes.Add(0xFF);
        }

        return [.. bytes];
    }

    /// <summary>Where keys of a hash segment begin; null for the end of the last one.</summary>
    public static byte[]? SegmentStart(int segment, int totalSegments)
    {
        if (segment == totalSegments)
            return null;
        var start = (ulong)((UInt128.One << 64) / (uint)totalSegments * (uint)segment);
        var bytes = new byte[HashLength];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, start);
        return bytes;
    }

    /// <summary>The shard of a key: all changes of one item come in one shard.</summary>
    public static int Shard(ReadOnlySpan<byte> tableKey, int shards) => (int)(XxHash3.HashToUInt64(tableKey) % (uint)shards);

    private static ReadOnlyMemory<byte>? IndexedKey(TableDefinition table, Item item, string name, ReadOnlySpan<byte> utf8)
    {
        // No conditional expression here: its null would become an empty memory, and the item without the key an entry.
        if (item.TryGet(utf8, out var value) && value.Type == table.AttributeTypes[name])
            return value.Payload;
        return null;
    }

    private static byte[] Join(ReadOnlySpan<byte> partition, ReadOnlySpan<byte> sort)
    {
        var key = new byte[HashLength + 2 + partition.Length + sort.Length];
        BinaryPrimitives.WriteUInt64BigEndian(key, XxHash3.HashToUInt64(partition));
        BinaryPrimitives.WriteUInt16BigEndian(key.AsSpan(HashLength), (ushort)partition.Length);
        partition.CopyTo(key.AsSpan(HashLength + 2));
        sort.CopyTo(key.AsSpan(HashLength + 2 + partition.Length));
        return key;
    }
}
