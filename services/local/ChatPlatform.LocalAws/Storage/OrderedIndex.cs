using System.Buffers.Binary;

namespace ChatPlatform.LocalAws.Storage;

/// <summary>How the entries of an <see cref="OrderedIndex{TEntry,TOrder}"/> carry their keys, so that a key need not be kept a second time beside its entry.</summary>
internal interface IKeyOrder<in TEntry>
{
    /// <summary>memcmp of a key with an entry's own.</summary>
    int Compare(ReadOnlySpan<byte> key, TEntry entry);
}

/// <summary>
/// Entries in memcmp order of their keys: a list of blocks of at most <see cref="BlockSize"/> entries, found by two binary searches over the keys' first eight bytes;
/// whole keys are compared only where those are equal. An entry costs itself and eight bytes. Not thread-safe: its owner's lock guards it.
/// </summary>
internal sealed class OrderedIndex<TEntry, TOrder>(TOrder order)
    where TEntry : notnull
    where TOrder : IKeyOrder<TEntry>
{
    private const int BlockSize = 256;
    private readonly List<Block> _blocks = [];

    public int Count { get; private set; }

    /// <summary>A key's first eight bytes as a number of the same order; a shorter key counts as one with zeros behind it.</summary>
    public static ulong Head(ReadOnlySpan<byte> key)
    {
        if (key.Length >= sizeof(ulong))
            return BinaryPrimitives.ReadUInt64BigEndian(key);
        Span<byte> padded = stackalloc byte[sizeof(ulong)];
        padded.Clear();
        key.CopyTo(padded);
        return BinaryPrimitives.ReadUInt64BigEndian(padded);
    }

    public bool TryGet(ReadOnlySpan<byte> key, out TEntry entry)
    {
        var head = Head(key);
        var index = BlockFor(head, key);
        if (index >= 0 && Find(_blocks[index], head, key) is var at && at >= 0)
        {
            entry = _blocks[index].Entries[at];
            return true;
        }

        entry = default!;
        return false;
    }

    /// <summary>Puts an entry, whose key must be <paramref name="key"/>, in the place of one with the same key.</summary>
    public void Set(ReadOnlySpan<byte> key, TEntry entry)
    {
        if (_blocks.Count == 0)
            _blocks.Add(new Block());
        var head = Head(key);
        var index = Math.Max(BlockFor(head, key), 0);
        var block = Changeable(index);
        var at = Find(block, head, key);
        if (at >= 0)
        {
            block.Entries[at] = entry;
            return;
        }

        if (block.Count == BlockSize)
        {
            // Keys that only grow (a room's log) fill blocks wholly instead of leaving halves behind.
            var appending = ~at == BlockSize;
            var right = block.Split(appending ? BlockSize : BlockSize / 2);
            _blocks.Insert(index + 1, right);
            if (appending || ~at > block.Count)
                block = right;
            at = Find(block, head, key);
        }

        block.Insert(~at, head, entry);
        Count++;
    }

    public bool Remove(ReadOnlySpan<byte> key)
    {
        var head = Head(key);
        var index = BlockFor(head, key);
        if (index < 0 || Find(_blocks[index], head, key) is var at && at < 0)
            return false;
        if (_blocks[index].Count == 1)
            _blocks.RemoveAt(index);
        else
            Changeable(index).RemoveAt(at);
        Count--;
        return true;
    }

    /// <summary>Entries from a key on, in order, with their keys' heads. The index must not change while they are read.</summary>
    /// <param name="from">Where to begin; empty = at the first.</param>
    /// <param name="inclusive">Whether an entry with exactly that key is given.</param>
    public IEnumerable<(ulong Head, TEntry Entry)> Ascend(byte[] from, bool inclusive = true)
    {
        if (_blocks.Count == 0)
            yield break;
        var head = Head(from);
        var index = Math.Max(BlockFor(head, from), 0);
        var at = Find(_blocks[index], head, from);
        at = at >= 0 ? (inclusive ? at : at + 1) : ~at;
        for (; index < _blocks.Count; index++, at = 0)
        {
            for (var block = _blocks[index]; at < block.Count; at++)
                yield return (block.Heads[at], block.Entries[at]);
        }
    }

    /// <summary>Entries below a key, downwards; null = from the last. The index must not change while they are read.</summary>
    public IEnumerable<(ulong Head, TEntry Entry)> Descend(byte[]? below)
    {
        if (_blocks.Count == 0)
            yield break;
        var index = _blocks.Count - 1;
        var at = _blocks[index].Count - 1;
        if (below is not null)
        {
            var head = Head(below);
            index = BlockFor(head, below);
            if (index < 0)
                yield break;
            at = Find(_blocks[index], head, below);
            at = (at >= 0 ? at : ~at) - 1;
        }

        while (true)
        {
            for (var block = _blocks[index]; at >= 0; at--)
                yield return (block.Heads[at], block.Entries[at]);
            if (--index < 0)
                yield break;
            at = _blocks[index].Count - 1;
        }
    }

    /// <summary>
    /// The entries as they are now, in order, to be read later and without the owner's lock: a block is copied before it changes the next time. Takes a few nanoseconds a block.
    /// </summary>
    public IEnumerable<TEntry> Freeze()
    {
        foreach (var block in _blocks)
            block.IsFrozen = true;
        return Entries([.. _blocks]);

        static IEnumerable<TEntry> Entries(Block[] blocks)
        {
            foreach (var block in blocks)
            {
                for (var at = 0; at < block.Count; at++)
                    yield return block.Entries[at];
            }
        }
    }

    private Block Changeable(int index)
    {
        if (_blocks[index].IsFrozen)
            _blocks[index] = _blocks[index].Copy();
        return _blocks[index];
    }

    private int Compare(ulong head, ReadOnlySpan<byte> key, Block block, int at)
    {
        var order1 = head.CompareTo(block.Heads[at]);
        return order1 != 0 ? order1 : order.Compare(key, block.Entries[at]);
    }

    /// <summary>The block whose first key is the last one not above; -1 when all are above.</summary>
    private int BlockFor(ulong head, ReadOnlySpan<byte> key)
    {
        var (low, high) = (0, _blocks.Count - 1);
        while (low <= high)
        {
            var middle = (low + high) >>> 1;
            if (Compare(head, key, _blocks[middle], 0) < 0)
                high = middle - 1;
            else
                low = middle + 1;
        }

        return high;
    }

    /// <summary>Where a key stands in a block; the complement of where it would when it is not there.</summary>
    private int Find(Block block, ulong head, ReadOnlySpan<byte> key)
    {
        var (low, high) = (0, block.Count - 1);
        while (low <= high)
        {
            var middle = (low + high) >>> 1;
            var found = Compare(head, key, block, middle);
            if (found == 0)
                return middle;
            if (found < 0)
                high = middle - 1;
            else
                low = middle + 1;
        }

        return ~low;
    }

    private sealed class Block
    {
        public Block()
            : this(8)
        {
        }

        private Block(int capacity) => (Heads, Entries) = (new ulong[capacity], new TEntry[capacity]);

        public ulong[] Heads { get; private set; }

        public TEntry[] Entries { get; private set; }

        public int Count { get; private set; }

        /// <summary>Whether somebody may be reading it without the lock; it never changes again.</summary>
        public bool IsFrozen { get; set; }

        public void Insert(int at, ulong head, TEntry entry)
        {
            if (Count == Heads.Length)
            {
                // Small steps: most blocks of a table stay between half full and full.
                var size = Math.Min(BlockSize, Count + Math.Max(8, Count / 4));
                var (heads, entries) = (Heads, Entries);
                Array.Resize(ref heads, size);
                Array.Resize(ref entries, size);
                (Heads, Entries) = (heads, entries);
            }

            Array.Copy(Heads, at, Heads, at + 1, Count - at);
            Array.Copy(Entries, at, Entries, at + 1, Count - at);
            Heads[at] = head;
            Entries[at] = entry;
            Count++;
        }

        public void RemoveAt(int at)
        {
            Count--;
            Array.Copy(Heads, at + 1, Heads, at, Count - at);
            Array.Copy(Entries, at + 1, Entries, at, Count - at);
            Entries[Count] = default!;
        }

        /// <summary>Moves the entries from <paramref name="at"/> on into a new block.</summary>
        public Block Split(int at)
        {
            var right = Part(at, Count - at);
            var left = Part(0, at);
            (Heads, Entries, Count) = (left.Heads, left.Entries, at);
            return right;
        }

        public Block Copy() => Part(0, Count);

        private Block Part(int at, int count)
        {
            var part = new Block(Math.Max(8, count)) { Count = count };
            Array.Copy(Heads, at, part.Heads, 0, count);
            Array.Copy(Entries, at, part.Entries, 0, count);
            return part;
        }
    }
}
