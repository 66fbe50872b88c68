using Microsoft.Win32.SafeHandles;

namespace ChatPlatform.LocalAws.Storage;

/// <summary>
/// The write-ahead log with group commit: writers append frames to a buffer; the first one that waits while nobody writes writes itself, so that a lone writer meets no
/// other thread; what gathers in the meantime one loop writes with a single call (and flushes it to the disk when asked to), then everybody in that batch is told.
/// <see cref="Append"/> and <see cref="Rotate"/> are called under the owner's lock, which gives frames their order; <see cref="WaitAsync"/> and <see cref="Start"/> are
/// thread-safe. What waits is bounded by the number of requests in flight, because each of them waits for its own frame.
/// </summary>
/// <remarks>
/// When the disk refuses a write (full, gone), those who wait get the error, new appends are refused, and the loop tries the same bytes at the same place again
/// until the disk takes them: nothing that was appended is dropped, nothing is written twice.
/// </remarks>
internal sealed partial class WriteAheadLog : IAsyncDisposable
{
    public static readonly byte[] Mark = "CPWL"u8.ToArray();
    private const int FirstBuffer = 16 * 1024;
    private const int LargestSpare = 1024 * 1024;
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(500);

    private readonly string _folder;
    private readonly bool _fsync;
    private readonly ILogger _log;
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _work = new(0, 1);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;

    // Guarded by _gate.
    private Batch _gathering = new(new byte[FirstBuffer]);
    private Batch? _writing;
    private byte[]? _spare;
    private long _appended;
    private long _written;
    private Exception? _failure;

    /// <summary>A batch that is <see cref="_writing"/> and that the disk refused to one who waited.</summary>
    private Batch? _refused;

    // Owned by whoever has made a batch _writing.
    private SafeFileHandle _file;
    private long _offset;
    private long _flushes;
    private Task _retired = Task.CompletedTask;

    /// <param name="folder">Where segments lie.</param>
    /// <param name="last">The number of the last frame that exists; the next one continues.</param>
    /// <param name="fsync">Whether a frame counts as written only when the disk has it.</param>
    /// <param name="log">For failures of the disk.</param>
    public WriteAheadLog(string folder, long last, bool fsync, ILogger log)
    {
        (_folder, _fsync, _log) = (folder, fsync, log);
        (_appended, _written) = (last, last);
        (_file, _offset) = Open(last + 1);
        _loop = Task.Run(WriteAsync);
    }

    /// <summary>The number of the latest frame, written or not.</summary>
    public long Appended
    {
        get
        {
            lock (_gate)
                return _appended;
        }
    }

    /// <summary>The number of the latest frame that is as safe as promised.</summary>
    public long Written
    {
        get
        {
            lock (_gate)
                return _written;
        }
    }

    /// <summary>Bytes of frames appended since the last <see cref="Rotate"/>.</summary>
    public long SegmentLength { get; private set; }

    /// <summary>How often frames were flushed to the disk; 0 without fsync.</summary>
    public long Flushes => Interlocked.Read(ref _flushes);

    public static string SegmentPath(string folder, long first) => Path.Combine(folder, $"log-{first:D20}.wal");

    /// <summary>Refuses to go on while the disk does not take writes.</summary>
    /// <exception cref="IOException">The disk's own error.</exception>
    public void ThrowIfFailing()
    {
        lock (_gate)
        {
            if (_failure is not null)
                throw new IOException($"The data folder does not take writes: {_failure.Message}", _failure);
        }
    }

    /// <summary>Queues one frame and gives its number. It is written when somebody waits, or after <see cref="Start"/>.</summary>
    public long Append(ReadOnlySpan<byte> payload)
    {
        lock (_gate)
        {
            _gathering.Add(payload);
            SegmentLength += payload.Length + LogFile.FrameOverhead;
            _gathering.Last = ++_appended;
            return _appended;
        }
    }

    /// <summary>Has the loop write what has gathered.</summary>
    public void Start()
    {
        lock (_gate)
            WakeLoop();
    }

    /// <summary>Later frames go to a new segment. Gives the number of the last frame in the old one.</summary>
    public long Rotate()
    {
        lock (_gate)
        {
            // Frames of one batch go to one file: the batch that is gathering begins the new segment only when it is empty, else it is closed first.
            _gathering.RotateAt = _gathering.Length;
            _gathering.NewSegment = _appended + 1;
            SegmentLength = 0;
            WakeLoop();
            return _appended;
        }
    }

    /// <summary>Completes when a frame is as safe as promised.</summary>
    /// <exception cref="IOException">The disk refused it; it may still be written later.</exception>
    public Task WaitAsync(long number)
    {
        Batch mine;
        lock (_gate)
        {
            if (number <= _written)
                return Task.CompletedTask;
            if (_failure is not null)
                return Task.FromException(new IOException($"The data folder does not take writes: {_failure.Message}", _failure));
            if (_writing is not null)
                return number <= _writing.Last ? _writing.Done.Task : _gathering.Done.Task;
            // A new segment and the last batch are the loop's.
            if (_gathering.NewSegment is not null || _stop.IsCancellationRequested)
                return _gathering.Done.Task;
            mine = Take();
        }

        if (TryWrite(mine))
        {
            Complete(mine);
        }
        else
        {
            // The loop goes on with it.
            lock (_gate)
            {
                _refused = mine;
                WakeLoop();
            }
        }

        return mine.Done.Task;
    }

    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested)
            return;
        await _stop.CancelAsync();
        await _loop;
        await _retired;
        _file.Dispose();
        _stop.Dispose();
        _work.Dispose();
    }

    private async Task WriteAsync()
    {
        var stopping = false;
        while (true)
        {
            try
            {
                if (!stopping)
                    await _work.WaitAsync(_stop.Token);
            }
            catch (OperationCanceledException)
            {
                // What has gathered is still written.
                stopping = true;
            }

            Batch? batch = null;
            Task? other = null;
            lock (_gate)
            {
                if (_refused is not null)
                    (batch, _refused) = (_refused, null);
                else if (_writing is not null)
                    other = _writing.Done.Task;
                else if (!_gathering.IsEmpty)
                    batch = Take();
                else if (stopping)
                    return;
            }

            if (batch is null)
            {
                // One who waited is writing, and wakes this loop for what has gathered meanwhile; at the end there may be nobody to do so.
                if (stopping)
                    await other!.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                continue;
            }

            while (!TryWrite(batch))
            {
                if (stopping)
                    return;
                try
                {
                    await Task.Delay(RetryAfter, _stop.Token);
                }
                catch (OperationCanceledException)
                {
                    stopping = true;
                }
            }

            Complete(batch);
        }
    }

    /// <summary>Under _gate, while nobody writes.</summary>
    private Batch Take()
    {
        var batch = _gathering;
        _gathering = new Batch(_spare ?? new byte[FirstBuffer]) { Last = batch.Last };
        _spare = null;
        _writing = batch;
        return batch;
    }

    private void Complete(Batch batch)
    {
        lock (_gate)
        {
            _written = Math.Max(_written, batch.Last);
            _writing = null;
            _failure = null;
            _gathering.ForgetFailure();
            _spare = batch.Buffer.Length <= LargestSpare ? batch.Buffer : null;
            if (!_gathering.IsEmpty)
                WakeLoop();
        }

        batch.Done.TrySetResult();
    }

    /// <summary>Under _gate.</summary>
    private void WakeLoop()
    {
        if (_work.CurrentCount == 0)
            _work.Release();
    }

    private bool TryWrite(Batch batch)
    {
        try
        {
            var bytes = batch.Bytes;
            if (batch.NewSegment is { } first)
            {
                Write(bytes[..batch.RotateAt]);
                batch.TakeOut(batch.RotateAt);
                bytes = batch.Bytes;
                var full = _file;
                (_file, _offset) = Open(first);
                batch.NewSegment = null;
                _retired = Task.WhenAll(_retired, Task.Run(() => Retire(full)));
            }

            Write(bytes);
            return true;
        }
        catch (Exception error) when (DataFolder.IsRefusal(error))
        {
            lock (_gate)
            {
                _failure = error;
                batch.Done.TrySetException(new IOException($"The data folder does not take writes: {error.Message}", error));
                // Those who came later wait for a batch that cannot start.
                _gathering.Done.TrySetException(new IOException($"The data folder does not take writes: {error.Message}", error));
            }

            LogRefused(_log, _folder, error);
            return false;
        }
    }

    /// <summary>
    /// Closes a segment that is full. It goes to the disk before its successor grows much, so that a power cut leaves no hole between them; nobody waits for that, because
    /// its frames are as safe as promised already.
    /// </summary>
    private void Retire(SafeFileHandle segment)
    {
        using (segment)
        {
            try
            {
                RandomAccess.FlushToDisk(segment);
            }
            catch (IOException error)
            {
                LogNotFlushed(_log, _folder, error);
            }
        }
    }

    private void Write(ReadOnlyMemory<byte> bytes)
    {
        if (bytes.IsEmpty)
            return;
        RandomAccess.Write(_file, bytes.Span, _offset);
        if (_fsync)
        {
            RandomAccess.FlushToDisk(_file);
            Interlocked.Increment(ref _flushes);
        }

        _offset += bytes.Length;
    }

    private (SafeFileHandle File, long Offset) Open(long first)
    {
        var file = File.OpenHandle(SegmentPath(_folder, first), FileMode.Create, FileAccess.ReadWrite, FileShare.Read);
        try
        {
            RandomAccess.Write(file, LogFile.Header(Mark, first), 0);
        }
        catch
        {
            // Opened anew with every attempt.
            file.Dispose();
            throw;
        }

        return (file, LogFile.HeaderLength);
    }

    [LoggerMessage(10, LogLevel.Error, "The log in {Folder} cannot be written; writes are refused until it can")]
    private static partial void LogRefused(ILogger logger, string folder, Exception error);

    [LoggerMessage(11, LogLevel.Warning, "A full segment of the log in {Folder} could not be flushed to the disk; what it holds survives a crash of this process, not a power cut")]
    private static partial void LogNotFlushed(ILogger logger, string folder, Exception error);

    /// <summary>Frames that go to the disk together.</summary>
    private sealed class Batch(byte[] buffer)
    {
        private byte[] _bytes = buffer;

        public TaskCompletionSource Done { get; private set; } = NewSource();

        public int Length { get; private set; }

        public long Last { get; set; }

        public long? NewSegment { get; set; }

        public int RotateAt { get; set; }

        /// <summary>What the frames lie in, for the next batch.</summary>
        public byte[] Buffer => _bytes;

        public bool IsEmpty => Length == 0 && NewSegment is null;

        public ReadOnlyMemory<byte> Bytes => _bytes.AsMemory(0, Length);

        public void Add(ReadOnlySpan<byte> payload)
        {
            var needed = Length + LogFile.FrameOverhead + payload.Length;
            if (needed > _bytes.Length)
                Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, needed));
            LogFile.WritePrefix(_bytes.AsSpan(Length), payload);
            payload.CopyTo(_bytes.AsSpan(Length + LogFile.FrameOverhead));
            Length = needed;
        }

        /// <summary>Those who come from now on can be told of success again.</summary>
        public void ForgetFailure()
        {
            if (Done.Task.IsFaulted)
                Done = NewSource();
        }

        /// <summary>Forgets what is in the old segment already.</summary>
        public void TakeOut(int count)
        {
            _bytes = _bytes[count..Length];
            Length -= count;
            RotateAt = 0;
        }

        private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
