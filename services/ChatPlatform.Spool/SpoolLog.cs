using System.Buffers;
using System.Globalization;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace ChatPlatform.Spool;

/// <summary>
/// A durable first-in-first-out log of byte frames in a folder of its own: appended through one writer that commits whatever is waiting in one write, read by named cursors that keep
/// their own place on disk, deleted segment by segment when every cursor has passed. Positions are byte offsets since the log began and never decrease. Thread-safe.
/// </summary>
/// <remarks>After a crash a torn last frame is cut: it was never acknowledged to anyone, because an append returns only after the write.</remarks>
public sealed partial class SpoolLog : IAsyncDisposable
{
    private const int MaxCommitBytes = 1024 * 1024;
    private readonly Lock _gate = new();
    private readonly SpoolOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly FileStream _folderLock;
    private readonly List<SpoolSegment> _segments = [];
    private readonly List<SpoolCursor> _cursors = [];
    private readonly Channel<Append> _queue = Channel.CreateBounded<Append>(new BoundedChannelOptions(4096) { SingleReader = true });
    private readonly ArrayBufferWriter<byte> _commit = new(64 * 1024);
    private readonly Task _writer;
    private TaskCompletionSource _appended = NewSignal();
    private TaskCompletionSource _freed = NewSignal();
    private long _end;
    private long _reserved;
    private long _lastPassed;

    private SpoolLog(string folder, FileStream folderLock, SpoolOptions options, TimeProvider time, ILogger logger)
    {
        Folder = folder;
        _folderLock = folderLock;
        _options = options;
        _time = time;
        _logger = logger;
        Recover();
        _writer = Task.Run(WriteLoopAsync);
    }

    public string Folder { get; }

    public SpoolOptions Options => _options;

    /// <summary>The position after the last committed frame.</summary>
    public long End
    {
        get
        {
            lock (_gate)
                return _end;
        }
    }

    /// <summary>Bytes that some cursor has not passed yet.</summary>
    public long PendingBytes
    {
        get
        {
            lock (_gate)
                return _end - LowestPosition();
        }
    }

    /// <summary>Bytes in segment files, delivered ones that wait for their segment's end included.</summary>
    public long DiskBytes
    {
        get
        {
            lock (_gate)
                return _segments.Sum(s => s.Length);
        }
    }

    internal TimeProvider Time => _time;

    /// <summary>Opens the log in <paramref name="folder"/>, creating it, and continues where an earlier process stopped.</summary>
    /// <exception cref="IOException">Another process has the folder open, or it cannot be read or written.</exception>
    public static SpoolLog Open(string folder, SpoolOptions options, TimeProvider time, ILogger logger)
    {
        Directory.CreateDirectory(folder);
        // The kernel drops this lock with the process, however it ends.
        var folderLock = new FileStream(Path.Combine(folder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        try
        {
            return new SpoolLog(folder, folderLock, options, time, logger);
        }
        catch
        {
            folderLock.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Opens the first of the folders <c>root/0</c>, <c>root/1</c>, … (at most <paramref name="most"/>) that no other process has open, so that replicas share a root without sharing a
    /// log and a restarted process adopts what a dead one left.
    /// </summary>
    /// <exception cref="IOException">Every one of them is taken, or the root cannot be written.</exception>
    public static SpoolLog OpenFirstFree(string root, SpoolOptions options, TimeProvider time, ILogger logger, int most = 64)
    {
        IOException? last = null;
        for (var n = 0; n < most; n++)
        {
            try
            {
                return Open(Path.Combine(root, n.ToString(CultureInfo.InvariantCulture)), options, time, logger);
            }
            catch (IOException taken) when (taken is not (DirectoryNotFoundException or PathTooLongException))
            {
                last = taken;
            }
        }

        throw new IOException($"All of the spool folders {root}/0 to {root}/{most - 1} are in use or unreadable: {last?.Message}", last);
    }

    /// <summary>The reader called <paramref name="name"/> (letters, digits, '-', '_', '.'), at the place where it stopped last, or at the oldest frame when it is new.</summary>
    /// <remarks>Every cursor holds back the deletion of what it has not passed; open them all before the first append.</remarks>
    public SpoolCursor OpenCursor(string name)
    {
        if (name.Length == 0 || name.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.')))
            throw new ArgumentException($"'{name}' cannot name a cursor.", nameof(name));
        lock (_gate)
        {
            var cursor = SpoolCursor.Open(this, Path.Combine(Folder, name + ".cursor"), _segments[0].Start, _end);
            _cursors.Add(cursor);
            _lastPassed = LowestPosition();
            _reserved = _end - _lastPassed;
            return cursor;
        }
    }

    /// <summary>Appends one frame and returns when it is in the file (see <see cref="SpoolOptions.FlushToDisk"/>). Frames of one caller that awaits each are in that order.</summary>
    /// <param name="body">Must stay unchanged until the task ends.</param>
    /// <param name="cancellationToken">Ends the wait for room; once the frame is queued it is written whatever happens.</param>
    /// <exception cref="SpoolFullException">Full, and the policy is <see cref="WhenSpoolIsFull.Reject"/>.</exception>
    /// <exception cref="SpoolWriteException">The disk refused.</exception>
    /// <exception cref="ObjectDisposedException">The log is closing.</exception>
    public async ValueTask AppendAsync(ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
    {
        if (body.Length > SpoolFrame.MaxBodyBytes)
            throw new ArgumentException($"A frame has {body.Length} bytes; at most {SpoolFrame.MaxBodyBytes} fit.", nameof(body));
        await ReserveAsync(SpoolFrame.HeaderBytes + body.Length, cancellationToken);
        var append = new Append(body);
        try
        {
            await _queue.Writer.WriteAsync(append, cancellationToken);
        }
        catch (Exception error) when (error is OperationCanceledException or ChannelClosedException)
        {
            Release(SpoolFrame.HeaderBytes + body.Length);
            if (error is ChannelClosedException)
                throw new ObjectDisposedException(nameof(SpoolLog));
            throw;
        }

        await append.Done.Task;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_queue.Writer.TryComplete())
            return;
        await _writer;
        foreach (var cursor in _cursors)
            cursor.Close();
        foreach (var segment in _segments)
            segment.Dispose();
        await _folderLock.DisposeAsync();
    }

    /// <summary>Ends when there is a frame at or after <paramref name="position"/>.</summary>
    internal async ValueTask WaitForFrameAsync(long position, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task signal;
            lock (_gate)
            {
                if (_end > position)
                    return;
                signal = _appended.Task;
            }

            await signal.WaitAsync(cancellationToken);
        }
    }

    /// <summary>The segment that holds <paramref name="position"/>, or the first one after it when that was cut, with the readable length; null at the end of the log.</summary>
    internal (SpoolSegment Segment, long Offset, long Readable)? Locate(long position)
    {
        lock (_gate)
        {
            foreach (var segment in _segments)
            {
                if (segment.End > position)
                    return (segment, Math.Max(0, position - segment.Start), segment.Length);
            }

            return null;
        }
    }

    /// <inheritdoc cref="SpoolSegment.SkipDamaged"/>
    internal long SkipDamaged(SpoolSegment segment, long offset, long readable)
    {
        var next = segment.SkipDamaged(offset, readable);
        LogSkipped(_logger, next - offset, segment.Path, offset);
        return next;
    }

    internal void CursorMoved(SpoolCursor cursor, long position)
    {
        lock (_gate)
        {
            cursor.Position = position;
            var passed = LowestPosition();
            _reserved = Math.Max(0, _reserved - (passed - _lastPassed));
            _lastPassed = passed;
            while (_segments.Count > 1 && _segments[0].End <= passed)
            {
                _segments[0].Delete();
                _segments.RemoveAt(0);
            }

            Signal(ref _freed);
        }
    }

    /// <summary>The lowest position of all cursors. Called under the lock.</summary>
    private long LowestPosition() => _cursors.Count == 0 ? _segments[0].Start : _cursors.Min(c => c.Position);

    private async ValueTask ReserveAsync(int bytes, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task signal;
            lock (_gate)
            {
                if (_reserved == 0 || _reserved + bytes <= _options.LimitBytes)
                {
                    _reserved += bytes;
                    return;
                }

                if (_options.WhenFull == WhenSpoolIsFull.Reject)
                    throw new SpoolFullException(_reserved, _options.LimitBytes);
                signal = _freed.Task;
            }

            await signal.WaitAsync(cancellationToken);
        }
    }

    private void Release(int bytes)
    {
        lock (_gate)
        {
            _reserved = Math.Max(0, _reserved - bytes);
            Signal(ref _freed);
        }
    }

    private void Recover()
    {
        var found = Directory.EnumerateFiles(Folder, "*" + SpoolSegment.Extension)
            .Select(path => (Path: path, Named: long.TryParse(Path.GetFileNameWithoutExtension(path), NumberStyles.None, CultureInfo.InvariantCulture, out var start), Start: start))
            .Where(file => file.Named)
            .OrderBy(file => file.Start);
        foreach (var file in found)
        {
            var (segment, cut) = SpoolSegment.Recover(file.Path, file.Start);
            if (cut > 0)
                LogCut(_logger, cut, file.Path, segment.Length);
            _segments.Add(segment);
        }

        if (_segments.Count == 0)
            _segments.Add(SpoolSegment.Create(Folder, 0));
        _end = _segments[^1].End;
        _lastPassed = _segments[0].Start;
        _reserved = _end - _lastPassed;
        if (_reserved > 0)
            LogContinued(_logger, _reserved, Folder);
    }

    private async Task WriteLoopAsync()
    {
        var batch = new List<Append>();
        while (await _queue.Reader.WaitToReadAsync())
        {
            batch.Clear();
            _commit.ResetWrittenCount();
            var now = _time.GetUtcNow().ToUnixTimeMilliseconds();
            while (_commit.WrittenCount < MaxCommitBytes && _queue.Reader.TryRead(out var append))
            {
                var size = SpoolFrame.HeaderBytes + append.Body.Length;
                SpoolFrame.Write(_commit.GetSpan(size), now, append.Body.Span);
                _commit.Advance(size);
                batch.Add(append);
            }

            Commit(batch);
        }
    }

    private void Commit(List<Append> batch)
    {
        try
        {
            var active = _segments[^1];
            if (active.Length >= _options.SegmentBytes)
            {
                var next = SpoolSegment.Create(Folder, active.End);
                lock (_gate)
                    _segments.Add(next);
                active = next;
            }

            try
            {
                RandomAccess.Write(active.Handle, _commit.WrittenSpan, active.Length);
                if (_options.FlushToDisk)
                    RandomAccess.FlushToDisk(active.Handle);
            }
            catch (IOException)
            {
                // What a full disk took of the write is no frame of anyone's.
                RandomAccess.SetLength(active.Handle, active.Length);
                throw;
            }

            lock (_gate)
            {
                active.Length += _commit.WrittenCount;
                _end = active.End;
                Signal(ref _appended);
            }

            foreach (var append in batch)
                append.Done.SetResult();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            LogWriteFailed(_logger, error, Folder);
            Release(_commit.WrittenCount);
            foreach (var append in batch)
                append.Done.SetException(new SpoolWriteException(Folder, error as IOException ?? new IOException(error.Message, error)));
        }
    }

    /// <summary>Wakes everyone who waits on <paramref name="signal"/>. Called under the lock.</summary>
    private static void Signal(ref TaskCompletionSource signal)
    {
        var woken = signal;
        signal = NewSignal();
        woken.SetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed class Append(ReadOnlyMemory<byte> body)
    {
        public ReadOnlyMemory<byte> Body { get; } = body;

        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Cut {Bytes} bytes that are no intact frame from {Path} at {Offset}")]
    private static partial void LogCut(ILogger logger, long bytes, string path, long offset);

    [LoggerMessage(Level = LogLevel.Error, Message = "Passed over {Bytes} damaged bytes of {Path} at {Offset}; they are kept in a .cut file beside it")]
    private static partial void LogSkipped(ILogger logger, long bytes, string path, long offset);

    [LoggerMessage(Level = LogLevel.Information, Message = "Continuing with at most {Bytes} undelivered bytes in {Folder}")]
    private static partial void LogContinued(ILogger logger, long bytes, string folder);

    [LoggerMessage(Level = LogLevel.Error, Message = "The spool in {Folder} could not be written")]
    private static partial void LogWriteFailed(ILogger logger, Exception error, string folder);
}
