using System.Diagnostics;
using System.Threading.Channels;
using Amazon.DynamoDBStreams;
using Amazon.DynamoDBStreams.Model;
using Amazon.Runtime;
using ChatPlatform.LambdaEmulator.Destinations;
using ChatPlatform.LambdaEmulator.Filters;
using ChatPlatform.LambdaEmulator.Functions;
using ChatPlatform.LambdaEmulator.Mappings;
using ChatPlatform.LambdaEmulator.Protocol;

namespace ChatPlatform.LambdaEmulator.Streams;

/// <summary>
/// Reads one shard from its checkpoint to its end and hands its records to the function: in as many lanes as the parallelization factor says, an item always in the same one,
/// so that its changes stay in order (https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html). Runs once.
/// </summary>
internal sealed partial class ShardReader(
    EventSourceMapping mapping, ShardCheckpoint checkpoint, string? latestIterator, MappingStore store, FunctionCatalog functions, FailureDestinations destinations,
    IAmazonDynamoDBStreams streams, EmulatorOptions options, ILogger logger, TimeProvider time, Action<string> processed)
{
    /// <summary>GetRecords gives at most 1,000 records (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html).</summary>
    private const int PageSize = 1_000;

    /// <summary>Pages that wait in a lane; a full lane stops the reading.</summary>
    private const int LaneCapacity = 4;

    private readonly ILogger _logger = logger;
    private readonly ShardProgress _progress = new(checkpoint.SequenceNumber);
    private readonly StreamEventWriter _writer = new(mapping.EventSourceArn);
    private readonly EventFilter _filter = new(mapping.Filters);
    private readonly Lock _saving = new();

    /// <summary>Ends when the shard is handled to its end, or on cancellation after the invocations under way.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        // A lane that fails stops the reading and the other lanes; the poller starts the shard again from its checkpoint.
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var lanes = Enumerable.Range(0, mapping.ParallelizationFactor).Select(_ => Channel.CreateBounded<List<StreamRecord>>(LaneCapacity)).ToArray();
        var handling = lanes.Select(lane => StopOnFailureAsync(HandleAsync(lane.Reader, stop.Token), stop)).ToArray();
        var ended = false;
        try
        {
            await ReadAsync(lanes, stop.Token);
            ended = true;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            ended = false;
        }
        finally
        {
            foreach (var lane in lanes)
                lane.Writer.Complete();
            if (!ended)
                await stop.CancelAsync();
            await Task.WhenAll(handling);
        }

        if (ended && _progress.Open == 0)
        {
            Save(finished: true);
            ShardFinished(mapping.Uuid, checkpoint.ShardId);
        }
    }

    private static async Task StopOnFailureAsync(Task lane, CancellationTokenSource stop)
    {
        try
        {
            await lane;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return;
        }
        catch
        {
            await stop.CancelAsync();
            throw;
        }
    }

    private async Task ReadAsync(Channel<List<StreamRecord>>[] lanes, CancellationToken cancellationToken)
    {
        var (iterator, atLatest) = (latestIterator, latestIterator is not null);
        var last = checkpoint.SequenceNumber;
        var pause = options.RetryBackoff;
        var trimmed = false;
        while (true)
        {
            GetRecordsResponse answer;
            try
            {
                iterator ??= await IteratorAsync(trimmed ? null : last, cancellationToken);
                // A parent that is not sampled: four polls a second and shard would bury the messages in the dashboard's traces.
                using var unsampled = new Activity("poll").SetIdFormat(ActivityIdFormat.W3C).Start();
                answer = await streams.GetRecordsAsync(new GetRecordsRequest { ShardIterator = iterator, Limit = PageSize }, cancellationToken);
                (pause, trimmed) = (options.RetryBackoff, false);
            }
            catch (ExpiredIteratorException)
            {
                // After 15 minutes, e.g. when the function kept the lanes full for that long.
                (iterator, atLatest) = (null, false);
                continue;
            }
            catch (TrimmedDataAccessException)
            {
                RecordsTrimmed(mapping.Uuid, checkpoint.ShardId, last);
                (iterator, trimmed) = (null, true);
                continue;
            }
            catch (AmazonServiceException error) when (error is LimitExceededException || error.ErrorCode is "ThrottlingException" or "ProvisionedThroughputExceededException")
            {
                await Task.Delay(pause, time, cancellationToken);
                pause = pause * 2 < options.RetryBackoff * 60 ? pause * 2 : options.RetryBackoff * 60;
                continue;
            }

            var records = new List<StreamRecord>(answer.Records?.Count ?? 0);
            foreach (var record in answer.Records ?? [])
            {
                var written = _writer.Write(record);
                // The creation time has whole seconds.
                if (last is null && checkpoint.NotBefore is { } start && !atLatest && written.Created.ToUnixTimeSeconds() < start.ToUnixTimeSeconds())
                    continue;
                records.Add(written);
            }

            if (records.Count > 0)
            {
                _progress.Read(records);
                var passed = records;
                if (mapping.Filters.Count > 0)
                {
                    var sides = records.ToLookup(_filter.Passes);
                    passed = [.. sides[true]];
                    List<StreamRecord> filtered = [.. sides[false]];
                    Telemetry.FilteredOut.Add(filtered.Count, new KeyValuePair<string, object?>("function", mapping.FunctionName));
                    Handled(filtered, 0, filtered.Count);
                }

                foreach (var lane in passed.GroupBy(r => (int)(r.KeyHash % (uint)lanes.Length)))
                    await lanes[lane.Key].Writer.WriteAsync([.. lane], cancellationToken);
                last = records[^1].SequenceNumber;
            }

            if (string.IsNullOrEmpty(answer.NextShardIterator))
                return;
            iterator = answer.NextShardIterator;
            if (answer.Records is null or { Count: 0 })
                await Task.Delay(options.PollInterval, time, cancellationToken);
        }
    }

    private async Task<string> IteratorAsync(string? after, CancellationToken cancellationToken)
    {
        var request = new GetShardIteratorRequest { StreamArn = mapping.EventSourceArn, ShardId = checkpoint.ShardId };
        if (after is null)
            request.ShardIteratorType = ShardIteratorType.TRIM_HORIZON;
        else
            (request.ShardIteratorType, request.SequenceNumber) = (ShardIteratorType.AFTER_SEQUENCE_NUMBER, after);
        return (await streams.GetShardIteratorAsync(request, cancellationToken)).ShardIterator;
    }

    /// <summary>Forms batches of one lane: full by count, full by payload, or as old as the batching window, whichever comes first.</summary>
    private async Task HandleAsync(ChannelReader<List<StreamRecord>> pages, CancellationToken cancellationToken)
    {
        var waiting = new Queue<StreamRecord>();
        var runner = new BatchRunner(mapping, functions, destinations, options, _logger, time, checkpoint.ShardId, processed, Handled);
        while (waiting.Count > 0 || await pages.WaitToReadAsync(cancellationToken))
        {
            while (waiting.Count < mapping.BatchSize && pages.TryRead(out var page))
                Enqueue(waiting, page);
            if (mapping.MaximumBatchingWindowInSeconds > 0)
                await FillAsync(waiting, pages, cancellationToken);

            var batch = new List<StreamRecord>(Math.Min(waiting.Count, mapping.BatchSize));
            var bytes = 0;
            while (batch.Count < mapping.BatchSize && waiting.TryPeek(out var record)
                && (batch.Count == 0 || bytes + record.Json.Length + StreamEventWriter.OverheadOf(batch.Count + 1) <= Payloads.SynchronousLimit))
            {
                batch.Add(waiting.Dequeue());
                bytes += record.Json.Length;
            }

            await runner.RunAsync(batch, cancellationToken);
        }
    }

    /// <summary>Waits for more records until the batch is full or the window, which begins with the first record, is over.</summary>
    private async Task FillAsync(Queue<StreamRecord> waiting, ChannelReader<List<StreamRecord>> pages, CancellationToken cancellationToken)
    {
        using var window = new CancellationTokenSource(TimeSpan.FromSeconds(mapping.MaximumBatchingWindowInSeconds), time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(window.Token, cancellationToken);
        try
        {
            while (waiting.Count < mapping.BatchSize && waiting.Sum(r => (long)r.Json.Length) < Payloads.SynchronousLimit && await pages.WaitToReadAsync(either.Token))
            {
                if (pages.TryRead(out var page))
                    Enqueue(waiting, page);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The window is over: the batch goes as it is.
            return;
        }
    }

    private static void Enqueue(Queue<StreamRecord> waiting, List<StreamRecord> page)
    {
        foreach (var record in page)
            waiting.Enqueue(record);
    }

    private void Handled(IReadOnlyList<StreamRecord> records, int from, int end)
    {
        if (_progress.Handled(records, from, end))
            Save(finished: false);
    }

    private void Save(bool finished)
    {
        // Lanes end at the same time; the lock keeps an older checkpoint from being written over a newer one.
        lock (_saving)
            store.Save(mapping.Uuid, checkpoint with { SequenceNumber = _progress.Checkpoint, Finished = finished });
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Mapping {Uuid}: {Shard} is handled to its end")]
    private partial void ShardFinished(Guid uuid, string shard);

    [LoggerMessage(Level = LogLevel.Error, Message = "Mapping {Uuid}: records of {Shard} after {SequenceNumber} were trimmed from the stream before they were read and are lost")]
    private partial void RecordsTrimmed(Guid uuid, string shard, string? sequenceNumber);
}
