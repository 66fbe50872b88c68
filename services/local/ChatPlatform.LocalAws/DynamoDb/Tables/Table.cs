using System.Buffers.Binary;
using System.Text;
using ChatPlatform.LocalAws.DynamoDb.Values;
using ChatPlatform.LocalAws.Storage;
using ChatPlatform.LocalAws.Streams;

namespace ChatPlatform.LocalAws.DynamoDb.Tables;

/// <summary>Entries of one secondary index. The value is the table's own item: projections are applied when read.</summary>
internal sealed class SecondaryIndex
{
    private readonly TableDefinition _table;

    /// <summary>The attributes that it shows; null for all.</summary>
    private readonly byte[][]? _shown;

    public SecondaryIndex(TableDefinition table, IndexDefinition definition)
    {
        (_table, Definition) = (table, definition);
        _shown = definition.ProjectionType == "ALL"
            ? null
            : [.. definition.Keys.Names.Concat(table.Keys.Names).Concat(definition.NonKeyAttributes).Distinct().Select(Encoding.UTF8.GetBytes)];
    }

    public IndexDefinition Definition { get; }

    public OrderedIndex<IndexEntry, IndexEntryOrder> Entries { get; } = new(default);

    /// <summary>Sum of the billed sizes of what it shows.</summary>
    public long SizeBytes { get; private set; }

    /// <summary>Takes the entry of an item in the place of the old item's; null for none.</summary>
    public void Replace(byte[] tableKey, byte[]? old, byte[]? item)
    {
        var before = old is null ? null : ItemKeys.OfIndex(_table, Definition, new Item(old), tableKey);
        var after = item is null ? null : ItemKeys.OfIndex(_table, Definition, new Item(item), tableKey);
        if (before is not null && !before.AsSpan().SequenceEqual(after))
            Entries.Remove(before);
        if (after is not null)
            Entries.Set(after, new IndexEntry(after, item!));
        SizeBytes += (after is null ? 0 : ShownSize(new Item(item))) - (before is null ? 0 : ShownSize(new Item(old)));
    }

    private int ShownSize(Item item)
    {
        if (_shown is null)
            return item.BilledSize();
        var size = 0;
        foreach (var name in _shown)
            size += item.TryGet(name, out var value) ? name.Length + value.BilledSize() : 0;
        return size;
    }
}

/// <summary>A table's items, their secondary indexes and their expiries. Guarded by the store's lock; the items' bytes never change and may be read outside of it.</summary>
internal sealed class Table
{
    private byte[]? _expiryName;

    /// <summary>Expiry in epoch seconds, big-endian, then the table key; null when TTL is off.</summary>
    private OrderedIndex<byte[], KeyOnlyOrder>? _expiries;

    public Table(TableDefinition definition, ChangeStream? stream)
    {
        Definition = definition;
        Items = new(new ItemOrder(definition.Keys));
        Redefine(definition, stream);
    }

    public TableDefinition Definition { get; private set; }

    /// <summary>The stream that takes changes; null when there is none.</summary>
    public ChangeStream? Stream { get; private set; }

    public OrderedIndex<byte[], ItemOrder> Items { get; }

    public Dictionary<string, SecondaryIndex> Indexes { get; } = new(StringComparer.Ordinal);

    /// <summary>Sum of the items' billed sizes.</summary>
    public long SizeBytes { get; private set; }

    public void Redefine(TableDefinition definition, ChangeStream? stream)
    {
        Definition = definition;
        Stream = stream;
        foreach (var gone in Indexes.Keys.Except(definition.Indexes.Select(i => i.Name)).ToList())
            Indexes.Remove(gone);
        foreach (var index in definition.Indexes.Where(i => !Indexes.ContainsKey(i.Name)))
        {
            var added = new SecondaryIndex(definition, index);
            Indexes.Add(index.Name, added);
            foreach (var (_, item) in Items.Ascend([]))
                added.Replace(KeyOf(item), null, item);
        }

        var expiryName = definition.TimeToLiveAttribute is null ? null : Encoding.UTF8.GetBytes(definition.TimeToLiveAttribute);
        if (expiryName.AsSpan().SequenceEqual(_expiryName) && (expiryName is null) == (_expiries is null))
            return;
        _expiryName = expiryName;
        _expiries = expiryName is null ? null : new(default);
        foreach (var (_, item) in Items.Ascend([]))
            SetExpiry(KeyOf(item), item);
    }

    /// <summary>The stored key of one of the items.</summary>
    public byte[] KeyOf(byte[] item) => ItemKeys.OfTable(Definition.Keys, new Item(item));

    public byte[]? Find(ReadOnlySpan<byte> key) => Items.TryGet(key, out var item) ? item : null;

    /// <summary>Puts an item in the place of <paramref name="old"/>, or removes it when <paramref name="item"/> is null.</summary>
    public void Replace(byte[] key, byte[]? old, byte[]? item)
    {
        if (item is null)
            Items.Remove(key);
        else
            Items.Set(key, item);
        SizeBytes += (item is null ? 0 : new Item(item).BilledSize()) - (old is null ? 0 : new Item(old).BilledSize());

        foreach (var index in Indexes.Values)
            index.Replace(key, old, item);

        if (_expiries is null)
            return;
        if (old is not null && Expiry(old) is { } was)
            _expiries.Remove(ExpiryKey(was, key));
        if (item is not null)
            SetExpiry(key, item);
    }

    /// <summary>
    /// Keys of items whose time has passed, the oldest first. What expired more than five years ago is taken for a mistake and stays
    /// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-before-you-start.html).
    /// </summary>
    public List<byte[]> Expired(DateTimeOffset now, int limit) => _expiries is null
        ? []
        : [.. _expiries.Ascend(ExpiryKey(now.AddYears(-5).ToUnixTimeSeconds(), []))
            .TakeWhile(e => (long)e.Head < now.ToUnixTimeSeconds()).Take(limit).Select(e => e.Entry[sizeof(long)..])];

    private void SetExpiry(byte[] key, byte[] item)
    {
        if (_expiries is not null && Expiry(item) is { } expiry)
        {
            var entry = ExpiryKey(expiry, key);
            _expiries.Set(entry, entry);
        }
    }

    private long? Expiry(byte[] item) =>
        new Item(item).TryGet(_expiryName, out var value) && value.Type == AttributeType.N && DynamoNumber.TryToInt64(value.PayloadSpan, out var seconds) && seconds >= 0
            ? seconds
            : null;

    private static byte[] ExpiryKey(long expiry, ReadOnlySpan<byte> key)
    {
        var bytes = new byte[8 + key.Length];
        BinaryPrimitives.WriteInt64BigEndian(bytes, expiry);
        key.CopyTo(bytes.AsSpan(8));
        return bytes;
    }
}
