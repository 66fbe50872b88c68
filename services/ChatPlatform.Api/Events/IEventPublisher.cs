namespace ChatPlatform.Api.Events;

/// <summary>Hands events to other services: at least once, in the order of the appends of one room. Thread-safe.</summary>
internal interface IEventPublisher
{
    /// <summary>
    /// True when the next appends would be refused: the spool is nearly full and <see cref="EventOptions.WhenFull"/> is <see cref="WhenSpoolRefuses.Reject"/>. What is kept free
    /// is for the events of work that was stored already.
    /// </summary>
    bool IsFull { get; }

    /// <summary>
    /// Returns when the event is in the spool on disk: it survives <c>kill -9</c> of this process and reaches the topic later, with the same bytes. Await one append of a room before the
    /// next, and their order is kept.
    /// </summary>
    /// <param name="roomId">The Kafka key.</param>
    /// <param name="cloudEventJson">One CloudEvent in JSON, UTF-8 (see <see cref="CloudEventWriter"/>); copied before the first await.</param>
    /// <param name="cancellationToken">Observed until the event is queued.</param>
    /// <exception cref="EventSpoolFullException">The spool is full or the disk refuses it, and <see cref="EventOptions.WhenFull"/> is <see cref="WhenSpoolRefuses.Reject"/>: answer 503.</exception>
    ValueTask AppendAsync(string roomId, ReadOnlyMemory<byte> cloudEventJson, CancellationToken cancellationToken);
}

/// <summary>The event could not be kept, so whatever it tells of must not be answered as done.</summary>
internal sealed class EventSpoolFullException(Exception cause) : Exception("Events cannot be kept at the moment: " + cause.Message, cause);
