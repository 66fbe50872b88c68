namespace ChatPlatform.Notifier.Delivery;

/// <summary>
/// The ids of the latest events that were pushed: it catches what a producer sent twice. A new owner of a partition fills it from what lies before the committed offset
/// (<see cref="ReplayedOffsets"/>). Not thread-safe: one consumer loop.
/// </summary>
internal sealed class SeenEvents(int most)
{
    private readonly HashSet<string> _ids = [];
    private readonly Queue<string> _oldestFirst = new();

    public bool Contains(string id) => _ids.Contains(id);

    public void Add(string id)
    {
        if (!_ids.Add(id))
            return;
        _oldestFirst.Enqueue(id);
        if (_oldestFirst.Count > most)
            _ids.Remove(_oldestFirst.Dequeue());
    }
}
