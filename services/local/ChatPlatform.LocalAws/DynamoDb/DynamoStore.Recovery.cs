using System.Globalization;
using System.IO.Hashing;
using ChatPlatform.LocalAws.DynamoDb.Tables;
using ChatPlatform.LocalAws.DynamoDb.Values;
using ChatPlatform.LocalAws.Storage;
using ChatPlatform.LocalAws.Streams;

namespace ChatPlatform.LocalAws.DynamoDb;

/// <summary>
/// Start-up and snapshots. The folder holds at most one snapshot that counts, <c>snapshot-N.snap</c> (everything up to frame N), and the log segments
/// <c>log-M.wal</c> after it (M = their first frame). A snapshot is written beside the running store, flushed, renamed, and only then is what it replaces deleted.
/// </summary>
internal sealed partial class DynamoStore
{
    private const int SnapshotFrame = 256 * 1024;
    private const int FlushEvery = 8 * 1024 * 1024;
    private static readonly TimeSpan SnapshotPause = TimeSpan.FromMilliseconds(1);

    /// <summary>A log longer than this is replaced by a snapshot at start-up.</summary>
    private const long SnapshotAtStartBytes = 16 * 1024 * 1024;

    /// <summary>Reading more than this leaves enough garbage to be worth a collection.</summary>
    private const long CollectAfterBytes = 64 * 1024 * 1024;

    private static readonly byte[] SnapshotMark = "CPSN"u8.ToArray();

    /// <summary>For items that are being read at start-up.</summary>
    private readonly ValueWriter _scratch = new();

    private WriteAheadLog Recover(string folder, bool fsync)
    {
        foreach (var unfinished in Directory.GetFiles(folder, "*.tmp"))
            File.Delete(unfinished);
        var (last, loaded) = (0L, 0L);
        var snapshots = Numbered(folder, "snapshot-*.snap");
        if (snapshots.Count > 0)
        {
            last = snapshots[^1].Number;
            loaded = Load(snapshots[^1].Path);
        }

        var segments = Numbered(folder, "log-*.wal");
        var length = 0L;
        for (var i = 0; i < segments.Count; i++)
        {
            if (i + 1 < segments.Count && segments[i + 1].Number <= last + 1)
                continue;
            length += Replay(segments[i].Path, i == segments.Count - 1, ref last);
        }

        var wal = new WriteAheadLog(folder, last, fsync, _log);
        LogRecovered(_log, _tables.Count, last);
        // What reading left behind goes back to the system at once; a store that is then only read would keep it for long.
        if (length + loaded > CollectAfterBytes)
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        if (length > SnapshotAtStartBytes)
        {
            _wal = wal;
            BeginSnapshot();
        }

        return wal;
    }

    private static List<(long Number, string Path)> Numbered(string folder, string pattern) =>
        [.. Directory.GetFiles(folder, pattern)
            .Select(path => (long.Parse(Path.GetFileNameWithoutExtension(path).Split('-')[1], CultureInfo.InvariantCulture), path))
            .OrderBy(file => file.Item1)];

    /// <summary>Applies a segment's frames that come after <paramref name="last"/>. Gives the bytes they take.</summary>
    private long Replay(string path, bool isLast, ref long last)
    {
        var intact = new LogFile.StrongBox();
        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read, 1 << 20);
        foreach (var frame in LogFile.Read(file, WriteAheadLog.Mark, intact))
        {
            var number = new ChangeReader(frame.Span).Int64();
            if (number <= last)
                continue;
            if (number != last + 1)
                throw new DataFolderException($"{path} continues with frame {number} where {last + 1} is due: a segment is missing or damaged.");
            Replay(frame.Span);
            last = number;
        }

        if (intact.Offset == file.Length)
            return intact.Offset;

        // A crash in the middle of a write leaves an end that nobody was told about. Anywhere else it is damage, and cutting would lose what was acknowledged.
        if (!isLast)
            throw new DataFolderException($"{path} is damaged at byte {intact.Offset}, before later segments. Restore it from a copy, or delete the folder to start empty.");
        LogCut(_log, path, file.Length - intact.Offset, intact.Offset);
        file.SetLength(intact.Offset);
        file.Flush(flushToDisk: true);
        return intact.Offset;
    }

    private void Replay(ReadOnlySpan<byte> frame)
    {
        var reader = new ChangeReader(frame);
        reader.Int64();
        var time = reader.Int64();
        while (!reader.IsAtEnd)
        {
            var kind = reader.Kind();
            switch (kind)
            {
                case ChangeKind.DefineTable:
                    Apply(reader.Json<TableDefinition>());
                    break;
                case ChangeKind.DropTable:
                    Remove(reader.Length());
                    break;
                case ChangeKind.Put:
                    {
                        var table = _tablesByNumber[reader.Length()];
                        var item = PlainForm.Read(reader.Block(), _scratch);
                        var key = table.KeyOf(item);
                        Apply(new ItemChange(table, key, table.Find(key), item), time);
                        break;
                    }

                case ChangeKind.Delete or ChangeKind.Expire:
                    {
                        var table = _tablesByNumber[reader.Length()];
                        var key = reader.Block().ToArray();
                        Apply(new ItemChange(table, key, table.Find(key), null, kind == ChangeKind.Expire), time);
                        break;
                    }

                case ChangeKind.DefineStream:
                    Apply(reader.Json<StreamDefinition>());
                    break;
                case ChangeKind.Token:
                    _tokens.Remember(TransactionToken.Read(reader.Block(), reader.Block()), reader.Int64());
                    break;
                default:
                    throw new DataFolderException($"The log holds a change of kind {(byte)kind}, which this program does not know.");
            }
        }
    }

    /// <summary>Reads a snapshot, which must be whole: its log is gone. Gives its length in bytes.</summary>
    private long Load(string path)
    {
        var whole = false;
        var intact = new LogFile.StrongBox();
        var images = new SharedImages();
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20);
        foreach (var frame in LogFile.Read(file, SnapshotMark, intact))
        {
            var reader = new ChangeReader(frame.Span);
            reader.Int64();
            reader.Int64();
            while (!reader.IsAtEnd)
            {
                switch (reader.Kind())
                {
                    case ChangeKind.Counters:
                        _sequence = reader.Int64();
                        _lastTable = reader.Length();
                        _lastStream = reader.Length();
                        break;
                    case ChangeKind.DefineStream:
                        Apply(reader.Json<StreamDefinition>());
                        break;
                    case ChangeKind.DefineTable:
                        Apply(reader.Json<TableDefinition>());
                        break;
                    case ChangeKind.Put:
                        var table = _tablesByNumber[reader.Length()];
                        var item = images.Take(reader.Block());
                        table.Replace(table.KeyOf(item), null, item);
                        break;
                    case ChangeKind.Record:
                        var stream = _streams[reader.Length()];
                        var shard = reader.Text();
                        var (sequence, time, expired) = (reader.Int64(), reader.Int64(), reader.Byte() == 1);
                        stream.Add(shard, new StreamRecord(sequence, time, images.Add(reader.Block()), images.Add(reader.Block()), expired));
                        break;
                    case ChangeKind.Token:
                        _tokens.Remember(TransactionToken.Read(reader.Block(), reader.Block()), reader.Int64());
                        break;
                    case ChangeKind.End:
                        whole = true;
                        break;
                }
            }
        }

        if (!whole || intact.Offset != file.Length)
            throw new DataFolderException($"{path} is damaged at byte {intact.Offset}. Restore it from a copy, or delete the folder to start empty.");
        return file.Length;
    }

    /// <summary>Under <see cref="Gate"/> (or before anybody else is there). Notes what there is, which is quick, and writes it beside the running store.</summary>
    private void BeginSnapshot()
    {
        var wal = _wal!;
        var last = wal.Rotate();
        var counters = (_sequence, _lastTable, _lastStream);
        var streams = _streams.Values.Select(s => (s.Definition, Records: s.Freeze())).ToList();
        var tables = _tables.Values.Select(t => (t.Definition, Items: t.Items.Freeze())).ToList();
        var tokens = _tokens.Freeze();
        var folder = _folder!;
        _snapshot = Task.Run(async () =>
        {
            try
            {
                // The frames that the snapshot replaces must be in the log until it is whole.
                var path = Path.Combine(folder, $"snapshot-{last:D20}.snap");
                using (var file = new FileStream(path + ".tmp", FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20))
                {
                    file.Write(LogFile.Header(SnapshotMark, last));
                    var frame = new ChangeWriter();
                    frame.Begin(last, 0);
                    frame.Counters(counters._sequence, counters._lastTable, counters._lastStream);
                    foreach (var (definition, records) in streams)
                    {
                        frame.DefineStream(definition);
                        foreach (var (shard, shardRecords) in records)
                        {
                            foreach (var record in shardRecords)
                            {
                                frame.Record(definition.Number, shard, record);
                                await FlushFrameAsync(file, frame, last, SnapshotFrame);
                            }
                        }
                    }

                    foreach (var (definition, items) in tables)
                    {
                        frame.DefineTable(definition);
                        foreach (var item in items)
                        {
                            frame.Put(definition.Number, item);
                            await FlushFrameAsync(file, frame, last, SnapshotFrame);
                        }
                    }

                    foreach (var (token, time) in tokens)
                    {
                        frame.Token(token, time);
                        await FlushFrameAsync(file, frame, last, SnapshotFrame);
                    }

                    frame.End();
                    await FlushFrameAsync(file, frame, last, 0);
                    file.Flush(flushToDisk: true);
                }

                File.Move(path + ".tmp", path, overwrite: true);
                foreach (var (number, old) in Numbered(folder, "snapshot-*.snap"))
                {
                    if (number < last)
                        File.Delete(old);
                }

                foreach (var (number, old) in Numbered(folder, "log-*.wal"))
                {
                    if (number <= last)
                        File.Delete(old);
                }
            }
            catch (Exception error) when (DataFolder.IsRefusal(error))
            {
                // The log is still whole; the next threshold tries again.
                LogNoSnapshot(_log, folder, error);
            }
        });
    }

    /// <summary>
    /// Writes a frame that is long enough, and then lets others have the processor and the disk: a snapshot has time, the writers that go on beside it have not. What was
    /// written goes to the disk in pieces, so that no writer waits behind all of it.
    /// </summary>
    private async ValueTask FlushFrameAsync(FileStream file, ChangeWriter frame, long number, int threshold)
    {
        if (frame.Length < threshold)
            return;
        var before = file.Position / FlushEvery;
        Write(file, frame, number);
        if (file.Position / FlushEvery != before)
            file.Flush(flushToDisk: true);
        if (!_stopping)
            await Task.Delay(SnapshotPause);
    }

    private static void Write(FileStream file, ChangeWriter frame, long number)
    {
        Span<byte> prefix = stackalloc byte[LogFile.FrameOverhead];
        LogFile.WritePrefix(prefix, frame.Written);
        file.Write(prefix);
        file.Write(frame.Written);
        frame.Begin(number, 0);
    }

    /// <summary>
    /// Images of a snapshot's stream records, which are each other's and the tables' items: in the process that wrote it they were the same arrays, and so they are again.
    /// Streams come before tables in a snapshot, so that nothing is remembered for tables without a stream.
    /// </summary>
    private sealed class SharedImages
    {
        private readonly ValueWriter _scratch = new();
        private readonly Dictionary<ulong, byte[]> _byHash = [];

        /// <summary>The image of a record; null for an empty one.</summary>
        public byte[]? Add(ReadOnlySpan<byte> plain) => plain.IsEmpty ? null : Shared(plain, remember: true);

        /// <summary>The item of a table.</summary>
        public byte[] Take(ReadOnlySpan<byte> plain) => _byHash.Count == 0 ? PlainForm.Read(plain, _scratch) : Shared(plain, remember: false);

        private byte[] Shared(ReadOnlySpan<byte> plain, bool remember)
        {
            var hash = XxHash3.HashToUInt64(plain);
            var image = PlainForm.Read(plain, _scratch);
            if (_byHash.TryGetValue(hash, out var known) && known.AsSpan().SequenceEqual(image))
                return known;
            if (remember)
                _byHash[hash] = image;
            return image;
        }
    }

    [LoggerMessage(20, LogLevel.Information, "{Tables} tables are there, up to frame {Frame}")]
    private static partial void LogRecovered(ILogger logger, int tables, long frame);

    [LoggerMessage(21, LogLevel.Warning, "{Path} ended in {Bytes} bytes of an unfinished write at {Offset}; they were never acknowledged and are cut")]
    private static partial void LogCut(ILogger logger, string path, long bytes, long offset);

    [LoggerMessage(22, LogLevel.Error, "No snapshot could be written in {Folder}; the log keeps growing")]
    private static partial void LogNoSnapshot(ILogger logger, string folder, Exception error);
}
