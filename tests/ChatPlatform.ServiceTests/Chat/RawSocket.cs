using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ChatPlatform.ServiceTests.Chat;

/// <summary>
/// The least that is a WebSocket client (RFC 6455): tens of thousands of them must cost the measuring process little. Frames under 64 KiB, no extensions. One user at a time.
/// </summary>
internal sealed class RawSocket : IAsyncDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private byte[]? _left;

    /// <summary>The code of the server's close frame; 0 while there was none.</summary>
    public int CloseCode { get; private set; }

    /// <summary>Connects, from the given loopback address so that ports do not run out, and gives once the server has switched protocols.</summary>
    /// <param name="receiveBuffer">In bytes, for a client that is to take little; 0 is the kernel's choice.</param>
    public static async Task<RawSocket> ConnectAsync(Uri server, IPAddress from, string token, CancellationToken cancellationToken, int receiveBuffer = 0)
    {
        var socket = new RawSocket();
        try
        {
            if (receiveBuffer > 0)
                socket._socket.ReceiveBufferSize = receiveBuffer;
            socket._socket.Bind(new IPEndPoint(from, 0));
            await socket._socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, server.Port), cancellationToken);
            await socket._socket.SendAsync(
                Encoding.ASCII.GetBytes(
                    $"GET /v1/ws HTTP/1.1\r\nHost: {server.Authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
                    $"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat.v1.json\r\nAuthorization: Bearer {token}\r\n\r\n"),
                cancellationToken);
            await socket.ReadHandshakeAsync(cancellationToken);
            return socket;
        }
        catch
        {
            await socket.DisposeAsync();
            throw;
        }
    }

    /// <summary>Sends one text frame of at most 64 KiB, masked with zero.</summary>
    public Task SendAsync(string text, CancellationToken cancellationToken) => SendAsync(Encoding.UTF8.GetBytes(text), cancellationToken);

    /// <summary>The same with a payload that may be no UTF-8.</summary>
    public Task SendAsync(byte[] payload, CancellationToken cancellationToken)
    {
        var length = payload.Length;
        var header = length < 126 ? 2 : 4;
        var frame = new byte[header + 4 + length];
        frame[0] = 0x81;
        frame[1] = (byte)(0x80 | (length < 126 ? length : 126));
        if (header == 4)
            BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(2), checked((ushort)length));
        payload.CopyTo(frame.AsSpan(header + 4));
        return SendBytesAsync(frame, cancellationToken);
    }

    /// <summary>Sends bytes as they are.</summary>
    public async Task SendBytesAsync(byte[] bytes, CancellationToken cancellationToken) => await _socket.SendAsync(bytes, cancellationToken);

    /// <summary>
    /// Reads what has come, and gives the payloads of the whole text frames in it; none when the server closed (<see cref="CloseCode"/> says why) or dropped the connection.
    /// <paramref name="buffer"/> must hold the largest frame.
    /// </summary>
    public async Task<List<string>> ReadAsync(byte[] buffer, CancellationToken cancellationToken)
    {
        List<string> frames = [];
        await ReadAsync(buffer, payload => frames.Add(Encoding.UTF8.GetString(payload)), cancellationToken);
        return frames;
    }

    /// <summary>The same, and gives only how many frames they are.</summary>
    public async Task<int> CountAsync(byte[] buffer, CancellationToken cancellationToken)
    {
        var count = 0;
        await ReadAsync(buffer, _ => count++, cancellationToken);
        return count;
    }

    /// <summary>Drops the connection without a word: the peer sees a reset.</summary>
    public void Reset()
    {
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Dispose();
    }

    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>The same, and gives each payload to <paramref name="take"/>, which must not keep it.</summary>
    public async Task ReadAsync(byte[] buffer, Action<ReadOnlySpan<byte>> take, CancellationToken cancellationToken)
    {
        var count = _left?.Length ?? 0;
        _left?.CopyTo(buffer, 0);
        for (var any = false; !any;)
        {
            var read = await ReceiveAsync(buffer.AsMemory(count), cancellationToken);
            if (read == 0)
                return;
            count += read;
            var at = 0;
            while (TryTake(buffer.AsSpan(at, count - at), out var size, out var header))
            {
                if ((buffer[at] & 0x0F) == 8)
                {
                    CloseCode = size - header < 2 ? 1005 : BinaryPrimitives.ReadUInt16BigEndian(buffer.AsSpan(at + header));
                    return;
                }

                take(buffer.AsSpan(at + header, size - header));
                any = true;
                at += size;
            }

            buffer.AsSpan(at, count - at).CopyTo(buffer);
            count -= at;
        }

        _left = count == 0 ? null : buffer.AsSpan(0, count).ToArray();
    }

    private async Task<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            return await _socket.ReceiveAsync(buffer, cancellationToken);
        }
        catch (SocketException error) when (error.SocketErrorCode == SocketError.ConnectionReset)
        {
            return 0;
        }
    }

    private static bool TryTake(ReadOnlySpan<byte> data, out int size, out int header)
    {
        (size, header) = (0, 2);
        if (data.Length < 2)
            return false;
        int length = data[1];
        if (length == 126)
        {
            if (data.Length < 4)
                return false;
            length = BinaryPrimitives.ReadUInt16BigEndian(data[2..]);
            header = 4;
        }

        size = header + length;
        return data.Length >= size;
    }

    private async Task ReadHandshakeAsync(CancellationToken cancellationToken)
    {
        var buffer = new byte[1_024];
        var count = 0;
        while (!buffer.AsSpan(0, count).EndsWith("\r\n\r\n"u8))
        {
            var read = await _socket.ReceiveAsync(buffer.AsMemory(count), cancellationToken);
            if (read == 0 || count + read == buffer.Length)
                throw new IOException($"no handshake: {Encoding.ASCII.GetString(buffer, 0, count)}");
            count += read;
        }

        if (!buffer.AsSpan().StartsWith("HTTP/1.1 101 "u8))
            throw new IOException($"no handshake: {Encoding.ASCII.GetString(buffer, 0, count)}");
    }
}
