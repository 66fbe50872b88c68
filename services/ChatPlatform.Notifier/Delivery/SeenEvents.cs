namespace ChatPlatform.Notifier.Delivery;

/// <summary>
/// The ids of the latest events that were pushed. It catches what a producer sent twice and what a rebalance redelivers while this process lives; after a restart an event whose offset was
/// not committed is pushed again. Not thread-safe: one consumer loop.
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
