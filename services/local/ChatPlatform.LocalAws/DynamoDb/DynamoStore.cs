using ChatPlatform.LocalAws.DynamoDb.Tables;
using ChatPlatform.LocalAws.DynamoDb.Values;
using ChatPlatform.LocalAws.Protocol;
using ChatPlatform.LocalAws.Storage;
using ChatPlatform.LocalAws.Streams;
using Microsoft.Extensions.Options;

namespace ChatPlatform.LocalAws.DynamoDb;

/// <summary>One change that a commit makes; <see cref="Item"/> null removes.</summary>
internal readonly record struct ItemChange(Table Table, byte[] Key, byte[]? Old, byte[]? Item, bool Expired = false);

/// <summary>
/// All tables and streams of the process. One lock guards everything that changes; it is held for the change itself only, never while JSON is read or written,
/// because items are immutable bytes that may be read after it is given back. A commit over several tables is one step under the lock and one frame in the log.
/// </summary>
internal sealed partial class DynamoStore : IAsyncDisposable
{
    private readonly DynamoDbOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<DynamoStore> _log;
    private readonly string? _folder;
    private readonly ChangeWriter _frame = new();

    // Guarded by Gate.
    private readonly Dictionary<string, Table> _tables = new(StringComparer.Ordinal);
    private readonly Dictionary<int, Table> _tablesByNumber = [];
    private readonly Dictionary<int, ChangeStream> _streams = [];
    private readonly TransactionTokens _tokens = new();
    private readonly Queue<(long Frame, Table Table, byte[] Key)> _unwritten = new();
    private WriteAheadLog? _wal;
    private long _sequence;
    private int _lastTable;
    private int _lastStream;
    private Task _snapshot = Task.CompletedTask;

    /// <summary>A snapshot that is being written makes no more pauses.</summary>
    private volatile bool _stopping;

    /// <summary>Written under Gate, read by anybody.</summary>
    private long _lastDefinition;

    /// <summary>Reads what the data folder holds.</summary>
    /// <exception cref="DataFolderException">The folder holds something damaged or of a newer format.</exception>
    public DynamoStore(DataFolder folder, IOptions<DynamoDbOptions> options, TimeProvider time, Meters meters, ILogger<DynamoStore> log)
    {
        (_options, _time, _log) = (options.Value, time, log);
        _folder = folder.Subfolder("dynamodb");
        if (_folder is not null)
        {
            _wal = Recover(_folder, folder.Fsync);
            lock (Gate)
                RenewShards();
        }

        CreateGauges(meters.Meter);
    }

    /// <summary>Guards tables and streams. Nothing slow may happen while it is held.</summary>
    public Lock Gate { get; } = new();

    public string Region => _options.Region;

    public DateTimeOffset Now => _time.GetUtcNow();

    /// <summary>Under <see cref="Gate"/>.</summary>
    public IEnumerable<Table> Tables => _tables.Values;

    /// <summary>Under <see cref="Gate"/>.</summary>
    public IEnumerable<ChangeStream> Streams => _streams.Values;

    public string TableArn(string table) => $"arn:aws:dynamodb:{Region}:000000000000:table/{table}";

    public string StreamArn(StreamDefinition stream) => $"{TableArn(stream.TableName)}/stream/{stream.Label}";

    /// <summary>Under <see cref="Gate"/>.</summary>
    public Table? Find(string name) => _tables.GetValueOrDefault(name);

    /// <summary>Under <see cref="Gate"/>. For operations on items.</summary>
    /// <exception cref="AwsException">ResourceNotFoundException.</exception>
    public Table Require(string name) => Find(name) ?? throw DynamoDbErrors.ResourceNotFound();

    /// <summary>
    /// Under <see cref="Gate"/>. The latest frame that the log does not have yet and that changed an item of a table whose key is, or with <paramref name="prefix"/> begins with,
    /// a key; 0 when there is none. An answer that tells of such items waits for it (<see cref="WhenDurableAsync"/>): what a read saw must not be gone after a crash.
    /// </summary>
    public long Unwritten(Table table, ReadOnlySpan<byte> key, bool prefix = false)
    {
        ForgetWritten();
        var latest = 0L;
        // As many as requests in flight have changed, and none most of the time.
        foreach (var change in _unwritten)
        {
            if (change.Table == table && (prefix ? change.Key.AsSpan().StartsWith(key) : change.Key.AsSpan().SequenceEqual(key)))
                latest = change.Frame;
        }

        return latest;
    }

    /// <summary>The latest frame that made, changed or dropped a table; every answer tells of tables. 0 when none did.</summary>
    public long LastDefinition => Interlocked.Read(ref _lastDefinition);

    /// <summary>Completes when a frame is as safe as promised; without a number when all are that were appended until now. An answer waits for what it tells of.</summary>
    /// <exception cref="AwsException">InternalServerError: the disk does not take writes; the change may or may not be there later.</exception>
    public async ValueTask WhenDurableAsync(long frame = long.MaxValue)
    {
        if (_wal is null)
            return;
        try
        {
            await _wal.WaitAsync(Math.Min(frame, _wal.Appended));
        }
        catch (IOException error)
        {
            throw DynamoDbErrors.InternalError(error.Message);
        }
    }

    /// <summary>Under <see cref="Gate"/>. Makes changes, all at once; those that change nothing leave no trace, as in DynamoDB.</summary>
    /// <exception cref="AwsException">InternalServerError: the disk does not take writes; nothing was changed.</exception>
    public void Commit(ReadOnlySpan<ItemChange> changes, TransactionToken? token = null)
    {
        var time = Begin();
        foreach (var change in changes)
        {
            if (change.Item is null)
            {
                if (change.Old is null)
                    continue;
                _frame.Delete(change.Table.Definition.Number, change.Key, change.Expired);
            }
            else
            {
                if (change.Old is not null && new Item(change.Old).ValueEquals(new Item(change.Item)))
                    continue;
                _frame.Put(change.Table.Definition.Number, change.Item);
            }

            Apply(change, time);
            if (_wal is not null)
                _unwritten.Enqueue((_wal.Appended + 1, change.Table, change.Key));
        }

        if (token is { } known)
        {
            _frame.Token(known, time);
            _tokens.Remember(known, time);
        }

        End();
    }

    /// <summary>Under <see cref="Gate"/>. Makes a new table, or changes a known one (same number), together with its stream when one is given.</summary>
    public void Define(TableDefinition table, params ReadOnlySpan<StreamDefinition> streams)
    {
        Begin();
        foreach (var stream in streams)
        {
            _frame.DefineStream(stream);
            Apply(stream);
        }

        _frame.DefineTable(table);
        Apply(table);
        EndDefinition();
    }

    /// <summary>Under <see cref="Gate"/>. Its stream is closed and stays readable.</summary>
    public void Drop(Table table)
    {
        Begin();
        if (table.Stream is { } stream)
        {
            var closed = Closed(stream.Definition);
            _frame.DefineStream(closed);
            Apply(closed);
        }

        _frame.DropTable(table.Definition.Number);
        Remove(table.Definition.Number);
        EndDefinition();
    }

    public int NextTableNumber() => ++_lastTable;

    /// <summary>The sequence of the latest record of any stream. Under <see cref="Gate"/>.</summary>
    public long LastSequence => _sequence;

    /// <summary>Under <see cref="Gate"/>. The request that was committed with a token in the last ten minutes (<see cref="TransactionToken.Request"/>).</summary>
    public UInt128? FindToken(TransactionToken token) => _tokens.Find(token.Id, Now);

    /// <summary>Deletes expired items, forgets old stream records and tokens. Gives the number of items deleted.</summary>
    public int Sweep()
    {
        const int batch = 500;
        var deleted = 0;
        while (true)
        {
            lock (Gate)
            {
                var changes = new List<ItemChange>();
                foreach (var table in _tables.Values)
                    changes.AddRange(table.Expired(Now, batch - changes.Count).Select(key => new ItemChange(table, key, table.Find(key), null, Expired: true)));
                if (changes.Count > 0)
                    Commit([.. changes]);
                deleted += changes.Count;
                if (changes.Count == batch)
                    continue;

                RenewShards();
                _tokens.Forget(Now);
                // Nobody waits for these frames.
                _wal?.Start();
                return deleted;
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        _stopping = true;
        await _snapshot;
        if (_wal is not null)
            await _wal.DisposeAsync();
    }

    private long Begin()
    {
        try
        {
            _wal?.ThrowIfFailing();
        }
        catch (IOException error)
        {
            throw DynamoDbErrors.InternalError(error.Message);
        }

        ForgetWritten();
        var time = Now.ToUnixTimeMilliseconds();
        _frame.Begin((_wal?.Appended ?? 0) + 1, time);
        return time;
    }

    private void End()
    {
        if (_wal is null || _frame.IsEmpty)
            return;
        _wal.Append(_frame.Written);
        if (_wal.SegmentLength > _options.SnapshotAfterBytes && _snapshot.IsCompleted)
            BeginSnapshot();
    }

    private void EndDefinition()
    {
        End();
        Interlocked.Exchange(ref _lastDefinition, _wal?.Appended ?? 0);
    }

    private void ForgetWritten()
    {
        if (_unwritten.Count == 0)
            return;
        var written = _wal!.Written;
        while (_unwritten.TryPeek(out var change) && change.Frame <= written)
            _unwritten.Dequeue();
    }

    private void Apply(in ItemChange change, long time)
    {
        change.Table.Replace(change.Key, change.Old, change.Item);
        change.Table.Stream?.Add(change.Key, new StreamRecord(++_sequence, time, change.Old, change.Item, change.Expired));
    }

    private void Apply(StreamDefinition definition)
    {
        _lastStream = Math.Max(_lastStream, definition.Number);
        // A renewal uses up the number that the closed shards end with.
        foreach (var shard in definition.Shards)
            _sequence = Math.Max(_sequence, shard.StartSequence - 1);
        if (_streams.TryGetValue(definition.Number, out var stream))
            stream.Redefine(definition);
        else
            _streams.Add(definition.Number, new ChangeStream(definition));
    }

    private void Apply(TableDefinition definition)
    {
        _lastTable = Math.Max(_lastTable, definition.Number);
        var stream = definition.StreamNumber is { } number ? _streams[number] : null;
        if (_tablesByNumber.TryGetValue(definition.Number, out var table))
        {
            table.Redefine(definition, stream);
            return;
        }

        table = new Table(definition, stream);
        _tables.Add(definition.Name, table);
        _tablesByNumber.Add(definition.Number, table);
    }

    private void Remove(int number)
    {
        if (_tablesByNumber.Remove(number, out var table))
            _tables.Remove(table.Definition.Name);
    }
}
