namespace ChatPlatform.LambdaEmulator.Streams;

/// <summary>One stream record, ready for an event.</summary>
/// <param name="SequenceNumber">As the stream gave it.</param>
/// <param name="Json">The record as Lambda's event holds it, in UTF-8.</param>
/// <param name="Created">ApproximateCreationDateTime, whole seconds.</param>
/// <param name="KeyHash">Equal for records of the same item, also after a restart.</param>
internal sealed record StreamRecord(string SequenceNumber, byte[] Json, DateTimeOffset Created, uint KeyHash)
{
    /// <summary>Set once it is handled or given up. Guarded by the shard's progress.</summary>
    public bool Done { get; set; }
}
