using System.Text.Json;

namespace ChatPlatform.LambdaEmulator.Streams;

/// <summary>What a function said of a batch under ReportBatchItemFailures (https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html).</summary>
internal static class BatchResponse
{
    /// <summary>
    /// The index of the first record to be handled again: <paramref name="end"/> on success, the lowest failed
    /// record on partial success, and <paramref name="from"/> on complete failure.
    /// </summary>
    public static int FirstFailure(ReadOnlySpan<byte> payload, IReadOnlyList<StreamRecord> records, int from, int end)
    {
        if (payload.Trim(" \t\r\n"u8).IsEmpty)
            return end;
        try
        {
            var reader = new Utf8JsonReader(payload);
            using var document = JsonDocument.ParseValue(ref reader);
            var root = document.RootElement;
            // "An empty EventResponse", "a null EventResponse".
            if (root.ValueKind == JsonValueKind.Null)
                return end;
            if (root.ValueKind == JsonValueKind.String && root.GetString() == "")
                return end;
            if (root.ValueKind != JsonValueKind.Object)
                return from;
            // "An empty batchItemFailure list", "a null batchItemFailure list"; an object that says nothing of failures is an empty response too.
            if (!root.TryGetProperty("batchItemFailures", out var failures) || failures.ValueKind == JsonValueKind.Null)
                return end;
            if (failures.ValueKind != JsonValueKind.Array)
                return from;

            var first = end;
            foreach (var failure in failures.EnumerateArray())
            {
                // "An empty string itemIdentifier", "a null itemIdentifier", "an itemIdentifier with a bad key name": the whole batch has failed.
                if (failure.ValueKind != JsonValueKind.Object || !failure.TryGetProperty("itemIdentifier", out var identifier) || identifier.ValueKind != JsonValueKind.String)
                    return from;
                var index = IndexOf(records, from, end, identifier.GetString()!);
                if (index < 0)
                    return from;
                first = Math.Min(first, index);
            }

            return first;
        }
        catch (JsonException)
        {
            return from;
        }
    }

    private static int IndexOf(IReadOnlyList<StreamRecord> records, int from, int end, string sequenceNumber)
    {
        for (var i = from; i < end; i++)
        {
            if (records[i].SequenceNumber == sequenceNumber)
                return i;
        }

        return -1;
    }
}
