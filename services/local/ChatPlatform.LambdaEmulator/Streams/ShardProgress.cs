namespace ChatPlatform.LambdaEmulator.Streams;

/// <summary>
/// Which records of a shard are handled. Batches of several lanes end in any order; the checkpoint is the last record before which nothing is open, so that a restart repeats
/// records but leaves none out. Thread-safe.
/// </summary>
internal sealed class ShardProgress(string? sequenceNumber)
{
    private readonly Lock _gate = new();
    private readonly Queue<StreamRecord> _open = new();

    /// <summary>The last record of the handled beginning; null when there is none.</summary>
    public string? Checkpoint { get; private set; } = sequenceNumber;

    /// <summary>Records that are read and not handled.</summary>
    public int Open
    {
        get
        {
            lock (_gate)
                return _open.Count;
        }
    }

    /// <summary>Records were read, in the shard's order.</summary>
    public void Read(IEnumerable<StreamRecord> records)
    {
        lock (_gate)
        {
            foreach (var record in records)
                _open.Enqueue(record);
        }
    }

    /// <summary>Records were handled or given up. True when the checkpoint moved.</summary>
    public bool Handled(IReadOnlyList<StreamRecord> records, int from, int end)
    {
        lock (_gate)
        {
            for (var i = from; i < end; i++)
                records[i].Done = true;
            var before = Checkpoint;
            while (_open.TryPeek(out var first) && first.Done)
                Checkpoint = _open.Dequeue().SequenceNumber;
            return Checkpoint != before;
        }
    }
}
