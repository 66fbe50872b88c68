using Amazon.DynamoDBv2.Model;

namespace ChatPlatform.Api.Sessions;

/// <summary>Gets items by key, at most 100 in one call; those that do not exist are left out.</summary>
internal delegate Task<List<Dictionary<string, AttributeValue>>> BatchGet(List<Dictionary<string, AttributeValue>> keys);

/// <summary>
/// Reads single items of one table for many callers: what is asked while a few calls are under way goes out together in the next, each key once. A read never joins a call that was
/// already under way, so that it sees all that was committed before it was asked for. Thread-safe; what waits is bounded by the callers, of whom each waits for its own.
/// </summary>
/// <param name="batchGet">The table.</param>
/// <param name="idOf">The id of an item: the same as its asker gave with its key.</param>
internal sealed class KeyedReads(BatchGet batchGet, Func<Dictionary<string, AttributeValue>, string> idOf)
{
    private const int BatchSize = 100;
    private const int CallsAtOnce = 4;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Read> _waiting = new(StringComparer.Ordinal);
    private int _calls;

    /// <summary>The item, or null when it does not exist.</summary>
    public Task<Dictionary<string, AttributeValue>?> ReadAsync(string id, Dictionary<string, AttributeValue> key)
    {
        lock (_lock)
        {
            if (!_waiting.TryGetValue(id, out var read))
                _waiting[id] = read = new Read(key);
            if (_calls < CallsAtOnce)
            {
                _calls++;
                // Its outcome is that of the reads.
                _ = Task.Run(WorkAsync);
            }

            return read.Completion.Task;
        }
    }

    private async Task WorkAsync()
    {
        while (Take() is { Count: > 0 } batch)
        {
            try
            {
                foreach (var item in await batchGet(batch.Values.Select(read => read.Key).ToList()))
                {
                    if (batch.TryGetValue(idOf(item), out var read))
                        read.Completion.TrySetResult(item);
                }

                foreach (var read in batch.Values)
                    read.Completion.TrySetResult(null);
            }
            catch (Exception error)
            {
                foreach (var read in batch.Values)
                    read.Completion.TrySetException(error);
            }
        }
    }

    private Dictionary<string, Read> Take()
    {
        lock (_lock)
        {
            var batch = _waiting.Take(BatchSize).ToDictionary(StringComparer.Ordinal);
            foreach (var id in batch.Keys)
                _waiting.Remove(id);
            if (batch.Count == 0)
                _calls--;
            return batch;
        }
    }

    private sealed record Read(Dictionary<string, AttributeValue> Key)
    {
        public TaskCompletionSource<Dictionary<string, AttributeValue>?> Completion { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
