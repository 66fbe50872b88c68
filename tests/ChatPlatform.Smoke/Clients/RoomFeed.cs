namespace ChatPlatform.Smoke.Clients;

/// <summary>
/// One entry as a client saw it. <paramref name="ClientMessageId"/>, <paramref name="SenderId"/> and <paramref name="Text"/> are of
/// <c>message.created</c> only.
/// </summary>
public sealed record SeenEntry(string RoomId, long Seq, string Type, string? ClientMessageId, string? SenderId, string? Text);

/// <summary>
/// A room as a client builds it up from its socket, contracts §4: dense by seq, doubles dropped, holes filled from the log. Counts what it had to mend.
/// Not thread-safe: the connection's receive loop owns it.
/// </summary>
public sealed class RoomFeed
{
    private readonly List<SeenEntry> _entries = [];
    private readonly HashSet<long> _fromSocket = [];
    private long _highestOnConnection;

    /// <summary>The entries in seq order, without a hole.</summary>
    public IReadOnlyList<SeenEntry> Entries => _entries;

    /// <summary>The seq to resume from.</summary>
    public long Seq => _entries.Count;

    /// <summary>Entries that came again; allowed, delivery is at least once.</summary>
    public int Doubles { get; private set; }

    /// <summary>Entries that had to be fetched from the log because a later one came first; allowed.</summary>
    public int Mended { get; private set; }

    /// <summary>Entries that came for the first time after a later one on the same connection: against the contract.</summary>
    public int OutOfOrder { get; private set; }

    /// <summary>A connection's order starts anew.</summary>
    public void StartConnection() => _highestOnConnection = 0;

    /// <summary>Takes an entry from the socket. False when entries between <see cref="Seq"/> and it are missing: mend, then offer it again as mended.</summary>
    public bool Accept(SeenEntry entry)
    {
        if (!_fromSocket.Add(entry.Seq))
            Doubles++;
        else if (entry.Seq < _highestOnConnection)
            OutOfOrder++;
        _highestOnConnection = Math.Max(_highestOnConnection, entry.Seq);
        if (entry.Seq > Seq + 1)
            return false;
        if (entry.Seq == Seq + 1)
            _entries.Add(entry);
        return true;
    }

    /// <summary>Takes an entry that was read from the log.</summary>
    public void Mend(SeenEntry entry)
    {
        if (entry.Seq != Seq + 1)
            return;
        _entries.Add(entry);
        if (!_fromSocket.Contains(entry.Seq))
            Mended++;
    }
}
