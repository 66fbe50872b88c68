namespace ChatPlatform.Api.Events;

/// <summary>Hands events to the local forwarder. Thread-safe; events of one room keep the order in which they were appended.</summary>
internal interface IEventPublisher
{
    /// <summary>Returns when the event is spooled to disk: from then on it is delivered at least once, whatever crashes.</summary>
    ValueTask AppendAsync(string roomId, ReadOnlyMemory<byte> cloudEventJson, CancellationToken cancellationToken);
}
