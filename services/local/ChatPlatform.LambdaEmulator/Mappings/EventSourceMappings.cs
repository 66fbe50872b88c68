using System.Text.Json;
using Amazon.DynamoDBStreams;
using Amazon.DynamoDBStreams.Model;
using Amazon.Runtime;
using ChatPlatform.LambdaEmulator.Destinations;
using ChatPlatform.LambdaEmulator.Functions;
using ChatPlatform.LambdaEmulator.Protocol;

namespace ChatPlatform.LambdaEmulator.Mappings;

/// <summary>A mapping and what it is doing, as the API tells it.</summary>
internal sealed record MappingState(EventSourceMapping Mapping, string State, string LastProcessingResult);

/// <summary>All mappings: kept durably, each with its poller while enabled. Thread-safe; changes happen one at a time.</summary>
internal sealed partial class EventSourceMappings(
    MappingStore store, FunctionCatalog functions, FailureDestinations destinations, IAmazonDynamoDBStreams streams, EmulatorOptions options, ILoggerFactory loggers, TimeProvider time)
    : IDisposable
{
    private readonly ILogger _logger = loggers.CreateLogger<EventSourceMappings>();
    private readonly SemaphoreSlim _changing = new(1);
    private readonly Lock _gate = new();
    private readonly SortedDictionary<Guid, Entry> _entries = [];

    private sealed class Entry(EventSourceMapping mapping, string starting)
    {
        /// <summary>The state until the poller has its positions: Creating, Updating or Enabling.</summary>
        public string Starting { get; set; } = starting;

        public EventSourceMapping Mapping { get; set; } = mapping;

        public MappingPoller? Poller { get; set; }

        public MappingState State => new(
            Mapping,
            Poller is null ? "Disabled" : Poller.Positioned ? "Enabled" : Starting,
            Poller?.LastProcessingResult ?? "No records processed");
    }

    public bool Started { get; private set; }

    /// <summary>Restores what was there before and resumes at the checkpoints.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await _changing.WaitAsync(cancellationToken);
        try
        {
            foreach (var mapping in store.LoadMappings())
            {
                var entry = new Entry(mapping, "Enabling");
                lock (_gate)
                    _entries.Add(mapping.Uuid, entry);
                if (mapping.Enabled)
                    entry.Poller = StartPoller(mapping);
                MappingRestored(mapping.Uuid, mapping.EventSourceArn, mapping.FunctionName);
            }

            Started = true;
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Stops polling and waits for the invocations under way.</summary>
    public async Task StopAsync()
    {
        MappingPoller[] pollers;
        lock (_gate)
            pollers = [.. _entries.Values.Select(e => e.Poller).OfType<MappingPoller>()];
        await Task.WhenAll(pollers.Select(p => p.StopAsync()));
    }

    /// <exception cref="LambdaException">A parameter is wrong or not honoured, function or stream are not there, or the pair has a mapping already (409).</exception>
    public async Task<MappingState> CreateAsync(JsonElement body, CancellationToken cancellationToken)
    {
        var mapping = MappingParameters.ReadNew(body, Function, options.Kafka is not null, time.GetUtcNow());
        await CheckStreamAsync(mapping.EventSourceArn, cancellationToken);
        await _changing.WaitAsync(cancellationToken);
        try
        {
            CheckUnique(mapping);
            store.Save(mapping);
            var entry = new Entry(mapping, "Creating");
            lock (_gate)
                _entries.Add(mapping.Uuid, entry);
            if (mapping.Enabled)
                entry.Poller = StartPoller(mapping);
            MappingCreated(mapping.Uuid, mapping.EventSourceArn, mapping.FunctionName);
            return entry.State with { State = "Creating" };
        }
        finally
        {
            _changing.Release();
        }
    }

    public MappingState Get(string uuid) => Find(uuid).State;

    public (IReadOnlyList<MappingState> Page, string? Next) List(string? sourceArn, string? functionName, string? marker, int size)
    {
        var function = string.IsNullOrEmpty(functionName) ? null : functions.Get(functionName).Options.Name;
        var after = Guid.Empty;
        if (!string.IsNullOrEmpty(marker) && !Guid.TryParse(marker, out after))
            throw LambdaException.Invalid($"Marker is '{marker}'; it must be one that an earlier answer gave.");
        MappingState[] all;
        lock (_gate)
        {
            all = [.. _entries.Values
                .Where(e => (string.IsNullOrEmpty(sourceArn) || e.Mapping.EventSourceArn == sourceArn) && (function is null || e.Mapping.FunctionName == function))
                .Where(e => e.Mapping.Uuid.CompareTo(after) > 0)
                .Take(size + 1)
                .Select(e => e.State)];
        }

        return all.Length > size ? (all[..size], all[size - 1].Mapping.Uuid.ToString()) : (all, null);
    }

    /// <summary>Changes a mapping: the poller ends the invocation under way and goes on from the checkpoints with the new settings.</summary>
    public async Task<MappingState> UpdateAsync(string uuid, JsonElement body)
    {
        await _changing.WaitAsync();
        try
        {
            var entry = Find(uuid);
            var changed = MappingParameters.ReadUpdate(body, entry.Mapping, Function, options.Kafka is not null, time.GetUtcNow());
            CheckUnique(changed);
            store.Save(changed);
            if (entry.Poller is { } poller)
                await poller.StopAsync();
            var before = entry.Mapping;
            entry.Starting = before.Enabled ? "Updating" : "Enabling";
            (entry.Mapping, entry.Poller) = (changed, changed.Enabled ? StartPoller(changed) : null);
            return entry.State with { State = changed.Enabled ? entry.Starting : before.Enabled ? "Disabling" : "Updating" };
        }
        finally
        {
            _changing.Release();
        }
    }

    public async Task<MappingState> DeleteAsync(string uuid)
    {
        await _changing.WaitAsync();
        try
        {
            var entry = Find(uuid);
            lock (_gate)
                _entries.Remove(entry.Mapping.Uuid);
            if (entry.Poller is { } poller)
                await poller.StopAsync();
            store.Delete(entry.Mapping.Uuid);
            return entry.State with { State = "Deleting" };
        }
        finally
        {
            _changing.Release();
        }
    }

    public IReadOnlyList<ShardCheckpoint> Checkpoints(string uuid) => store.LoadCheckpoints(Find(uuid).Mapping.Uuid);

    public void Dispose() => _changing.Dispose();

    private Entry Find(string uuid)
    {
        lock (_gate)
        {
            return Guid.TryParse(uuid, out var id) && _entries.TryGetValue(id, out var entry)
                ? entry
                : throw LambdaException.NotFound("The resource you requested does not exist.");
        }
    }

    private (string Name, string Arn) Function(string nameOrArn)
    {
        var function = functions.Get(nameOrArn);
        return (function.Options.Name, function.Arn);
    }

    private void CheckUnique(EventSourceMapping mapping)
    {
        lock (_gate)
        {
            var other = _entries.Values.FirstOrDefault(e =>
                e.Mapping.Uuid != mapping.Uuid && e.Mapping.EventSourceArn == mapping.EventSourceArn && e.Mapping.FunctionName == mapping.FunctionName);
            if (other is not null)
            {
                throw new LambdaException(
                    "ResourceConflictException",
                    $"The event source arn (\" {mapping.EventSourceArn} \") and function (\" {mapping.FunctionName} \") provided mapping already exists. " +
                    $"Please update or delete the existing mapping with UUID {other.Mapping.Uuid}",
                    409);
            }
        }
    }

    private async Task CheckStreamAsync(string arn, CancellationToken cancellationToken)
    {
        try
        {
            await streams.DescribeStreamAsync(new DescribeStreamRequest { StreamArn = arn, Limit = 1 }, cancellationToken);
        }
        catch (ResourceNotFoundException)
        {
            throw LambdaException.Invalid($"Stream not found: {arn}");
        }
        catch (Exception error) when (error is AmazonServiceException or AmazonClientException or HttpRequestException)
        {
            throw new LambdaException("ServiceException", $"DynamoDB Streams does not answer: {error.Message}", 500);
        }
    }

    private MappingPoller StartPoller(EventSourceMapping mapping) => new(mapping, store, functions, destinations, streams, options, loggers.CreateLogger<MappingPoller>(), time);

    [LoggerMessage(Level = LogLevel.Information, Message = "Mapping {Uuid} of {StreamArn} to {Function} created")]
    private partial void MappingCreated(Guid uuid, string streamArn, string function);

    [LoggerMessage(Level = LogLevel.Information, Message = "Mapping {Uuid} of {StreamArn} to {Function} resumes at its checkpoints")]
    private partial void MappingRestored(Guid uuid, string streamArn, string function);
}
