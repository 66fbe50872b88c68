namespace ChatPlatform.LocalAws.Firehose.Processing;

/// <summary>Runs a segment's records through a stream's processors. Thread-safe.</summary>
/// <param name="lambda">Null where no Lambda endpoint is configured; no stream can have a Lambda processor then.</param>
internal sealed class RecordProcessing(LambdaTransformation? lambda, string region)
{
    private static readonly Dictionary<string, string> NoKeys = [];

    public bool HasLambda => lambda is not null;

    /// <summary>The records to deliver, in order, and those that failed. Dropped ones are in neither.</summary>
    public async Task<(IReadOnlyList<DeliveredRecord> Records, IReadOnlyList<FailedRecord> Failed)> RunAsync(
        ProcessorChain chain, string streamArn, IEnumerable<(DateTimeOffset Arrival, ReadOnlyMemory<byte> Data)> buffered, CancellationToken cancellationToken)
    {
        var failed = new List<FailedRecord>();
        var records = new List<DeliveredRecord>();
        foreach (var (arrival, shared) in buffered)
        {
            // The reader's memory is the next record's a moment later.
            ReadOnlyMemory<byte> data = shared.ToArray();
            foreach (var part in chain.DeAggregation is { } how ? RecordSplitter.Split(data, how) : [data])
                records.Add(new DeliveredRecord(arrival, part, part, NoKeys));
        }

        if (chain.Lambda is { } processor)
            records = await TransformAsync(processor, streamArn, records, failed, cancellationToken);
        if (chain.Metadata is { } query)
            records = Extract(query, records, failed);
        if (chain.Delimiter is { } delimiter)
            records = [.. records.Select(r => r with { Data = (byte[])[.. r.Data.Span, .. delimiter] })];
        return (records, failed);
    }

    private async Task<List<DeliveredRecord>> TransformAsync(
        LambdaProcessor processor, string streamArn, List<DeliveredRecord> records, List<FailedRecord> failed, CancellationToken cancellationToken)
    {
        var results = await lambda!.RunAsync(processor, streamArn, region, records, cancellationToken);
        var kept = new List<DeliveredRecord>(records.Count);
        foreach (var (record, result) in records.Zip(results))
        {
            if (result.ErrorCode is not null)
                failed.Add(new FailedRecord(FailedRecord.Processing, record.Arrival, record.Raw, result.ErrorCode, result.ErrorMessage!, result.Attempts, processor.Function));
            else if (result.Data is not null)
                kept.Add(record with { Data = result.Data, PartitionKeys = result.PartitionKeys });
        }

        return kept;
    }

    private static List<DeliveredRecord> Extract(MetadataQuery query, List<DeliveredRecord> records, List<FailedRecord> failed)
    {
        var kept = new List<DeliveredRecord>(records.Count);
        foreach (var record in records)
        {
            var keys = new Dictionary<string, string>(record.PartitionKeys, StringComparer.Ordinal);
            if (query.TryExtract(record.Data, keys, out var problem))
                kept.Add(record with { PartitionKeys = keys });
            else
                failed.Add(new FailedRecord(FailedRecord.Processing, record.Arrival, record.Raw, "DynamicPartitioning.MetadataExtractionFailed", problem));
        }

        return kept;
    }
}
