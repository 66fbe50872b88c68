using System.Buffers;
using Microsoft.AspNetCore.Connections;

namespace ChatPlatform.Relay.Sockets;

/// <summary>A connection's bytes as a stream for a WebSocket. A read into nothing waits for bytes and holds no buffer. One reader and one writer at a time; disposing ends both.</summary>
internal sealed class TransportStream(ConnectionContext connection) : Stream
{
    public override bool CanRead => true;

    public override bool CanWrite => true;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var input = connection.Transport.Input;
        var result = await input.ReadAsync(cancellationToken);
        if (result.IsCanceled)
            throw new IOException("The connection was given up.");
        var count = (int)Math.Min(result.Buffer.Length, buffer.Length);
        var taken = result.Buffer.Slice(0, count);
        taken.CopyTo(buffer.Span);
        input.AdvanceTo(taken.End);
        return count;
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var result = await connection.Transport.Output.WriteAsync(buffer, cancellationToken);
        if (result.IsCanceled || result.IsCompleted)
            throw new IOException("The connection was given up, or the peer is gone.");
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            connection.Transport.Input.CancelPendingRead();
            connection.Transport.Output.CancelPendingFlush();
        }

        base.Dispose(disposing);
    }
}
