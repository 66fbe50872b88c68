using ChatPlatform.Forwarder.Delivery;

namespace ChatPlatform.Forwarder.Outputs;

/// <summary>A far end. One delivery at a time.</summary>
internal interface IOutput : IAsyncDisposable
{
    /// <summary>Hands the records over in order and returns when the far end has answered. Records that it will never take go to <paramref name="deadLetters"/> and are done with.</summary>
    /// <returns>The records that are to be tried again later, in order; none when all are done with.</returns>
    /// <exception cref="DeliveryException">Nothing can be said of any of them: all are to be tried again.</exception>
    Task<IReadOnlyList<Record>> DeliverAsync(IReadOnlyList<Record> records, DeadLetters deadLetters, CancellationToken cancellationToken);
}

/// <summary>The far end did not take the records this time.</summary>
internal sealed class DeliveryException(string message, Exception? cause = null) : Exception(message, cause);
