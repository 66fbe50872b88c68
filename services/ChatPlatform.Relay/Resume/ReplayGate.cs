namespace ChatPlatform.Relay.Resume;

/// <summary>A live entry that waits for its room's replay.</summary>
internal readonly record struct KeptEntry(long Seq, ReadOnlyMemory<byte> Frame);

/// <summary>Live entries of a room that wait for the room's replay, in seq order as they come. Not thread-safe: the socket's lock guards it.</summary>
internal sealed class ReplayGate
{
    /// <summary>More than so many and the client is better off with a reload.</summary>
    public const int MaxKept = 1_000;

    private List<KeptEntry> _kept = [];

    /// <summary>True once more came than is kept. For good: what was dropped is missing.</summary>
    public bool Overflowed { get; private set; }

    public void Keep(long seq, ReadOnlyMemory<byte> frame)
    {
        if (_kept.Count == MaxKept)
            Overflowed = true;
        if (!Overflowed)
            _kept.Add(new KeptEntry(seq, frame));
    }

    /// <summary>Those after a seq; the gate forgets all it has kept. None from a gate that overflowed.</summary>
    public List<KeptEntry> Take(long through)
    {
        var kept = _kept;
        _kept = [];
        if (Overflowed)
            return [];
        kept.RemoveAll(entry => entry.Seq <= through);
        return kept;
    }
}
