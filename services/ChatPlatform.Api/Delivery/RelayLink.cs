using System.Collections.Concurrent;
using System.Diagnostics;
using System.Threading.Channels;
using ChatPlatform.Contracts.Protos.Relay.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace ChatPlatform.Api.Delivery;

/// <summary>Told what became of a frame on one relay, once: the users without a socket there, or all of them when the frame was not acknowledged in time.</summary>
internal delegate void FrameAcknowledged(IReadOnlyCollection<string> missingUserIds);

/// <summary>
/// The one stream from this process to one relay: frames in order, each acknowledged. Reconnects on failure; frames that were in flight then count as missed, because whether
/// the relay pushed them is not known and entries can be had from the log. A full queue refuses frames at once, and so does a relay that stopped answering until it answers
/// again, so that a slow, hung or dead one holds nobody up. Thread-safe.
/// </summary>
internal sealed partial class RelayLink : IAsyncDisposable
{
    /// <summary>Frames that wait for the stream.</summary>
    internal const int QueueLength = 4_096;

    /// <summary>Frames that were written and not acknowledged.</summary>
    internal const int MaxInFlight = 1_024;

    /// <summary>How long a frame may go without its acknowledgement; then it counts as missed and the relay as not answering.</summary>
    internal static readonly TimeSpan AckTimeout = TimeSpan.FromSeconds(5);

    private readonly Channel<Pending> _queue = Channel.CreateBounded<Pending>(new BoundedChannelOptions(QueueLength) { SingleReader = true });
    private readonly CancellationTokenSource _stop = new();
    private readonly string _address;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Task _loop;
    private long _lastUse;

    // True from a failure until the relay answers again.
    private volatile bool _isDown;

    public RelayLink(string address, TimeProvider time, ILogger logger)
    {
        _address = address;
        _time = time;
        _logger = logger;
        _lastUse = time.GetTimestamp();
        _loop = Task.Run(() => RunAsync(_stop.Token));
    }

    /// <summary>How long ago a frame was given to it.</summary>
    public TimeSpan Idle => _time.GetElapsedTime(Volatile.Read(ref _lastUse));

    /// <summary>Queues a frame; false when the queue is full, the relay does not answer or the link is closed, and then <paramref name="acknowledged"/> is never called.</summary>
    public bool TrySend(DeliverRequest frame, FrameAcknowledged? acknowledged)
    {
        Volatile.Write(ref _lastUse, _time.GetTimestamp());
        return !_isDown && _queue.Writer.TryWrite(new Pending(frame, acknowledged, _time.GetTimestamp()));
    }

    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
    }

    private async Task RunAsync(CancellationToken stop)
    {
        // Not part of the message that happened to come first.
        Activity.Current = null;
        using var channel = GrpcChannel.ForAddress(_address, new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler
            {
                ConnectTimeout = TimeSpan.FromSeconds(2),
                KeepAlivePingDelay = TimeSpan.FromSeconds(5),
                KeepAlivePingTimeout = TimeSpan.FromSeconds(5),
                // The stream outlives every message: it must be no child of one's span. A frame carries its own trace context.
                ActivityHeadersPropagator = null,
            },
        });
        var client = new RelayService.RelayServiceClient(channel);
        for (var failures = 0; !stop.IsCancellationRequested;)
        {
            try
            {
                await RunStreamAsync(client, stop);
            }
            catch (Exception error) when (error is RpcException or OperationCanceledException or HttpRequestException or IOException or TimeoutException or InvalidOperationException)
            {
                if (!stop.IsCancellationRequested)
                    Log.StreamLost(_logger, _address, error.Message);
            }

            // Its users' messages go to push now, not when each frame's time is up.
            failures = _isDown ? failures + 1 : 1;
            _isDown = true;
            FailQueued();
            try
            {
                await Task.Delay(TimeSpan.FromMilliseconds(Math.Min(50 << Math.Min(failures, 6), 2_000)), _time, stop);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                break;
            }
        }

        FailQueued();
    }

    /// <summary>One stream's life; the relay has answered once <see cref="_isDown"/> is false.</summary>
    private async Task RunStreamAsync(RelayService.RelayServiceClient client, CancellationToken stop)
    {
        // After a failure the next stream is begun without waiting for a frame: none is taken until it stands.
        if (!_isDown && !await _queue.Reader.WaitToReadAsync(stop))
            return;
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stop);
        using var slots = new SemaphoreSlim(MaxInFlight);
        var inFlight = new ConcurrentQueue<Pending>();
        using var call = client.Deliver(cancellationToken: ended.Token);
        // A process that hangs has its connections accepted by the kernel; that it answers is what counts.
        await call.ResponseHeadersAsync.WaitAsync(AckTimeout, _time, stop);
        _isDown = false;
        var acks = ReadAcksAsync();
        try
        {
            for (ulong id = 1; await _queue.Reader.WaitToReadAsync(ended.Token);)
            {
                // The relay's acknowledgements make room: one that falls behind leaves its frames in the queue, which fills and refuses.
                await slots.WaitAsync(ended.Token);
                if (!_queue.Reader.TryRead(out var pending) || _time.GetElapsedTime(pending.QueuedAt) > AckTimeout)
                {
                    pending?.Fail();
                    slots.Release();
                    continue;
                }

                pending.Frame.FrameId = id++;
                inFlight.Enqueue(pending);
                await call.RequestStream.WriteAsync(pending.Frame, ended.Token);
            }
        }
        finally
        {
            await ended.CancelAsync();
            try
            {
                await acks;
            }
            catch (Exception error) when (error is RpcException or OperationCanceledException or TimeoutException or IOException or InvalidOperationException)
            {
                if (!stop.IsCancellationRequested)
                    Log.AcksEnded(_logger, _address, error.Message);
            }

            while (inFlight.TryDequeue(out var pending))
                pending.Fail();
        }

        async Task ReadAcksAsync()
        {
            try
            {
                var answers = call.ResponseStream;
                var next = answers.MoveNext(ended.Token);
                while (true)
                {
                    try
                    {
                        if (!await next.WaitAsync(AckTimeout, _time, ended.Token))
                            return;
                    }
                    catch (TimeoutException) when (!inFlight.TryPeek(out var oldest) || _time.GetElapsedTime(oldest.QueuedAt) <= AckTimeout)
                    {
                        // Nothing was owed for that long: a quiet stream is a healthy one.
                        continue;
                    }

                    if (!inFlight.TryDequeue(out var pending) || pending.Frame.FrameId != answers.Current.FrameId)
                        throw new InvalidOperationException($"The relay at {_address} acknowledged frame {answers.Current.FrameId} out of turn.");
                    slots.Release();
                    pending.Acknowledged?.Invoke(answers.Current.MissingUserIds);
                    next = answers.MoveNext(ended.Token);
                }
            }
            finally
            {
                // Ends the writer as well.
                await ended.CancelAsync();
            }
        }
    }

    private void FailQueued()
    {
        while (_queue.Reader.TryRead(out var pending))
            pending.Fail();
    }

    private sealed record Pending(DeliverRequest Frame, FrameAcknowledged? Acknowledged, long QueuedAt)
    {
        public void Fail() => Acknowledged?.Invoke(Frame.UserIds);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "The stream to the relay at {Address} ended: {Reason}")]
        public static partial void StreamLost(ILogger logger, string address, string reason);

        [LoggerMessage(LogLevel.Debug, "Acknowledgements from the relay at {Address} ended: {Reason}")]
        public static partial void AcksEnded(ILogger logger, string address, string reason);
    }
}
