using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using ChatPlatform.Forwarder.Configuration;
using ChatPlatform.Forwarder.Delivery;
using ChatPlatform.Forwarder.Filters;
using ChatPlatform.Spool;
using MessagePack;

namespace ChatPlatform.Forwarder.Forward;

/// <summary>
/// Accepts Forward-protocol connections. A message is acknowledged after it is in the spool; a full spool makes the connection wait, unread, which is the sender's back-pressure. What is
/// no message closes its connection, and nothing else.
/// </summary>
internal sealed partial class ForwardServer(ForwardInputSettings settings, TcpListener listener, SpoolLog spool, IReadOnlyList<Filter> filters, ForwarderMetrics metrics, ILogger<ForwardServer> logger)
    : BackgroundService
{
    /// <summary>With buffer_max_size this bounds the memory that strangers can make this process hold.</summary>
    private const int MaxConnections = 256;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var room = new SemaphoreSlim(MaxConnections);
        var open = new HashSet<Task>();
        LogListening(logger, settings.Endpoint);
        try
        {
            while (true)
            {
                await room.WaitAsync(stoppingToken);
                var client = await listener.AcceptTcpClientAsync(stoppingToken);
                open.RemoveWhere(task => task.IsCompleted);
                open.Add(ServeAsync(client, room, stoppingToken));
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            await Task.WhenAll(open);
        }
        finally
        {
            listener.Dispose();
        }
    }

    private async Task ServeAsync(TcpClient client, SemaphoreSlim room, CancellationToken stoppingToken)
    {
        await Task.Yield();
        metrics.Connections(1);
        EndPoint? remote = null;
        try
        {
            using (client)
            {
                remote = client.Client.RemoteEndPoint;
                client.NoDelay = true;
                await using var stream = client.GetStream();
                await ReadAsync(stream, stoppingToken);
            }
        }
        catch (MalformedMessageException error)
        {
            metrics.Malformed();
            LogMalformed(logger, remote, error.Message);
        }
        catch (SpoolWriteException error)
        {
            // The sender keeps what was not acknowledged and comes again.
            LogNotKept(logger, remote, error.Message);
        }
        catch (Exception error) when (error is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            LogClosed(logger, remote, error.Message);
        }
        finally
        {
            metrics.Connections(-1);
            room.Release();
        }
    }

    private async Task ReadAsync(NetworkStream stream, CancellationToken cancellationToken)
    {
        var reader = PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: 64 * 1024, minimumReadSize: 4096, leaveOpen: true));
        var framer = new MessageFramer(settings.BufferMaxBytes);
        var scratch = new ArrayBufferWriter<byte>();
        var frame = new ArrayBufferWriter<byte>();
        var acks = new ArrayBufferWriter<byte>();
        var chain = new FilterChain(filters, metrics);
        try
        {
            while (true)
            {
                var read = await reader.ReadAsync(cancellationToken);
                var buffer = read.Buffer;
                while (!buffer.IsEmpty && framer.TryFrame(buffer, out var length))
                {
                    // An append that may wait for room must not hold back what is due for earlier messages.
                    if (spool.PendingBytes > spool.Options.LimitBytes / 2)
                        await SendAcksAsync(stream, acks, cancellationToken);
                    await KeepAsync(buffer.Slice(0, length), chain, scratch, frame, acks, cancellationToken);
                    buffer = buffer.Slice(length);
                }

                reader.AdvanceTo(buffer.Start, buffer.End);
                await SendAcksAsync(stream, acks, cancellationToken);
                if (read.IsCompleted)
                {
                    if (!buffer.IsEmpty)
                        throw new MalformedMessageException("the connection ended in the middle of a message");
                    return;
                }
            }
        }
        finally
        {
            await reader.CompleteAsync();
        }
    }

    private async ValueTask KeepAsync(
        ReadOnlySequence<byte> bytes, FilterChain chain, ArrayBufferWriter<byte> scratch, ArrayBufferWriter<byte> frame, ArrayBufferWriter<byte> acks, CancellationToken cancellationToken)
    {
        if (ForwardMessage.Read(bytes, settings.BufferMaxBytes, scratch) is not { } message)
            return;
        var tag = settings.Tag ?? settings.TagPrefix + message.Tag;
        var left = message.Count;
        var entries = chain.Apply(tag, message.Entries, ref left);
        if (left > 0)
        {
            frame.ResetWrittenCount();
            ChunkFrame.Write(frame, tag, entries.Span);
            await spool.AppendAsync(frame.WrittenMemory, cancellationToken);
        }

        metrics.Received(settings.Alias, message.Count, bytes.Length);
        if (message.Chunk is { } chunk)
            WriteAck(acks, chunk);
    }

    private static async ValueTask SendAcksAsync(NetworkStream stream, ArrayBufferWriter<byte> acks, CancellationToken cancellationToken)
    {
        if (acks.WrittenCount == 0)
            return;
        await stream.WriteAsync(acks.WrittenMemory, cancellationToken);
        acks.ResetWrittenCount();
    }

    private static void WriteAck(ArrayBufferWriter<byte> acks, string chunk)
    {
        var writer = new MessagePackWriter(acks);
        writer.WriteMapHeader(1);
        writer.WriteString("ack"u8);
        writer.Write(chunk);
        writer.Flush();
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Listening for the Forward protocol on {Endpoint}")]
    private static partial void LogListening(ILogger logger, IPEndPoint endpoint);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Closed the connection of {Remote}: {Reason}")]
    private static partial void LogMalformed(ILogger logger, EndPoint? remote, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Closed the connection of {Remote} without an acknowledgement: {Reason}")]
    private static partial void LogNotKept(ILogger logger, EndPoint? remote, string reason);

    [LoggerMessage(Level = LogLevel.Debug, Message = "The connection of {Remote} ended: {Reason}")]
    private static partial void LogClosed(ILogger logger, EndPoint? remote, string reason);
}
