using System.Buffers;
using System.Diagnostics.Metrics;
using System.Net.Sockets;
using System.Threading.Channels;
using ChatPlatform.Spool;
using MessagePack;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Api.Events;

/// <summary>
/// Sends a spool to the agent, oldest first, on one connection at a time: PackedForward messages with a <c>chunk</c> id, a few in flight, acknowledged in order. An event leaves the spool
/// when its message is acknowledged; after a broken connection everything unacknowledged is sent again with the same bytes, in the same order.
/// </summary>
/// <remarks>One instance sends one spool.</remarks>
internal sealed partial class SpoolSender(IOptions<EventOptions> options, TimeProvider time, IMeterFactory meters, ILogger<SpoolSender> logger)
{
    private const int MaxMessageBytes = 256 * 1024;
    private const int MaxInFlight = 4;
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    private readonly Counter<long> _acknowledged = meters.Create(EventSpool.MeterName).CreateCounter<long>("chat.events.acknowledged", "{event}");
    private readonly Counter<long> _broken = meters.Create(EventSpool.MeterName).CreateCounter<long>("chat.events.connection_failures", "{failure}");
    private readonly TimeSpan _ackTimeout = TimeSpan.FromSeconds(options.Value.AckTimeoutSeconds);
    private volatile bool _isConnected;

    private sealed record Sent(string Chunk, long End, int Events);

    public bool IsConnected => _isConnected;

    /// <param name="cursor">What is not acknowledged; nobody else moves it.</param>
    /// <param name="folder">The spool's folder, whose name is part of the chunk ids.</param>
    /// <param name="stoppingToken">Ends it; it does not end otherwise.</param>
    public async Task RunAsync(SpoolCursor cursor, string folder, CancellationToken stoppingToken)
    {
        var pause = FirstPause;
        while (!stoppingToken.IsCancellationRequested)
        {
            var before = cursor.Position;
            try
            {
                await SendUntilBrokenAsync(cursor, folder, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error) when (error is IOException or SocketException or InvalidDataException or OperationCanceledException or TimeoutException)
            {
                _broken.Add(1);
                if (cursor.Position > before)
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

    private async Task SendUntilBrokenAsync(SpoolCursor cursor, string folder, CancellationToken stoppingToken)
    {
        var endpoint = options.Value.Endpoint!;
        using var client = new TcpClient { NoDelay = true };
        using (var limit = new CancellationTokenSource(ConnectTimeout, time))
        using (var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stoppingToken))
            await client.ConnectAsync(endpoint.Host, endpoint.Port, either.Token);
        await using var stream = client.GetStream();

        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        var inFlight = Channel.CreateBounded<Sent>(new BoundedChannelOptions(MaxInFlight) { SingleReader = true, SingleWriter = true });
        var sending = SendAsync(stream, cursor, folder, inFlight.Writer, ended.Token);
        var receiving = ReceiveAsync(stream, cursor, inFlight.Reader, ended.Token);
        _isConnected = true;
        var first = await Task.WhenAny(sending, receiving);
        _isConnected = false;
        await ended.CancelAsync();
        await ((Task)Task.WhenAll(sending, receiving)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // The one that ended first says why; the other only saw the cancellation.
        await first;
    }

    private async Task SendAsync(NetworkStream stream, SpoolCursor cursor, string folder, ChannelWriter<Sent> inFlight, CancellationToken cancellationToken)
    {
        var message = new ArrayBufferWriter<byte>(MaxMessageBytes);
        var position = cursor.Position;
        while (true)
        {
            using var batch = await cursor.ReadAsync(position, MaxMessageBytes, cancellationToken);
            var chunk = ChunkId(folder, batch.Start, batch.End);
            message.ResetWrittenCount();
            ForwardProtocol.WriteMessage(message, options.Value.Tag, batch.Frames, chunk);
            position = batch.End;
            await inFlight.WriteAsync(new Sent(chunk, batch.End, batch.Frames.Count), cancellationToken);
            await stream.WriteAsync(message.WrittenMemory, cancellationToken);
        }
    }

    private async Task ReceiveAsync(NetworkStream stream, SpoolCursor cursor, ChannelReader<Sent> inFlight, CancellationToken cancellationToken)
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
            cursor.Advance(sent.End);
            _acknowledged.Add(sent.Events);
        }
    }

    /// <summary>The same events at the same place have the same id, also after a restart.</summary>
    private static string ChunkId(string folder, long start, long end) =>
        $"{Environment.MachineName}-{Path.GetFileName(folder)}-{start:x}-{end:x}";

    [LoggerMessage(Level = LogLevel.Warning, Message = "The connection to {Endpoint} failed ({Reason}); what is unacknowledged stays in the spool; next attempt in about {Milliseconds} ms")]
    private static partial void LogBroken(ILogger logger, Uri endpoint, string reason, double milliseconds);
}
