using System.Security.Cryptography;
using System.Text;
using System.Threading.Channels;
using ChatPlatform.LocalAws.Firehose.Formats;
using ChatPlatform.LocalAws.Firehose.Processing;
using ChatPlatform.LocalAws.Glue;
using ChatPlatform.LocalAws.Protocol;
using ChatPlatform.LocalAws.S3.Objects;
using ChatPlatform.LocalAws.Storage;

namespace ChatPlatform.LocalAws.Firehose;

/// <summary>What became of one record: its id, or the error's type and text.</summary>
internal readonly record struct PutOutcome(string? RecordId, string? ErrorCode, string? ErrorMessage);

/// <summary>
/// One delivery stream: a durable buffer and the loop that turns it into objects. Thread-safe; <c>_gate</c> guards settings and segments.
/// Records lie in segments. The open one takes records until it has the buffer's size or its oldest record the buffer's age; then it is sealed and becomes one object.
/// A sealed segment is deleted once its object is in the store, so a crash repeats a delivery, under the same name, rather than losing one.
/// </summary>
internal sealed partial class DeliveryStream
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(30);
    private static readonly ObjectHeaders Headers = new(new Dictionary<string, string> { ["content-type"] = "application/octet-stream" }, new Dictionary<string, string>());

    private readonly Lock _gate = new();
    private readonly string? _folder;
    private readonly DeliveryContext _context;
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _stopping = new();
    private readonly Queue<RecordSegment> _sealed = new();
    private DeliveryStreamSettings _settings;
    private RecordSegment? _open;
    private long _sealedBytes;
    private long _nextSegment;
    private bool _deleted;
    private Task _loop = Task.CompletedTask;

    /// <param name="folder">The stream's own folder with the segments an earlier process left; null keeps everything in memory.</param>
    public DeliveryStream(DeliveryStreamSettings settings, string? folder, DeliveryContext context)
    {
        (_settings, _folder, _context) = (settings, folder, context);
        if (folder is not null)
            Recover(folder);
    }

    public DeliveryStreamSettings Settings
    {
        get
        {
            lock (_gate)
                return _settings;
        }
    }

    /// <summary>Begins to deliver.</summary>
    public void Start() => _loop = Task.Run(() => DeliverAsync(_stopping.Token));

    /// <summary>Ends delivery; what is buffered stays on disk for the next process.</summary>
    public async Task StopAsync()
    {
        await _stopping.CancelAsync();
        await _loop;
        lock (_gate)
        {
            _open?.Dispose();
            foreach (var segment in _sealed)
                segment.Dispose();
            _stopping.Dispose();
        }
    }

    /// <summary>Refuses records from now on; what is buffered goes with the folder.</summary>
    public void MarkDeleted()
    {
        lock (_gate)
            _deleted = true;
    }

    /// <summary>Changes the settings; the buffer obeys them at once.</summary>
    public DeliveryStreamSettings Change(Func<DeliveryStreamSettings, DeliveryStreamSettings> change, Action<DeliveryStreamSettings> save)
    {
        lock (_gate)
        {
            var changed = change(_settings);
            save(changed);
            _settings = changed;
        }

        _wake.Writer.TryWrite(true);
        return Settings;
    }

    /// <summary>Buffers records, in order; when it returns, those with an id survive the process. Once one fails the rest fail too, so that order holds.</summary>
    public PutOutcome[] Put(IReadOnlyList<ReadOnlyMemory<byte>> records)
    {
        var outcomes = new PutOutcome[records.Count];
        var (kept, error) = (0, (FirehoseException?)null);
        lock (_gate)
        {
            if (_deleted)
                throw FirehoseException.NotFound(_settings.Name);
            try
            {
                while (kept < records.Count)
                {
                    var fitting = Fitting(records, kept);
                    if (fitting == 0)
                    {
                        error = FirehoseException.Throttled();
                        break;
                    }

                    var group = records.Skip(kept).Take(fitting).ToArray();
                    (_open ??= NewSegment()).Append(group, _context.Time.GetUtcNow());
                    kept += fitting;
                    if (_open.Bytes >= _settings.Destination.SizeInBytes)
                        Seal();
                }
            }
            catch (Exception failure) when (DataFolder.IsRefusal(failure))
            {
                LogBufferFailed(_context.Log, _settings.Name, failure);
                error = new FirehoseException("ServiceUnavailableException", "The service is unavailable. Back off and retry the operation.", 503);
            }
        }

        _wake.Writer.TryWrite(true);
        for (var i = 0; i < outcomes.Length; i++)
            outcomes[i] = i < kept ? new(Convert.ToBase64String(Guid.NewGuid().ToByteArray()), null, null) : new(null, error!.Type, error.Message);
        _context.Metrics.Count(_settings.Name, kept, outcomes.Length - kept);
        return outcomes;
    }

    // How many of the records go into the open segment before it is full; 0 when the backlog has no room for the next one.
    private int Fitting(IReadOnlyList<ReadOnlyMemory<byte>> records, int from)
    {
        var (bytes, count) = (_open?.Bytes ?? 0L, 0);
        while (from + count < records.Count && (count == 0 || bytes < _settings.Destination.SizeInBytes))
        {
            bytes += records[from + count].Length;
            if (_sealedBytes + bytes > _context.Options.MaxBacklogBytes)
                break;
            count++;
        }

        return count;
    }

    private RecordSegment NewSegment() =>
        RecordSegment.Create(_folder is null ? null : Path.Combine(_folder, $"{_nextSegment++:D12}.records"), _context.Fsync);

    private void Seal()
    {
        _sealed.Enqueue(_open!);
        _sealedBytes += _open!.Bytes;
        _open = null;
    }

    private void Recover(string folder)
    {
        foreach (var path in Directory.GetFiles(folder, "*.records").Order(StringComparer.Ordinal))
        {
            _nextSegment = long.Parse(Path.GetFileNameWithoutExtension(path), System.Globalization.CultureInfo.InvariantCulture) + 1;
            if (!RecordSegment.TryRecover(path, _context.Fsync, out var segment))
                continue;
            if (segment.Count == 0)
            {
                segment.Delete();
                continue;
            }

            if (_open is not null)
                Seal();
            _open = segment;
        }

        if (_open?.Bytes >= _settings.Destination.SizeInBytes)
            Seal();
    }

    private async Task DeliverAsync(CancellationToken cancellationToken)
    {
        var failures = 0;
        try
        {
            while (true)
            {
                var (segment, wait) = NextDue();
                if (segment is null)
                {
                    await WaitAsync(wait, cancellationToken);
                    continue;
                }

                try
                {
                    await WriteObjectsAsync(segment, cancellationToken);
                    failures = 0;
                }
                catch (Exception error) when (error is AwsException or IOException or UnauthorizedAccessException)
                {
                    // AWS gives up after 24 hours; here nothing acknowledged is dropped while its stream is there.
                    failures++;
                    var pause = TimeSpan.FromTicks(Math.Min(LongestRetry.Ticks, FirstRetry.Ticks << Math.Min(failures - 1, 16)));
                    _context.Metrics.CountFailure(_settings.Name);
                    LogDeliveryFailed(_context.Log, _settings.Name, failures, pause, error);
                    await Task.Delay(pause, _context.Time, cancellationToken);
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            LogStopped(_context.Log, _settings.Name);
        }
    }

    // The oldest segment that is to become an object now, or how long until there is one.
    private (RecordSegment? Segment, TimeSpan Wait) NextDue()
    {
        lock (_gate)
        {
            if (_sealed.Count == 0 && _open is not null)
            {
                var wait = _open.OldestArrival.AddSeconds(_settings.Destination.IntervalInSeconds) - _context.Time.GetUtcNow();
                if (wait > TimeSpan.Zero)
                    return (null, wait);
                Seal();
            }

            return _sealed.TryPeek(out var first) ? (first, TimeSpan.Zero) : (null, Timeout.InfiniteTimeSpan);
        }
    }

    private async Task WaitAsync(TimeSpan wait, CancellationToken cancellationToken)
    {
        await using var timer = _context.Time.CreateTimer(_ => _wake.Writer.TryWrite(true), null, wait, Timeout.InfiniteTimeSpan);
        await _wake.Reader.ReadAsync(cancellationToken);
    }

    private async Task WriteObjectsAsync(RecordSegment segment, CancellationToken cancellationToken)
    {
        var settings = Settings;
        var bucket = _context.Store.GetBucket(settings.Destination.Bucket);
        foreach (var batch in await BatchesAsync(settings, segment, cancellationToken))
        {
            var key = settings.Destination.KeyOf(settings.Name, settings.Version, batch.Oldest, batch.Id, batch.ErrorOutputType, batch.PartitionKeys);
            await using var staged = _context.Store.Stage();
            staged.Track(ChecksumAlgorithms.Crc64Nvme);
            await batch.WriteAsync(Path.GetFileName(key), staged, cancellationToken);
            var checksum = new ObjectChecksum(ChecksumAlgorithms.Crc64Nvme, staged.ChecksumOf(ChecksumAlgorithms.Crc64Nvme), ObjectChecksum.FullObject);
            var metadata = bucket.Put(key, staged, Headers, checksum, WriteCondition.None);
            LogDelivered(_context.Log, settings.Name, batch.Count, metadata.Size, settings.Destination.Bucket, key);
        }

        lock (_gate)
        {
            _sealed.Dequeue();
            _sealedBytes -= segment.Bytes;
        }

        segment.Delete();
        _context.Metrics.CountDelivery(settings.Name, segment.Bytes, _context.Time.GetUtcNow() - segment.OldestArrival);
    }

    // A plain stream's records go from the buffer to the object without being held in memory; what is processed, partitioned or converted is.
    private async Task<IReadOnlyList<ObjectBatch>> BatchesAsync(DeliveryStreamSettings settings, RecordSegment segment, CancellationToken cancellationToken)
    {
        var destination = settings.Destination;
        var (chain, conversion) = (destination.Processors, destination.Conversion);
        if (chain.IsEmpty && conversion is null)
        {
            return [new ObjectBatch(
                segment.Id, segment.OldestArrival, segment.Count,
                (name, to, token) => ObjectCompression.WriteAsync(segment.Read().Select(r => r.Data), destination.CompressionFormat, name, to, token))];
        }

        var (records, failures) = await _context.Processing.RunAsync(chain, _context.ArnOf(settings.Name), segment.Read(), cancellationToken);
        var failed = failures.ToList();
        var batches = new List<ObjectBatch>();
        foreach (var partition in Partitions(destination, records, failed))
        {
            var id = IdOf(segment, string.Join('\n', partition.Keys.Values));
            var oldest = partition.Records.Min(r => r.Arrival);
            if (conversion is null)
            {
                batches.Add(new ObjectBatch(
                    id, oldest, partition.Records.Count,
                    (name, to, token) => ObjectCompression.WriteAsync(partition.Records.Select(r => r.Data), destination.CompressionFormat, name, to, token)) { PartitionKeys = partition.Keys });
                continue;
            }

            if (await ConvertAsync(conversion, partition.Records, failed, cancellationToken) is { Rows: > 0 } file)
                batches.Add(new ObjectBatch(id, oldest, file.Rows, (_, to, token) => to.WriteAsync(file.Bytes, token).AsTask()) { PartitionKeys = partition.Keys });
        }

        var now = _context.Time.GetUtcNow();
        foreach (var kind in failed.GroupBy(f => f.OutputType))
        {
            FailedRecord[] lines = [.. kind];
            _context.Metrics.CountFailedRecords(settings.Name, kind.Key, lines.Length);
            batches.Add(new ObjectBatch(
                IdOf(segment, kind.Key), lines.Min(f => f.Arrival), lines.Length,
                (name, to, token) => ObjectCompression.WriteAsync(lines.Select(f => (ReadOnlyMemory<byte>)f.ToLine(now)), ObjectCompression.None, name, to, token)) { ErrorOutputType = kind.Key });
        }

        return batches;
    }

    // Records by the values of the keys in the prefix, in the order of their first ones; what lacks a value or comes after the last partition that may be active has failed.
    private static List<(IReadOnlyDictionary<string, string> Keys, List<DeliveredRecord> Records)> Partitions(
        ExtendedS3Destination destination, IReadOnlyList<DeliveredRecord> records, List<FailedRecord> failed)
    {
        var names = DeliveryPrefix.Parse(destination.Prefix, destination.ErrorOutputPrefix).Data.PartitionKeys;
        var partitions = new Dictionary<string, (IReadOnlyDictionary<string, string> Keys, List<DeliveredRecord> Records)>(StringComparer.Ordinal);
        foreach (var record in records)
        {
            if (names.FirstOrDefault(name => record.PartitionKeys.GetValueOrDefault(name) is null or "") is { } missing)
            {
                failed.Add(new FailedRecord(FailedRecord.Processing, record.Arrival, record.Raw, "DynamicPartitioning.MissingPartitionKey", $"The record has no value for {missing}."));
                continue;
            }

            var key = string.Join('\n', names.Select(name => record.PartitionKeys[name]));
            if (!partitions.TryGetValue(key, out var partition))
            {
                if (partitions.Count == DestinationReader.MaxActivePartitions)
                {
                    failed.Add(new FailedRecord(
                        FailedRecord.Processing, record.Arrival, record.Raw, "DynamicPartitioning.ActivePartitionsLimitExceeded",
                        $"More than {DestinationReader.MaxActivePartitions} partitions are active."));
                    continue;
                }

                partitions[key] = partition = (names.ToDictionary(name => name, name => record.PartitionKeys[name]), []);
            }

            partition.Records.Add(record);
        }

        return [.. partitions.Values];
    }

    private async Task<(int Rows, ReadOnlyMemory<byte> Bytes)> ConvertAsync(
        FormatConversion conversion, IReadOnlyList<DeliveredRecord> records, List<FailedRecord> failed, CancellationToken cancellationToken)
    {
        IReadOnlyList<TableColumn> columns;
        try
        {
            columns = conversion.Columns ?? _context.Catalog.ColumnsOf(conversion.Table!.Database, conversion.Table.Table);
            FormatConversion.Check(columns);
        }
        catch (AwsException error)
        {
            failed.AddRange(records.Select(r => new FailedRecord(FailedRecord.Conversion, r.Arrival, r.Raw, "DataFormatConversion.InvalidSchema", error.Message, Table: conversion.Table)));
            return default;
        }

        using var file = new MemoryStream();
        var rows = await ParquetObject.WriteAsync(
            conversion, columns, records, file,
            (record, problem) => failed.Add(new FailedRecord(FailedRecord.Conversion, record.Arrival, record.Raw, "DataFormatConversion.MalformedData", problem, Table: conversion.Table)),
            cancellationToken);
        return (rows, file.ToArray());
    }

    // The same for the same records of the same segment, so that a delivery repeated after a crash overwrites its first copy.
    private static Guid IdOf(RecordSegment segment, string part) =>
        part.Length == 0 ? segment.Id : new Guid(SHA256.HashData([.. segment.Id.ToByteArray(), .. Encoding.UTF8.GetBytes(part)]).AsSpan(0, 16));

    /// <summary>The records of one object.</summary>
    private sealed record ObjectBatch(Guid Id, DateTimeOffset Oldest, int Count, Func<string, Stream, CancellationToken, Task> WriteAsync)
    {
        public string? ErrorOutputType { get; init; }

        public IReadOnlyDictionary<string, string>? PartitionKeys { get; init; }
    }

    [LoggerMessage(1, LogLevel.Information, "{Stream}: {Records} records became s3://{Bucket}/{Key} ({Size} bytes)")]
    private static partial void LogDelivered(ILogger logger, string stream, int records, long size, string bucket, string key);

    [LoggerMessage(2, LogLevel.Warning, "{Stream}: delivery failed {Failures} times in a row, next try in {Pause}; the records stay buffered")]
    private static partial void LogDeliveryFailed(ILogger logger, string stream, int failures, TimeSpan pause, Exception error);

    [LoggerMessage(3, LogLevel.Error, "{Stream}: the buffer cannot be written; the records were refused")]
    private static partial void LogBufferFailed(ILogger logger, string stream, Exception error);

    [LoggerMessage(4, LogLevel.Debug, "{Stream}: delivery stopped; what is buffered stays")]
    private static partial void LogStopped(ILogger logger, string stream);
}

/// <summary>What every delivery stream needs of the process.</summary>
internal sealed record DeliveryContext(
    ObjectStore Store, GlueCatalog Catalog, RecordProcessing Processing, string Region, TimeProvider Time, FirehoseMetrics Metrics, FirehoseOptions Options, bool Fsync, ILogger Log)
{
    public const string AccountId = "000000000000";

    public string ArnOf(string stream) => $"arn:aws:firehose:{Region}:{AccountId}:deliverystream/{stream}";
}
