using System.Net.WebSockets;
using System.Text;
using ChatPlatform.Contracts.Frames;
using ChatPlatform.Relay.Resume;

namespace ChatPlatform.Relay.Sockets;

/// <summary>
/// One client's connection. Anyone may enqueue frames; they are sent one after the other. One reader, the connection's request, receives. A full queue closes the socket: a
/// client that reads too slowly must reconnect and resume rather than hold memory. While nothing happens a socket holds no buffer, no queue, no timer and no task but the
/// reader's: there are tens of thousands of them, nearly all of them idle.
/// </summary>
internal sealed class ChatSocket : IThreadPoolWorkItem, IDisposable
{
    /// <summary>The largest frame a client may send, in bytes.</summary>
    public const int MaxFrameBytes = 64 * 1024;

    // Longer than an API server may be late with a live entry: one that a throttled table left without an answer is pushed when it is found stored.
    private static readonly TimeSpan ReplayMemory = TimeSpan.FromMinutes(5);

    private readonly WebSocket _socket;
    private readonly TimeProvider _time;
    private readonly byte[] _token;
    private readonly int _queueLength;

    // Guards everything below that is not marked otherwise. Held for moments only, never while sending.
    private readonly Lock _lock = new();
    private Queue<ReadOnlyMemory<byte>>? _frames;
    private bool _isSending;
    private bool _hasEnded;
    private TaskCompletionSource? _ended;
    private TaskCompletionSource? _room;
    private Dictionary<string, ReplayGate>? _gates;
    private Dictionary<string, long>? _replayedThrough;
    private long _replayedAt;

    // Written under the lock, read anywhere.
    private bool _isBusy;
    private int _closeCode;
    private long _closedAt;

    // The reader's own.
    private long _lastFrameAt;
    private long _helloFrom;
    private FrameBudget _budget;

    public ChatSocket(WebSocket socket, string userId, string token, DateTimeOffset tokenRefusedFrom, string? address, int queueLength, int framesPerSecond, TimeProvider time)
    {
        _socket = socket;
        _time = time;
        _queueLength = queueLength;
        // A token is ASCII (RFC 6750 §2.1): half the size of the string.
        _token = Encoding.Latin1.GetBytes(token);
        UserId = userId;
        Address = address;
        TokenRefusedFrom = tokenRefusedFrom;
        _lastFrameAt = time.GetTimestamp();
        _budget = new FrameBudget(framesPerSecond, time);
    }

    public string ConnectionId { get; } = Guid.CreateVersion7().ToString("N");

    public string UserId { get; }

    /// <summary>The user's access token, for calls in the user's name. A secret.</summary>
    public string Token => Encoding.Latin1.GetString(_token);

    public DateTimeOffset TokenRefusedFrom { get; }

    /// <summary>What the client's connections and calls are counted by besides the user; null for the platform's own.</summary>
    public string? Address { get; }

    /// <summary>How long the client's hello has been waited for; nothing before the relay itself is ready for it.</summary>
    public TimeSpan HelloAwaited => Volatile.Read(ref _helloFrom) is > 0 and var from ? _time.GetElapsedTime(from) : TimeSpan.Zero;

    /// <summary>True once the client has said hello.</summary>
    public bool IsReady { get; set; }

    /// <summary>True while a frame of the client's is being worked on, so that an answer is still to come.</summary>
    public bool IsBusy => Volatile.Read(ref _isBusy);

    /// <summary>How long the client has sent nothing.</summary>
    public TimeSpan Silence => _time.GetElapsedTime(Volatile.Read(ref _lastFrameAt));

    /// <summary>The code the server closes with; 0 while it does not.</summary>
    public int CloseCode => Volatile.Read(ref _closeCode);

    /// <summary>For how long the client has not come back to the server's close.</summary>
    public TimeSpan CloseAwaited => CloseCode != 0 ? _time.GetElapsedTime(Volatile.Read(ref _closedAt)) : TimeSpan.Zero;

    /// <summary>True when both sides have closed.</summary>
    public bool IsClosed => _socket.State == WebSocketState.Closed;

    /// <summary>From now on the client's hello is waited for.</summary>
    public void AwaitHello() => Volatile.Write(ref _helloFrom, _time.GetTimestamp());

    /// <summary>Queues a frame; a full queue closes the socket with 4503 and gives false. The bytes must never change afterwards.</summary>
    public bool Enqueue(ReadOnlyMemory<byte> frame)
    {
        lock (_lock)
            return Add(frame);
    }

    /// <summary>Queues a frame that may be lost: not into a queue that is half full.</summary>
    public void EnqueueEphemeral(ReadOnlyMemory<byte> frame)
    {
        lock (_lock)
        {
            if (_closeCode == 0 && (_frames?.Count ?? 0) < _queueLength / 2)
                Add(frame);
            else
                RelayTelemetry.Dropped.Add(1);
        }
    }

    /// <summary>
    /// Queues a frame of a replay, and waits while the queue is half full: what is read from the log comes as fast as the client takes it. False once the socket closes.
    /// One replay of a socket at a time.
    /// </summary>
    public async ValueTask<bool> EnqueueInTurnAsync(ReadOnlyMemory<byte> frame, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task room;
            lock (_lock)
            {
                if (_closeCode != 0)
                    return false;
                if ((_frames?.Count ?? 0) < _queueLength / 2)
                    return Add(frame);
                room = (_room ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }

            await room.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Queues a live entry, or keeps it back while its room is replayed. Called in seq order per room.</summary>
    public void EnqueueEntry(string roomId, long seq, ReadOnlyMemory<byte> frame)
    {
        lock (_lock)
        {
            if (_gates is not null && _gates.TryGetValue(roomId, out var gate))
                gate.Keep(seq, frame);
            // Else the replay had it already; delivery was merely slower than the log.
            else if (_replayedThrough is null || !_replayedThrough.TryGetValue(roomId, out var through) || seq > through)
                Add(frame);
        }
    }

    /// <summary>From now on keeps live entries of the room back, until <see cref="TryOpenGate"/>.</summary>
    public void CloseGate(string roomId)
    {
        lock (_lock)
            (_gates ??= new(StringComparer.Ordinal))[roomId] = new ReplayGate();
    }

    /// <summary>
    /// Lets live entries of the room through again: first <paramref name="last"/>, if any, then those after <paramref name="through"/> that were kept back. False, and the gate stays
    /// closed, when these have a hole or are more than the queue has room for: they are given in <paramref name="kept"/>, in seq order, to be replayed before the next call.
    /// </summary>
    public bool TryOpenGate(string roomId, long through, ReadOnlyMemory<byte>? last, out IReadOnlyList<KeptEntry> kept)
    {
        lock (_lock)
        {
            kept = [];
            if (_gates is null || !_gates.TryGetValue(roomId, out var gate))
                return true;
            var waiting = gate.Take(through);
            // Too many came: nothing of it is shown, so that the client knows where it is.
            if (gate.Overflowed)
                last = ServerFrames.Reset(roomId);
            else if (waiting.Count > 0 && (waiting[^1].Seq != through + waiting.Count || waiting.Count + (_frames?.Count ?? 0) > _queueLength / 2))
                kept = waiting;
            if (kept.Count > 0)
                return false;

            _gates.Remove(roomId);
            if (_gates.Count == 0)
                _gates = null;
            (_replayedThrough ??= new(StringComparer.Ordinal))[roomId] = through;
            _replayedAt = _time.GetTimestamp();
            if (last is { } frame)
                Add(frame);
            foreach (var entry in waiting)
                Add(entry.Frame);
            return true;
        }
    }

    /// <summary>Drops what is remembered of replays that ended a while ago.</summary>
    public void ForgetReplays()
    {
        if (_replayedThrough is null)
            return;
        lock (_lock)
        {
            if (_gates is null && _time.GetElapsedTime(_replayedAt) > ReplayMemory)
                _replayedThrough = null;
        }
    }

    /// <summary>
    /// Closes with the code after what is queued now was sent (not for 4503: then the queue is dropped). The first code counts. The reader goes on until the client closes too;
    /// whoever watches the sockets aborts one whose <see cref="CloseAwaited"/> is too long.
    /// </summary>
    public void Close(int code)
    {
        lock (_lock)
            BeginClose(code);
    }

    /// <summary>The same, unless an answer is still to come: then false.</summary>
    public bool TryCloseIdle(int code)
    {
        lock (_lock)
        {
            if (_isBusy)
                return false;
            BeginClose(code);
            return true;
        }
    }

    /// <summary>Begins to work on a frame; false when the socket is being closed, and then nothing must be done for the client whose answer it would not get.</summary>
    public bool TryBeginWork()
    {
        lock (_lock)
        {
            Volatile.Write(ref _isBusy, _closeCode == 0);
            return _isBusy;
        }
    }

    /// <summary>The frame's answer is queued.</summary>
    public void EndWork() => Volatile.Write(ref _isBusy, false);

    /// <summary>Drops the connection without a word.</summary>
    public void Abort() => _socket.Abort();

    public void Dispose() => _socket.Dispose();

    /// <summary>Ends when the server's close was sent, or nothing can be sent any more. Call <see cref="Close"/> first.</summary>
    public Task EndAsync()
    {
        lock (_lock)
            return _hasEnded ? Task.CompletedTask : (_ended ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
    }

    /// <summary>False when the client has sent too many frames. The reader's.</summary>
    public bool TryTakeFromBudget() => _budget.TryTake(_time);

    /// <summary>
    /// Receives one whole frame, which the caller disposes; null when the client closed or vanished. One over 64 KiB closes the socket with 4413 and is given as an empty one.
    /// </summary>
    public async ValueTask<PooledFrame?> ReadAsync()
    {
        try
        {
            // Waits without a buffer.
            var first = await _socket.ReceiveAsync(Memory<byte>.Empty, CancellationToken.None);
            return first.MessageType == WebSocketMessageType.Close ? null : await ReceiveAsync(first.EndOfMessage);
        }
        catch (Exception error) when (error is WebSocketException or OperationCanceledException or IOException or ObjectDisposedException)
        {
            return null;
        }
    }

    /// <summary>Sends what is queued; scheduled when the first frame is. <see cref="EndAsync"/> awaits the last run.</summary>
    void IThreadPoolWorkItem.Execute() => _ = SendAllAsync();

    private async ValueTask<PooledFrame?> ReceiveAsync(bool isWhole)
    {
        var frame = new PooledFrame();
        var isTooLarge = false;
        try
        {
            while (true)
            {
                // An empty frame ends without a byte.
                if (isWhole)
                {
                    Volatile.Write(ref _lastFrameAt, _time.GetTimestamp());
                    return frame;
                }

                var result = await _socket.ReceiveAsync(frame.Free(), CancellationToken.None);
                if (result.MessageType == WebSocketMessageType.Close)
                {
                    frame.Dispose();
                    return null;
                }

                frame.Advance(result.Count);
                if (frame.Length > MaxFrameBytes || isTooLarge)
                {
                    isTooLarge = true;
                    frame.Clear();
                    Close(CloseCodes.FrameTooLarge);
                }

                isWhole = result.EndOfMessage;
            }
        }
        catch
        {
            frame.Dispose();
            throw;
        }
    }

    // Under the lock.
    private bool Add(ReadOnlyMemory<byte> frame)
    {
        if (_closeCode != 0)
            return false;
        _frames ??= new Queue<ReadOnlyMemory<byte>>(2);
        if (_frames.Count >= _queueLength)
        {
            BeginClose(CloseCodes.SlowConsumer);
            return false;
        }

        _frames.Enqueue(frame);
        BeginSend();
        return true;
    }

    // Under the lock.
    private void BeginClose(int code)
    {
        if (_closeCode != 0)
            return;
        Volatile.Write(ref _closedAt, _time.GetTimestamp());
        Volatile.Write(ref _closeCode, code);
        if (code == CloseCodes.SlowConsumer)
            _frames = null;
        _room?.TrySetResult();
        BeginSend();
    }

    // Under the lock.
    private void BeginSend()
    {
        if (_isSending)
            return;
        _isSending = true;
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    private async Task SendAllAsync()
    {
        try
        {
            while (TryTake(out var frame, out var closeCode))
            {
                if (closeCode == 0)
                {
                    await _socket.SendAsync(frame, WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);
                    continue;
                }

                if (_socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
                    await _socket.CloseOutputAsync((WebSocketCloseStatus)closeCode, null, CancellationToken.None);
                RelayTelemetry.Closed.Add(1, new KeyValuePair<string, object?>("code", closeCode));
                End();
                return;
            }
        }
        catch (Exception error) when (error is WebSocketException or OperationCanceledException or IOException or ObjectDisposedException or InvalidOperationException)
        {
            // The client is gone; its reader ends the connection.
            _socket.Abort();
            Close(CloseCodes.Normal);
            End();
        }
    }

    private void End()
    {
        lock (_lock)
        {
            _hasEnded = true;
            _frames = null;
            _ended?.TrySetResult();
        }
    }

    /// <summary>The next frame, or the code to close with once there is none. False when there is nothing to send: then sending has ended.</summary>
    private bool TryTake(out ReadOnlyMemory<byte> frame, out int closeCode)
    {
        lock (_lock)
        {
            closeCode = 0;
            if (_frames is not null && _frames.TryDequeue(out frame))
            {
                if (_room is not null && _frames.Count < _queueLength / 4)
                {
                    _room.TrySetResult();
                    _room = null;
                }

                return true;
            }

            frame = default;
            _frames = null;
            closeCode = _closeCode;
            // After the close nothing is sent any more: that run is the last.
            _isSending = closeCode != 0;
            return closeCode != 0;
        }
    }
}
