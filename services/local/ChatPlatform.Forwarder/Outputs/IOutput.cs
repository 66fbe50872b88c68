using ChatPlatform.Forwarder.Delivery;

namespace ChatPlatform.Forwarder.Outputs;

/// <summary>A far end. One delivery at a time.</summary>
internal interface IOutput : IAsyncDisposable
{
    /// <summary>
    /// Hands the records over in order and returns when the far end has acknowledged them. Records that it will never take go to <paramref name="deadLetters"/> and count as delivered.
    /// </summary>
    /// <returns>How many of the records, from the first on, are done with; fewer than all means that the rest is to be tried again later.</returns>
    /// <exception cref="DeliveryException">Nothing can be said of any of them: all are to be tried again.</exception>
    Task<int> DeliverAsync(IReadOnlyList<Record> records, DeadLetters deadLetters, CancellationToken cancellationToken);
}

/// <summary>The far end did not take the records this time.</summary>
internal sealed class DeliveryException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>Takes everything and keeps nothing.</summary>
internal sealed class NullOutput : IOutput
{
    public Task<int> DeliverAsync(IReadOnlyList<Record> records, DeadLetters deadLetters, CancellationToken cancellationToken) => Task.FromResult(records.Count);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
