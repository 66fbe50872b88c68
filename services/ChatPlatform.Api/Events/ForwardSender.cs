using System.Buffers;
using System.Diagnostics.Metrics;
using System.Net.Sockets;
using System.Threading.Channels;
using MessagePack;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Api.Events;

/// <summary>
/// Sends the spool to the agent, oldest first, on one connection at a time: PackedForward messages with a <c>chunk</c> id, a few in flight, acknowledged in order. An event leaves the spool
/// when its message is acknowledged; after a broken connection everything unacknowledged is sent again with the same bytes, in the same order.
/// </summary>
internal sealed partial class ForwardSender(EventSpool spool, IOptions<EventOptions> options, TimeProvider time, IMeterFactory meters, ILogger<ForwardSender> logger)
    : BackgroundService
{
    private const int MaxMessageBytes = 256 * 1024;
    private const int MaxInFlight = 4;
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan DrainTime = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan DrainPoll = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    private readonly Meter _meter = meters.Create(EventSpool.MeterName);
    private readonly TimeSpan _ackTimeout = TimeSpan.FromSeconds(options.Value.AckTimeoutSeconds);

    private volatile bool _isConnected;

    private sealed record Sent(string Chunk, long End, int Events);

    /// <summary>
    /// Waits a little for the agent to acknowledge what is left, while there is a connection: the rooms' next events come from other servers, and these should be first. What is
    /// left after that stays in the spool for the next process that opens it.
    /// </summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        while (_isConnected && spool.Unacknowledged.PendingBytes > 0 && time.GetElapsedTime(started) < DrainTime && !cancellationToken.IsCancellationRequested)
            await Task.Delay(DrainPoll, time, CancellationToken.None);
        await base.StopAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var acknowledged = _meter.CreateCounter<long>("chat.events.acknowledged", "{event}");
        var broken = _meter.CreateCounter<long>("chat.events.connection_failures", "{failure}");
        var pause = FirstPause;
        while (!stoppingToken.IsCancellationRequested)
        {
            var before = spool.Unacknowledged.Position;
            try
            {
                await SendUntilBrokenAsync(acknowledged, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error) when (error is IOException or SocketException or InvalidDataException or OperationCanceledException or TimeoutException)
            {
                broken.Add(1);
                if (spool.Unacknowledged.Position > before)
                    pause = FirstPause;
                LogBroken(logger, options.Value.Endpoint!, error.Message, pause.TotalMilliseconds);
            }

            // Jitter, so that the replicas of a fleet do not come back at the same instant.
            var wait = pause * (0.5 + Random.Shared.NextDouble());
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
            try
            {
                await Task.Delay(wait, time, stoppingToken);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    public override void Dispose()
    {
        _meter.Dispose();
        base.Dispose();
    }

    private async Task SendUntilBrokenAsync(Counter<long> acknowledged, CancellationToken stoppingToken)
    {
        var endpoint = options.Value.Endpoint!;
        using var client = new TcpClient { NoDelay = true };
        using (var limit = new CancellationTokenSource(ConnectTimeout, time))
        using (var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stoppingToken))
            await client.ConnectAsync(endpoint.Host, endpoint.Port, either.Token);
        await using var stream = client.GetStream();

        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        var inFlight = Channel.CreateBounded<Sent>(new BoundedChannelOptions(MaxInFlight) { SingleReader = true, SingleWriter = true });
        var sending = SendAsync(stream, inFlight.Writer, ended.Token);
        var receiving = ReceiveAsync(stream, inFlight.Reader, acknowledged, ended.Token);
        _isConnected = true;
        var first = await Task.WhenAny(sending, receiving);
        _isConnected = false;
        await ended.CancelAsync();
        await ((Task)Task.WhenAll(sending, receiving)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // The one that ended first says why; the other only saw the cancellation.
        await first;
    }

    private async Task SendAsync(NetworkStream stream, ChannelWriter<Sent> inFlight, CancellationToken cancellationToken)
    {
        var message = new ArrayBufferWriter<byte>(MaxMessageBytes);
        var position = spool.Unacknowledged.Position;
        while (true)
        {
            using var batch = await spool.Unacknowledged.ReadAsync(position, MaxMessageBytes, cancellationToken);
            var chunk = ChunkId(spool.Folder, batch.Start, batch.End);
            message.ResetWrittenCount();
            ForwardProtocol.WriteMessage(message, options.Value.Tag, batch.Frames, chunk);
            position = batch.End;
            await inFlight.WriteAsync(new Sent(chunk, batch.End, batch.Frames.Count), cancellationToken);
            await stream.WriteAsync(message.WrittenMemory, cancellationToken);
        }
    }

    private async Task ReceiveAsync(NetworkStream stream, ChannelReader<Sent> inFlight, Counter<long> acknowledged, CancellationToken cancellationToken)
    {
        using var answers = new MessagePackStreamReader(stream, leaveOpen: true);
        await foreach (var sent in inFlight.ReadAllAsync(cancellationToken))
        {
            using var limit = new CancellationTokenSource(_ackTimeout, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            ReadOnlySequence<byte> answer;
            try
            {
                answer = await answers.ReadAsync(either.Token) ?? throw new IOException("the agent closed the connection");
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                throw new TimeoutException($"no acknowledgement within {_ackTimeout.TotalSeconds} s");
            }

            var chunk = ForwardProtocol.ReadAck(answer);
            if (chunk != sent.Chunk)
                throw new InvalidDataException($"the agent acknowledged '{chunk}' where '{sent.Chunk}' was due");
            spool.Unacknowledged.Advance(sent.End);
            acknowledged.Add(sent.Events);
        }
    }

    /// <summary>The same events at the same place have the same id, also after a restart.</summary>
    private static string ChunkId(string folder, long start, long end) =>
        $"{Environment.MachineName}-{Path.GetFileName(folder)}-{start:x}-{end:x}";

    [LoggerMessage(Level = LogLevel.Warning, Message = "The connection to {Endpoint} failed ({Reason}); what is unacknowledged stays in the spool; next attempt in about {Milliseconds} ms")]
    private static partial void LogBroken(ILogger logger, Uri endpoint, string reason, double milliseconds);
}
