using System.Text;

namespace ChatPlatform.CdcLambda.Streams;

/// <summary>One record of the event: where its line lies in the lines and where its sequence number lies in the event. No copy of either.</summary>
/// <param name="LineStart">Index of the line's first byte.</param>
/// <param name="LineLength">Bytes of the line with its newline; 0 when the record leaves none (a delete, a dropped kind, or a problem).</param>
/// <param name="SequenceStart">Index in the event of the sequence number's first digit.</param>
/// <param name="SequenceLength">Its number of digits.</param>
/// <param name="Item">The same for records of the same item, and practically never for others; 0 when the record has no keys.</param>
/// <param name="Problem">Why the item cannot be unwrapped, without its contents; null for a sound one.</param>
internal readonly record struct StreamRecord(int LineStart, int LineLength, int SequenceStart, int SequenceLength, ulong Item, string? Problem)
{
    public string SequenceNumber(ReadOnlySpan<byte> source) => Encoding.ASCII.GetString(source.Slice(SequenceStart, SequenceLength));
}
