using System.Buffers.Binary;
using ChatPlatform.LocalAws.DynamoDb.Values;
using ChatPlatform.LocalAws.Storage;

namespace ChatPlatform.LocalAws.DynamoDb.Tables;

/// <summary>Items of a table, whose keys (<see cref="ItemKeys.OfTable"/>) are read out of the items themselves.</summary>
internal readonly struct ItemOrder(KeySchema keys) : IKeyOrder<byte[]>
{
    public int Compare(ReadOnlySpan<byte> key, byte[] item)
    {
        var partition = Item.Payload(item, keys.PartitionName);
        var sort = keys.SortName is null ? [] : Item.Payload(item, keys.SortName);
        // The head, which is the partition key's hash, was equal; a shorter key is one that only bounds a range.
        key = key.Length > ItemKeys.HashLength ? key[ItemKeys.HashLength..] : [];
        Span<byte> length = stackalloc byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)partition.Length);
        if (!IsDecided(ref key, length, out var order) && !IsDecided(ref key, partition, out order) && !IsDecided(ref key, sort, out order))
            order = key.Length;
        return order;
    }

    /// <summary>Compares the begin of a key with the next part of the other, and takes it off the key when it is equal.</summary>
    private static bool IsDecided(ref ReadOnlySpan<byte> key, scoped ReadOnlySpan<byte> part, out int order)
    {
        var shared = Math.Min(key.Length, part.Length);
        order = key[..shared].SequenceCompareTo(part[..shared]);
        if (order == 0 && key.Length < part.Length)
            order = -1;
        key = key[shared..];
        return order != 0;
    }
}

/// <summary>An entry of a secondary index: its key (<see cref="ItemKeys.OfIndex(TableDefinition, IndexDefinition, Item, ReadOnlySpan{byte})"/>) and the table's item.</summary>
internal readonly record struct IndexEntry(byte[] Key, byte[] Item);

internal readonly struct IndexEntryOrder : IKeyOrder<IndexEntry>
{
    public int Compare(ReadOnlySpan<byte> key, IndexEntry entry) => key.SequenceCompareTo(entry.Key);
}

/// <summary>Entries that are keys and nothing else.</summary>
internal readonly struct KeyOnlyOrder : IKeyOrder<byte[]>
{
    public int Compare(ReadOnlySpan<byte> key, byte[] entry) => key.SequenceCompareTo(entry);
}
