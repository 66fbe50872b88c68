using ChatPlatform.CdcLambda.Streams;

namespace ChatPlatform.CdcLambda.Delivery;

/// <summary>The limits of one PutRecordBatch (https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html) and how records are cut to them.</summary>
internal static class PutBatch
{
    public const int MaximumRecords = 500;

    /// <summary>Of one call, counted before base64.</summary>
    public const int MaximumBytes = 4 * 1024 * 1024;

    /// <summary>Of one record, counted before base64.</summary>
    public const int MaximumRecordBytes = 1_000 * 1024;

    /// <summary>How many records, from the first on, can be delivered: up to the first malformed or oversized one.</summary>
    public static int CountDeliverable(List<StreamRecord> records)
    {
        var end = records.FindIndex(r => r.Problem is not null || r.LineLength > MaximumRecordBytes);
        return end < 0 ? records.Count : end;
    }

    /// <summary>
    /// Puts the indexes of the next call's records into <paramref name="batch"/>, beginning at <paramref name="from"/>, and gives the index after the last one looked at.
    /// Records without a line are passed over. A call never holds two records of one item: Firehose may refuse a record singly and take those after it, so that an item's older
    /// state would land after its newer one.
    /// </summary>
    /// <param name="items">Room for the call's items; its contents do not matter.</param>
    public static int Take(List<StreamRecord> records, int from, int end, List<int> batch, HashSet<ulong> items)
    {
        batch.Clear();
        items.Clear();
        var bytes = 0;
        for (; from < end; from++)
        {
            var length = records[from].LineLength;
            if (length == 0)
                continue;
            if (batch.Count == MaximumRecords || bytes + length > MaximumBytes)
                break;
            if (records[from].Item != 0 && !items.Add(records[from].Item))
                break;
            batch.Add(from);
            bytes += length;
        }

        return from;
    }
}
