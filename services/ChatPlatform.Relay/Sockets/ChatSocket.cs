using System.Buffers;
using System.Net.WebSockets;
using System.Threading.Channels;
using ChatPlatform.Relay.Resume;

namespace ChatPlatform.Relay.Sockets;

/// <summary>
/// One client's connection. Anyone may enqueue frames; a writer loop sends them one after the other, and one reader (the connection's request) receives. A full queue closes
/// the socket: a client that reads too slowly must reconnect and resume rather than hold memory.
/// </summary>
internal sealed class ChatSocket
{
    /// <summary>The largest frame a client may send, in bytes.</summary>
    public const int MaxFrameBytes = 64 * 1024;

    // How long a close may take, with what the client has not read before it.
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(5);

    private readonly WebSocket _socket;
    private readonly TimeProvider _time;
    private readonly Channel<ReadOnlyMemory<byte>> _frames;
    private readonly int _queueLength;
    private readonly TaskCompletionSource _closing = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _closeCode;
    private long _lastFrameAt;

    // The gates are also the lock that keeps a room's entries in order between replay and live delivery.
    private readonly Dictionary<string, ReplayGate> _gates = new(StringComparer.Ordinal);
    private Dictionary<string, long>? _replayedThrough;

    public ChatSocket(WebSocket socket, string userId, string token, DateTimeOffset tokenRefusedFrom, int queueLength, TimeProvider time)
    {
        _socket = socket;
        _time = time;
        _queueLength = queueLength;
        _frames = Channel.CreateBounded<ReadOnlyMemory<byte>>(new BoundedChannelOptions(queueLength) { SingleReader = true });
        UserId = userId;
        Token = token;
        TokenRefusedFrom = tokenRefusedFrom;
        ConnectedAt = _lastFrameAt = time.GetTimestamp();
    }

    public string ConnectionId { get; } = Guid.CreateVersion7().ToString("N");

    public string UserId { get; }

    /// <summary>The user's access token, for calls in the user's name. A secret.</summary>
    public string Token { get; }

    public DateTimeOffset TokenRefusedFrom { get; }

    /// <summary>A timestamp of the <see cref="TimeProvider"/>.</summary>
    public long ConnectedAt { get; }

    /// <summary>True once the client has said hello.</summary>
    public bool IsReady { get; set; }

    /// <summary>True while a frame of the client's is being worked on, so that an answer is still to come.</summary>
    public bool IsBusy { get; set; }

    /// <summary>How long the client has sent nothing.</summary>
    public TimeSpan Silence => _time.GetElapsedTime(Volatile.Read(ref _lastFrameAt));

    /// <summary>The code the server closes with; 0 while it does not.</summary>
    public int CloseCode => Volatile.Read(ref _closeCode);

    /// <summary>Queues a frame; a full queue closes the socket with 4503 and gives false. The bytes must never change afterwards.</summary>
    public bool Enqueue(ReadOnlyMemory<byte> frame)
    {
        if (_frames.Writer.TryWrite(frame))
            return true;
        Close(CloseCodes.SlowConsumer);
        return false;
    }

    /// <summary>Queues a frame that may be lost: not into a queue that is half full.</summary>
    public void EnqueueEphemeral(ReadOnlyMemory<byte> frame)
    {
        if (_frames.Reader.Count > _queueLength / 2 || !_frames.Writer.TryWrite(frame))
            RelayTelemetry.Dropped.Add(1);
    }

    /// <summary>Queues a live entry, or keeps it back while its room is replayed. Called in seq order per room.</summary>
    public void EnqueueEntry(string roomId, long seq, ReadOnlyMemory<byte> frame)
    {
        lock (_gates)
        {
            if (_gates.TryGetValue(roomId, out var gate))
            {
                gate.Keep(seq, frame);
                return;
            }

            // The replay had it already; delivery was merely slower than the log.
            if (_replayedThrough is not null && _replayedThrough.TryGetValue(roomId, out var through) && seq <= through)
                return;
            Enqueue(frame);
        }
    }

    /// <summary>From now on keeps live entries of the room back, until <see cref="OpenGate"/>.</summary>
    public void CloseGate(string roomId)
    {
        lock (_gates)
            _gates[roomId] = new ReplayGate();
    }

    /// <summary>Lets live entries of the room through again: first those after <paramref name="through"/> that were kept back, then <paramref name="last"/>. False when too many came to be kept.</summary>
    public bool OpenGate(string roomId, long through, ReadOnlyMemory<byte> last)
    {
        lock (_gates)
        {
            if (!_gates.Remove(roomId, out var gate))
                return true;
            (_replayedThrough ??= new(StringComparer.Ordinal))[roomId] = through;
            if (gate.Overflowed)
                return false;
            Enqueue(last);
            foreach (var (seq, frame) in gate.Kept)
            {
                if (seq > through)
                    Enqueue(frame);
            }

            return true;
        }
    }

    /// <summary>Closes with the code after what is queued now was sent (not for 4503: then the queue is dropped). The first code counts.</summary>
    public void Close(int code)
    {
        if (Interlocked.CompareExchange(ref _closeCode, code, 0) != 0)
            return;
        _frames.Writer.TryComplete();
        _closing.TrySetResult();
    }

    /// <summary>Drops the connection without a word.</summary>
    public void Abort() => _socket.Abort();

    /// <summary>Sends what is enqueued until closed, then closes. Ends when the socket can send no more; never throws for what the network does.</summary>
    public async Task WriteAsync()
    {
        var sending = SendAllAsync();
        await Task.WhenAny(sending, _closing.Task);
        try
        {
            // A client that does not read has this long to come back to the close frame.
            await sending.WaitAsync(CloseTimeout, _time);
            if (_socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
            {
                var code = CloseCode is 0 ? CloseCodes.Normal : CloseCode;
                using var limit = new CancellationTokenSource(CloseTimeout, _time);
                await _socket.CloseOutputAsync((WebSocketCloseStatus)code, null, limit.Token);
                RelayTelemetry.Closed.Add(1, new KeyValuePair<string, object?>("code", code));
            }
        }
        catch (Exception error) when (error is WebSocketException or OperationCanceledException or TimeoutException or IOException or ObjectDisposedException)
        {
            _socket.Abort();
        }
    }

    /// <summary>
    /// Receives one whole frame into <paramref name="buffer"/>. Gives false when the client closed, vanished, or sent a frame over 64 KiB (then closed with 4413).
    /// </summary>
    public async Task<bool> ReadAsync(ArrayBufferWriter<byte> buffer)
    {
        buffer.ResetWrittenCount();
        try
        {
            while (true)
            {
                var result = await _socket.ReceiveAsync(buffer.GetMemory(2_048), CancellationToken.None);
                if (result.MessageType == WebSocketMessageType.Close)
                    return false;
                buffer.Advance(result.Count);
                if (buffer.WrittenCount > MaxFrameBytes)
                {
                    Close(CloseCodes.FrameTooLarge);
                    return false;
                }

                if (result.EndOfMessage)
                {
                    Volatile.Write(ref _lastFrameAt, _time.GetTimestamp());
                    return true;
                }
            }
        }
        catch (Exception error) when (error is WebSocketException or OperationCanceledException or IOException or ObjectDisposedException)
        {
            return false;
        }
    }

    /// <summary>After the server's close: takes what still comes until the client closes too, for a moment, so that it gets to read the close code.</summary>
    public async Task AwaitCloseAsync()
    {
        using var limit = new CancellationTokenSource(CloseTimeout, _time);
        var scratch = ArrayPool<byte>.Shared.Rent(4_096);
        try
        {
            while (_socket.State is WebSocketState.Open or WebSocketState.CloseSent)
            {
                var result = await _socket.ReceiveAsync(scratch.AsMemory(), limit.Token);
                if (result.MessageType == WebSocketMessageType.Close)
                    return;
            }
        }
        catch (Exception error) when (error is WebSocketException or OperationCanceledException or IOException or ObjectDisposedException)
        {
            _socket.Abort();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(scratch);
        }
    }

    private async Task SendAllAsync()
    {
        try
        {
            await foreach (var frame in _frames.Reader.ReadAllAsync())
            {
                if (CloseCode == CloseCodes.SlowConsumer)
                    return;
                await _socket.SendAsync(frame, WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);
            }
        }
        catch (Exception error) when (error is WebSocketException or OperationCanceledException or IOException or ObjectDisposedException)
        {
            // The client is gone; its reader ends the connection.
            _socket.Abort();
            Close(CloseCodes.Normal);
        }
    }
}
