using System.Buffers;
using System.Net.Sockets;
using MessagePack;

namespace ChatPlatform.ServiceTests.Events;

/// <summary>A sender as simple as can be: one message, one acknowledgement. Not thread-safe.</summary>
internal sealed class ForwardClient : IDisposable
{
    private readonly TcpClient _client;
    private readonly NetworkStream _stream;
    private readonly MessagePackStreamReader _answers;

    public ForwardClient(int port)
    {
        _client = new TcpClient("127.0.0.1", port) { NoDelay = true };
        _stream = _client.GetStream();
        _answers = new MessagePackStreamReader(_stream, leaveOpen: true);
    }

    public static byte[] Message(string chunk, params (string Key, string Event)[] records)
    {
        var entries = new ArrayBufferWriter<byte>();
        var inner = new MessagePackWriter(entries);
        foreach (var (key, text) in records)
        {
            inner.WriteArrayHeader(2);
            inner.Write(1_700_000_000);
            inner.WriteMapHeader(2);
            inner.Write("key");
            inner.Write(key);
            inner.Write("event");
            inner.Write(text);
        }

        inner.Flush();
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new MessagePackWriter(buffer);
        writer.WriteArrayHeader(3);
        writer.Write("chat.events");
        writer.Write(entries.WrittenSpan);
        writer.WriteMapHeader(1);
        writer.Write("chunk");
        writer.Write(chunk);
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Returns when the acknowledgement is here.</summary>
    public async Task SendAsync(string chunk, params (string Key, string Event)[] records)
    {
        await SendRawAsync(Message(chunk, records));
        (await AckAsync()).ShouldBe(chunk);
    }

    public async Task SendRawAsync(byte[] bytes) => await _stream.WriteAsync(bytes);

    /// <summary>The next acknowledged chunk; null when the other side closed the connection.</summary>
    public async Task<string?> AckAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        try
        {
            return await _answers.ReadAsync(limit.Token) is { } answer ? MessagePackSerializer.Deserialize<Dictionary<string, string>>(answer)["ack"] : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>No more bytes from here, the connection half-closed.</summary>
    public void EndSending()
    {
        try
        {
            _client.Client.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException closed) when (closed.SocketErrorCode == SocketError.NotConnected)
        {
            // The other side closed it already, which is what some callers are after.
            return;
        }
    }

    public void Dispose()
    {
        _answers.Dispose();
        _client.Dispose();
    }
}
