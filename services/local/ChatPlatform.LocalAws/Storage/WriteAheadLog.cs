using Microsoft.Win32.SafeHandles;

namespace ChatPlatform.LocalAws.Storage;

/// <summary>
/// The write-ahead log with group commit: writers append frames to a buffer, one loop writes what has gathered with a single call (and flushes it to the disk when
/// asked to), then everybody in that batch is told. <see cref="Append"/> and <see cref="Rotate"/> are called under the owner's lock, which gives frames their order;
/// <see cref="WaitAsync"/> is thread-safe. What waits is bounded by the number of requests in flight, because each of them waits for its own frame.
/// </summary>
/// <remarks>
/// When the disk refuses a write (full, gone), those who wait get the error, new appends are refused, and the loop tries the same bytes at the same place again
/// until the disk takes them: nothing that was appended is dropped, nothing is written twice.
/// </remarks>
internal sealed partial class WriteAheadLog : IAsyncDisposable
{
    public static readonly byte[] Mark = "CPWL"u8.ToArray();
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(500);

    private readonly string _folder;
    private readonly bool _fsync;
    private readonly ILogger _log;
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _work = new(0, 1);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;

    // Guarded by _gate.
    private Batch _gathering = new();
    private Batch? _writing;
    private long _appended;
    private long _written;
    private Exception? _failure;

    // Owned by the loop.
    private SafeFileHandle _file;
    private long _offset;
    private long _flushes;

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

    /// <summary>Queues one frame and gives its number.</summary>
    public long Append(ReadOnlySpan<byte> payload)
    {
        lock (_gate)
        {
            _gathering.Add(payload);
            SegmentLength += payload.Length + LogFile.FrameOverhead;
            _gathering.Last = ++_appended;
            if (_work.CurrentCount == 0)
                _work.Release();
            return _appended;
        }
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
            if (_work.CurrentCount == 0)
                _work.Release();
            return _appended;
        }
    }

    /// <summary>Completes when a frame is as safe as promised.</summary>
    /// <exception cref="IOException">The disk refused it; it may still be written later.</exception>
    public Task WaitAsync(long number)
    {
        lock (_gate)
        {
            if (number <= _written)
                return Task.CompletedTask;
            if (_failure is not null)
                return Task.FromException(new IOException($"The data folder does not take writes: {_failure.Message}", _failure));
            return _writing is not null && number <= _writing.Last ? _writing.Done.Task : _gathering.Done.Task;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested)
            return;
        await _stop.CancelAsync();
        await _loop;
        _file.Dispose();
        _stop.Dispose();
        _work.Dispose();
    }

    private async Task WriteAsync()
    {
        var stopping = false;
        while (!stopping)
        {
            try
            {
                await _work.WaitAsync(_stop.Token);
            }
            catch (OperationCanceledException)
            {
                // What has gathered is still written.
                stopping = true;
            }

            Batch batch;
            lock (_gate)
            {
                batch = _gathering;
                _gathering = new Batch { Last = batch.Last };
                _writing = batch;
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

            lock (_gate)
            {
                _written = Math.Max(_written, batch.Last);
                _writing = null;
                _failure = null;
                _gathering.ForgetFailure();
            }

            batch.Done.TrySetResult();
        }
    }

    private bool TryWrite(Batch batch)
    {
        try
        {
            var bytes = batch.Bytes;
            if (batch.NewSegment is { } first)
            {
                Write(bytes[..batch.RotateAt]);
                RandomAccess.FlushToDisk(_file);
                _file.Dispose();
                (_file, _offset) = Open(first);
                batch.TakeOut(batch.RotateAt);
                bytes = batch.Bytes;
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
        RandomAccess.Write(file, LogFile.Header(Mark, first), 0);
        return (file, LogFile.HeaderLength);
    }

    [LoggerMessage(10, LogLevel.Error, "The log in {Folder} cannot be written; writes are refused until it can")]
    private static partial void LogRefused(ILogger logger, string folder, Exception error);

    /// <summary>Frames that go to the disk together.</summary>
    private sealed class Batch
    {
        private byte[] _bytes = new byte[16 * 1024];

        public TaskCompletionSource Done { get; private set; } = NewSource();

        public int Length { get; private set; }

        public long Last { get; set; }

        public long? NewSegment { get; set; }

        public int RotateAt { get; set; }

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
            NewSegment = null;
            RotateAt = 0;
        }

        private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
