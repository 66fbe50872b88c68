using ChatPlatform.LambdaEmulator.Destinations;
using ChatPlatform.LambdaEmulator.Functions;
using ChatPlatform.LambdaEmulator.Mappings;
using ChatPlatform.LambdaEmulator.Protocol;

namespace ChatPlatform.LambdaEmulator.Streams;

/// <summary>
/// Brings one batch to its end: invokes, and on failure retries, bisects and gives up as the mapping says
/// (https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html). One lane's batches, one after the other.
/// <list type="bullet">
/// <item>A partial failure moves the checkpoint to the lowest failed record; what follows is tried again, with all its retries, since it is another batch.</item>
/// <item>Bisecting splits a failed batch in two that are handled in order, and takes no retry; a single record uses the retries.
/// With a partial failure the split is at the failed record, and in halves when the first record is the one that failed.</item>
/// <item>Being throttled takes no retry: "Lambda retries throttled batches until the records expire or exceed the maximum age".</item>
/// </list>
/// </summary>
internal sealed partial class BatchRunner(
    EventSourceMapping mapping, FunctionCatalog functions, FailureDestinations destinations, EmulatorOptions options, ILogger logger, TimeProvider time,
    string shardId, Action<string> processed, Action<IReadOnlyList<StreamRecord>, int, int> handled)
{
    private readonly ILogger _logger = logger;

    /// <param name="Last">The last invocation of exactly these records, as a discarded batch tells of it.</param>
    private readonly record struct Part(int From, int End, int Retries, int Failures, InvocationResult? Last = null);

    /// <summary>Returns when every record is handled or given up.</summary>
    /// <exception cref="OperationCanceledException">Cancelled between two invocations; the rest is not handled.</exception>
    public async Task RunAsync(List<StreamRecord> records, CancellationToken cancellationToken)
    {
        var parts = new Stack<Part>();
        parts.Push(new Part(0, records.Count, 0, 0));
        while (parts.TryPop(out var part))
        {
            cancellationToken.ThrowIfCancellationRequested();
            part = await GiveUpOldAsync(records, part, cancellationToken);
            if (part.From == part.End)
                continue;

            var result = await InvokeAsync(records, part);
            if (result is null)
            {
                await PauseAsync(part.Failures, cancellationToken);
                parts.Push(part with { Failures = part.Failures + 1 });
                continue;
            }

            var first = FirstFailure(result, records, part);
            if (first > part.From)
            {
                handled(records, part.From, first);
                Telemetry.Processed.Add(first - part.From, new KeyValuePair<string, object?>("function", mapping.FunctionName));
                processed(first == part.End ? "OK" : "PROBLEM: Function call failed");
                if (first < part.End)
                {
                    await PauseAsync(0, cancellationToken);
                    parts.Push(new Part(first, part.End, 0, 0));
                }

                continue;
            }

            processed("PROBLEM: Function call failed");
            var length = part.End - part.From;
            if (mapping.BisectBatchOnFunctionError && length > 1)
            {
                var middle = part.From + (length / 2);
                parts.Push(part with { From = middle, Last = null });
                parts.Push(part with { End = middle, Last = null });
                BatchBisected(mapping.Uuid, shardId, length);
                continue;
            }

            if (mapping.MaximumRetryAttempts >= 0 && part.Retries >= mapping.MaximumRetryAttempts)
            {
                await GiveUpAsync(records, part with { Last = result }, "RetryAttemptsExhausted", cancellationToken);
                continue;
            }

            await PauseAsync(part.Failures, cancellationToken);
            parts.Push(part with { Retries = part.Retries + 1, Failures = part.Failures + 1, Last = result });
        }
    }

    /// <summary>How the invocation ended, or null when the function could not be invoked at all.</summary>
    private async Task<InvocationResult?> InvokeAsync(List<StreamRecord> records, Part part)
    {
        var age = time.GetUtcNow() - records[part.End - 1].Created;
        Telemetry.IteratorAge.Record(
            Math.Max(0, age.TotalMilliseconds), new KeyValuePair<string, object?>("function", mapping.FunctionName), new KeyValuePair<string, object?>("shard", shardId));
        try
        {
            return await functions.Get(mapping.FunctionName).InvokeAsync(StreamEventWriter.Join(records, part.From, part.End));
        }
        catch (LambdaException error)
        {
            // Throttled, or the function is in the configuration no more: the batch waits.
            processed($"PROBLEM: {error.Message}");
            NotInvoked(mapping.Uuid, mapping.FunctionName, error.Message);
            return null;
        }
    }

    /// <summary>The first record to be handled again; <c>part.End</c> when there is none.</summary>
    private int FirstFailure(InvocationResult result, List<StreamRecord> records, Part part)
    {
        if (result.FunctionError is not null)
            return part.From;
        return mapping.ReportBatchItemFailures ? BatchResponse.FirstFailure(result.Payload, records, part.From, part.End) : part.End;
    }

    private async Task<Part> GiveUpOldAsync(List<StreamRecord> records, Part part, CancellationToken cancellationToken)
    {
        if (mapping.MaximumRecordAgeInSeconds < 0)
            return part;
        var limit = time.GetUtcNow() - TimeSpan.FromSeconds(mapping.MaximumRecordAgeInSeconds);
        var from = part.From;
        while (from < part.End && records[from].Created < limit)
            from++;
        if (from == part.From)
            return part;
        await GiveUpAsync(records, part with { End = from }, "MaximumRecordAgeExceeded", cancellationToken);
        return part with { From = from };
    }

    /// <summary>Brings records to the on-failure destination, and only then moves the checkpoint over them.</summary>
    private async Task GiveUpAsync(List<StreamRecord> records, Part part, string condition, CancellationToken cancellationToken)
    {
        var (from, end, invoked) = (part.From, part.End, part.Last is null ? 0 : part.Retries + 1);
        RecordsDiscarded(mapping.Uuid, shardId, condition, end - from, records[from].SequenceNumber, records[end - 1].SequenceNumber);
        Telemetry.Discarded.Add(end - from, new KeyValuePair<string, object?>("function", mapping.FunctionName), new KeyValuePair<string, object?>("condition", condition));
        await destinations.SendAsync(mapping, new DiscardedBatch(shardId, condition, records, from, end, invoked, part.Last?.RequestId, part.Last?.FunctionError), cancellationToken);
        handled(records, from, end);
    }

    private Task PauseAsync(int failures, CancellationToken cancellationToken) =>
        Task.Delay(options.RetryBackoff * Math.Min(60, 1 << Math.Min(failures, 6)), time, cancellationToken);

    [LoggerMessage(Level = LogLevel.Information, Message = "Mapping {Uuid}: a failed batch of {Count} records of {Shard} is bisected")]
    private partial void BatchBisected(Guid uuid, string shard, int count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Mapping {Uuid}: {Function} was not invoked: {Reason}")]
    private partial void NotInvoked(Guid uuid, string function, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Mapping {Uuid}: {Condition}: {Count} records of {Shard}, {First} to {Last}, are discarded")]
    private partial void RecordsDiscarded(Guid uuid, string shard, string condition, int count, string first, string last);
}
