namespace ChatPlatform.LocalAws.Storage;

/// <summary>
/// Byte keys in memcmp order with a value each: a list of blocks of at most <see cref="BlockSize"/> entries, found by two binary searches.
/// An entry costs two references beside key and value. Not thread-safe: its owner's lock guards it.
/// </summary>
internal sealed class OrderedIndex<T>
    where T : notnull
{
    private const int BlockSize = 256;
    private readonly List<Block> _blocks = [];

    public int Count { get; private set; }

    public bool TryGet(ReadOnlySpan<byte> key, out T value)
    {
        var block = BlockFor(key);
        if (block >= 0 && _blocks[block].Find(key) is var at && at >= 0)
        {
            value = _blocks[block].Values[at];
            return true;
        }

        value = default!;
        return false;
    }

    public void Set(byte[] key, T value)
    {
        if (_blocks.Count == 0)
            _blocks.Add(new Block());
        var index = Math.Max(BlockFor(key), 0);
        var block = _blocks[index];
        var at = block.Find(key);
        if (at >= 0)
        {
            block.Values[at] = value;
            return;
        }

        if (block.Count == BlockSize)
        {
            // Keys that only grow (a room's log) fill blocks wholly instead of leaving halves behind.
            var appending = ~at == BlockSize;
            var right = block.Split(appending ? BlockSize : BlockSize / 2);
            _blocks.Insert(index + 1, right);
            if (appending || key.AsSpan().SequenceCompareTo(right.Keys[0]) >= 0)
                block = right;
            at = block.Find(key);
        }

        block.Insert(~at, key, value);
        Count++;
    }

    public bool Remove(ReadOnlySpan<byte> key)
    {
        var index = BlockFor(key);
        if (index < 0 || _blocks[index].Find(key) is var at && at < 0)
            return false;
        _blocks[index].RemoveAt(at);
        if (_blocks[index].Count == 0)
            _blocks.RemoveAt(index);
        Count--;
        return true;
    }

    /// <summary>Entries from a key on, in order. The index must not change while they are read.</summary>
    /// <param name="from">Where to begin; empty = at the first.</param>
    /// <param name="inclusive">Whether an entry with exactly that key is given.</param>
    public IEnumerable<KeyValuePair<byte[], T>> Ascend(byte[] from, bool inclusive = true)
    {
        if (_blocks.Count == 0)
            yield break;
        var index = Math.Max(BlockFor(from), 0);
        var at = _blocks[index].Find(from);
        at = at >= 0 ? (inclusive ? at : at + 1) : ~at;
        for (; index < _blocks.Count; index++, at = 0)
        {
            for (var block = _blocks[index]; at < block.Count; at++)
                yield return new(block.Keys[at], block.Values[at]);
        }
    }

    /// <summary>Entries below a key, downwards; null = from the last. The index must not change while they are read.</summary>
    public IEnumerable<KeyValuePair<byte[], T>> Descend(byte[]? below)
    {
        if (_blocks.Count == 0)
            yield break;
        var index = _blocks.Count - 1;
        var at = _blocks[index].Count - 1;
        if (below is not null)
        {
            index = BlockFor(below);
            if (index < 0)
                yield break;
            at = _blocks[index].Find(below);
            at = (at >= 0 ? at : ~at) - 1;
        }

        while (true)
        {
            for (var block = _blocks[index]; at >= 0; at--)
                yield return new(block.Keys[at], block.Values[at]);
            if (--index < 0)
                yield break;
            at = _blocks[index].Count - 1;
        }
    }

    /// <summary>The block whose first key is the last one not above; -1 when all are above.</summary>
    private int BlockFor(ReadOnlySpan<byte> key)
    {
        var (low, high) = (0, _blocks.Count - 1);
        while (low <= high)
        {
            var middle = (low + high) >>> 1;
            if (key.SequenceCompareTo(_blocks[middle].Keys[0]) < 0)
                high = middle - 1;
            else
                low = middle + 1;
        }

        return high;
    }

    private sealed class Block
    {
        public byte[][] Keys { get; private set; } = new byte[8][];

        public T[] Values { get; private set; } = new T[8];

        public int Count { get; private set; }

        public int Find(ReadOnlySpan<byte> key)
        {
            var (low, high) = (0, Count - 1);
            while (low <= high)
            {
                var middle = (low + high) >>> 1;
                var order = key.SequenceCompareTo(Keys[middle]);
                if (order == 0)
                    return middle;
                if (order < 0)
                    high = middle - 1;
                else
                    low = middle + 1;
            }

            return ~low;
        }

        public void Insert(int at, byte[] key, T value)
        {
            if (Count == Keys.Length)
            {
                var size = Math.Min(BlockSize, Count * 2);
                var (keys, values) = (Keys, Values);
                Array.Resize(ref keys, size);
                Array.Resize(ref values, size);
                (Keys, Values) = (keys, values);
            }

            Array.Copy(Keys, at, Keys, at + 1, Count - at);
            Array.Copy(Values, at, Values, at + 1, Count - at);
            Keys[at] = key;
            Values[at] = value;
            Count++;
        }

        public void RemoveAt(int at)
        {
            Count--;
            Array.Copy(Keys, at + 1, Keys, at, Count - at);
            Array.Copy(Values, at + 1, Values, at, Count - at);
            Keys[Count] = null!;
            Values[Count] = default!;
        }

        /// <summary>Moves the entries from <paramref name="at"/> on into a new block.</summary>
        public Block Split(int at)
        {
            var right = new Block();
            for (var i = at; i < Count; i++)
                right.Insert(i - at, Keys[i], Values[i]);
            Array.Clear(Keys, at, Count - at);
            Array.Clear(Values, at, Count - at);
            Count = at;
            return right;
        }
    }
}
