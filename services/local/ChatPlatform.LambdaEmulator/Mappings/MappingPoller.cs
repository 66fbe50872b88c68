using Amazon.DynamoDBStreams;
using Amazon.DynamoDBStreams.Model;
using Amazon.Runtime;
using ChatPlatform.LambdaEmulator.Destinations;
using ChatPlatform.LambdaEmulator.Functions;
using ChatPlatform.LambdaEmulator.Streams;

namespace ChatPlatform.LambdaEmulator.Mappings;

/// <summary>
/// Follows one stream for one mapping: finds its shards, reads those whose parent is handled to the end, several at once, and starts a failed reader again. Runs from construction
/// to <see cref="StopAsync"/>.
/// </summary>
internal sealed partial class MappingPoller
{
    private readonly EventSourceMapping _mapping;
    private readonly MappingStore _store;
    private readonly FunctionCatalog _functions;
    private readonly FailureDestinations _destinations;
    private readonly IAmazonDynamoDBStreams _streams;
    private readonly EmulatorOptions _options;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private readonly Dictionary<string, Task> _readers = [];
    private readonly Task _loop;

    public MappingPoller(
        EventSourceMapping mapping, MappingStore store, FunctionCatalog functions, FailureDestinations destinations, IAmazonDynamoDBStreams streams, EmulatorOptions options,
        ILogger logger, TimeProvider time)
    {
        (_mapping, _store, _functions, _destinations, _streams, _options, _logger, _time) = (mapping, store, functions, destinations, streams, options, logger, time);
        _loop = Task.Run(RunAsync);
    }

    /// <summary>True once every shard that was there has its position: what is written from then on reaches the function.</summary>
    public bool Positioned { get; private set; }

    /// <summary><c>No records processed</c>, <c>OK</c> or <c>PROBLEM: …</c>.</summary>
    public string LastProcessingResult { get; set; } = "No records processed";

    /// <summary>Stops reading and waits for the invocations under way. May be called twice.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _loop;
    }

    private async Task RunAsync()
    {
        var pause = _options.RetryBackoff;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await FollowAsync();
                pause = _options.RetryBackoff;
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                break;
            }
            catch (Exception error)
            {
                // Whatever it is (the endpoint is gone, the disk is full), the mapping goes on from its checkpoints when it is over, as at AWS.
                LastProcessingResult = $"PROBLEM: {error.Message}";
                PollingFailed(error, _mapping.Uuid, pause.TotalMilliseconds);
                await PauseAsync(pause);
                pause = pause * 2 < _options.RetryBackoff * 60 ? pause * 2 : _options.RetryBackoff * 60;
            }
        }

        await Task.WhenAll(_readers.Values.Select(r => r.ContinueWith(_ => { }, TaskScheduler.Default)));
    }

    /// <summary>One look at the stream's shards, and a wait for the next one or for the end of a reader.</summary>
    private async Task FollowAsync()
    {
        var shards = await ListShardsAsync();
        var checkpoints = _store.LoadCheckpoints(_mapping.Uuid).ToDictionary(c => c.ShardId);
        var fresh = checkpoints.Count == 0 && !Positioned && _mapping.StartingPosition == "LATEST" ? await PositionAtLatestAsync(shards) : [];
        foreach (var (shardId, checkpoint) in fresh.Select(f => (f.Key, f.Value.Checkpoint)))
            checkpoints[shardId] = checkpoint;

        var listed = shards.Select(s => s.ShardId).ToHashSet();
        foreach (var shard in shards)
        {
            if (_readers.ContainsKey(shard.ShardId) || checkpoints.GetValueOrDefault(shard.ShardId) is { Finished: true })
                continue;
            // Parent first: a child's records are later than all of its parent's. A parent that is listed no more has been trimmed.
            if (shard.ParentShardId is { Length: > 0 } parent && listed.Contains(parent) && checkpoints.GetValueOrDefault(parent) is not { Finished: true })
                continue;
            if (!checkpoints.TryGetValue(shard.ShardId, out var checkpoint))
            {
                // Written before the first record is: when all earlier shards are gone one day, a restart must not take the mapping for a new one that begins at LATEST.
                checkpoint = new ShardCheckpoint { ShardId = shard.ShardId };
                _store.Save(_mapping.Uuid, checkpoint);
            }

            var iterator = fresh.GetValueOrDefault(shard.ShardId).Iterator;
            var reader = new ShardReader(_mapping, checkpoint, iterator, _store, _functions, _destinations, _streams, _options, _logger, _time, result => LastProcessingResult = result);
            _readers[shard.ShardId] = Task.Run(() => reader.RunAsync(_stop.Token));
        }

        Positioned = true;
        foreach (var gone in checkpoints.Values.Where(c => !listed.Contains(c.ShardId) && !_readers.ContainsKey(c.ShardId)))
            _store.DeleteCheckpoint(_mapping.Uuid, gone.ShardId);

        // A reader that ends has reached its shard's end, so there may be children; one that failed is started again from its checkpoint.
        await Task.WhenAny([PauseAsync(_options.ShardDiscoveryInterval), .. _readers.Values]);
        _stop.Token.ThrowIfCancellationRequested();
        foreach (var (shardId, reader) in _readers.Where(r => r.Value.IsCompleted).ToArray())
        {
            _readers.Remove(shardId);
            await reader;
        }
    }

    /// <summary>
    /// The beginning of a mapping at LATEST: closed shards count as handled, and every open one has its iterator before the mapping says Enabled. The checkpoints are written
    /// after all iterators are there, so that a crash on the way begins anew.
    /// </summary>
    private async Task<Dictionary<string, (ShardCheckpoint Checkpoint, string? Iterator)>> PositionAtLatestAsync(List<Shard> shards)
    {
        var now = _time.GetUtcNow();
        var fresh = new Dictionary<string, (ShardCheckpoint Checkpoint, string? Iterator)>();
        foreach (var shard in shards)
        {
            if (shard.SequenceNumberRange?.EndingSequenceNumber is not null)
            {
                fresh[shard.ShardId] = (new ShardCheckpoint { ShardId = shard.ShardId, Finished = true }, null);
                continue;
            }

            var answer = await _streams.GetShardIteratorAsync(
                new GetShardIteratorRequest { StreamArn = _mapping.EventSourceArn, ShardId = shard.ShardId, ShardIteratorType = ShardIteratorType.LATEST }, _stop.Token);
            fresh[shard.ShardId] = (new ShardCheckpoint { ShardId = shard.ShardId, NotBefore = now }, answer.ShardIterator);
        }

        foreach (var (checkpoint, _) in fresh.Values)
            _store.Save(_mapping.Uuid, checkpoint);
        return fresh;
    }

    private async Task<List<Shard>> ListShardsAsync()
    {
        var shards = new List<Shard>();
        string? last = null;
        do
        {
            var answer = await _streams.DescribeStreamAsync(new DescribeStreamRequest { StreamArn = _mapping.EventSourceArn, ExclusiveStartShardId = last }, _stop.Token);
            shards.AddRange(answer.StreamDescription.Shards ?? []);
            last = answer.StreamDescription.LastEvaluatedShardId;
        }
        while (!string.IsNullOrEmpty(last));
        return shards;
    }

    private async Task PauseAsync(TimeSpan pause)
    {
        try
        {
            await Task.Delay(pause, _time, _stop.Token);
        }
        catch (OperationCanceledException)
        {
            // The caller looks at the token.
            return;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Mapping {Uuid}: polling failed, again in {Pause} ms")]
    private partial void PollingFailed(Exception error, Guid uuid, double pause);
}
