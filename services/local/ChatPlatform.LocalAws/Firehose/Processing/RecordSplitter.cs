using System.Text.Json;

namespace ChatPlatform.LocalAws.Firehose.Processing;

/// <summary>Takes aggregated records apart (https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-multirecord-deaggergation.html).</summary>
internal static class RecordSplitter
{
    /// <summary>The parts of a record, in order. What is no JSON is one part, which then fails where its keys or columns are asked for.</summary>
    public static IEnumerable<ReadOnlyMemory<byte>> Split(ReadOnlyMemory<byte> record, DeAggregation how) => how.Delimiter is { } delimiter ? Pieces(record, delimiter) : Values(record);

    private static IEnumerable<ReadOnlyMemory<byte>> Pieces(ReadOnlyMemory<byte> record, byte[] delimiter)
    {
        while (!record.IsEmpty)
        {
            var end = record.Span.IndexOf(delimiter);
            if (end != 0)
                yield return end < 0 ? record : record[..end];
            record = end < 0 ? default : record[(end + delimiter.Length)..];
        }
    }

    // One valid value after the other, with or without space between; from the first byte that is none on, the rest is one part.
    private static List<ReadOnlyMemory<byte>> Values(ReadOnlyMemory<byte> record)
    {
        var parts = new List<ReadOnlyMemory<byte>>();
        var start = 0;
        var reader = new Utf8JsonReader(record.Span, new JsonReaderOptions { AllowMultipleValues = true });
        try
        {
            while (reader.Read())
            {
                var from = (int)reader.TokenStartIndex;
                reader.Skip();
                var end = (int)reader.BytesConsumed;
                parts.Add(record[from..end]);
                start = end;
            }
        }
        catch (JsonException)
        {
            parts.Add(record[start..]);
        }

        return parts;
    }
}
