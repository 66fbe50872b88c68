namespace ChatPlatform.LocalAws.Storage;

/// <summary>
/// A list that grows at its end and shrinks at its beginning, in chunks of at most <see cref="ChunkSize"/>: a million entries are never copied at once, and what was
/// removed is given back chunk by chunk. Not thread-safe: its owner's lock guards it.
/// </summary>
internal sealed class AppendList<T>
{
    private const int ChunkSize = 1024;
    private readonly List<T[]> _chunks = [];

    /// <summary>Entries at the beginning of the first chunk that are removed already.</summary>
    private int _removed;

    public int Count { get; private set; }

    public T this[int index] => _chunks[(index + _removed) / ChunkSize][(index + _removed) % ChunkSize];

    public void Add(T entry)
    {
        var at = Count + _removed;
        if (at / ChunkSize == _chunks.Count)
            _chunks.Add(new T[at == 0 ? 16 : ChunkSize]);
        var chunk = _chunks[^1];
        if (at % ChunkSize == chunk.Length)
        {
            Array.Resize(ref chunk, chunk.Length * 2);
            _chunks[^1] = chunk;
        }

        chunk[at % ChunkSize] = entry;
        Count++;
    }

    public void RemoveFirst(int count)
    {
        Count -= count;
        _removed += count;
        var whole = Math.Min(_removed / ChunkSize, _chunks.Count);
        _chunks.RemoveRange(0, whole);
        _removed -= whole * ChunkSize;
    }

    public List<T> GetRange(int index, int count)
    {
        var range = new List<T>(count);
        for (var i = 0; i < count; i++)
            range.Add(this[index + i]);
        return range;
    }

    /// <summary>The entries as they are now, to be read later and without the owner's lock: what is there never changes in its place.</summary>
    public IEnumerable<T> Freeze()
    {
        return Entries([.. _chunks], _removed, Count);

        static IEnumerable<T> Entries(T[][] chunks, int first, int count)
        {
            for (var at = first; at < first + count; at++)
                yield return chunks[at / ChunkSize][at % ChunkSize];
        }
    }
}
