namespace ChatPlatform.Relay.Resume;

/// <summary>Live entries of a room that wait for the room's replay. Not thread-safe: the socket's lock guards it.</summary>
internal sealed class ReplayGate
{
    /// <summary>More than so many and the client is better off with a reload.</summary>
    public const int MaxKept = 1_000;

    private readonly List<(long Seq, ReadOnlyMemory<byte> Frame)> _kept = [];

    public bool Overflowed { get; private set; }

    /// <summary>In seq order, as they came.</summary>
    public IReadOnlyList<(long Seq, ReadOnlyMemory<byte> Frame)> Kept => _kept;

    public void Keep(long seq, ReadOnlyMemory<byte> frame)
    {
        if (_kept.Count == MaxKept)
            Overflowed = true;
        else
            _kept.Add((seq, frame));
    }
}
