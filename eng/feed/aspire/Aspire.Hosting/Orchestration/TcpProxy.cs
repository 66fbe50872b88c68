using System.Buffers;
using System.Net;
using System.Net.Sockets;

namespace Aspire.Hosting.Orchestration;

/// <summary>
/// Takes connections on an advertised port of the loopback interface and hands them to the copies of a program in turn. A connection whose copy refuses is
/// offered to the next one; when all refuse it is closed. Bytes are passed on as they come, each direction ends for itself.
/// </summary>
internal sealed class TcpProxy : IAsyncDisposable
{
    private const int FirstPort = 20_000;
    private const int PortCount = 12_000;
    private static int s_nextPort = Environment.ProcessId * 97 % PortCount;

    private const int BufferSize = 32 * 1024;
    private readonly List<Socket> _listeners;
    private readonly CancellationTokenSource _stopping = new();
    private readonly List<Task> _accepting;
    private volatile int[] _targets = [];
    private uint _next;

    private TcpProxy(List<Socket> listeners)
    {
        _listeners = listeners;
        Port = ((IPEndPoint)listeners[0].LocalEndPoint!).Port;
        _accepting = [.. listeners.Select(l => Task.Run(() => AcceptAsync(l)))];
    }

    public int Port { get; }

    /// <summary>The ports the copies listen on.</summary>
    public void SetTargets(IEnumerable<int> ports) => _targets = [.. ports];

    /// <exception cref="SocketException">The port is taken.</exception>
    public static TcpProxy Listen(int? port)
    {
        var first = Bind(IPAddress.Loopback, port ?? 0);
        List<Socket> listeners = [first];
        if (Socket.OSSupportsIPv6)
        {
            try
            {
                // "localhost" may mean ::1 to a client; a machine without it is served by 127.0.0.1 alone.
                listeners.Add(Bind(IPAddress.IPv6Loopback, ((IPEndPoint)first.LocalEndPoint!).Port));
            }
            catch (SocketException)
            {
                return new TcpProxy(listeners);
            }
        }

        return new TcpProxy(listeners);
    }

    public static int FreePort()
    {
        // Below the ephemeral range: between this answer and the program's own bind no outgoing connection can be given the port. Each process counts from a
        // place of its own and never gives a port twice before it has gone round.
        while (true)
        {
            var port = FirstPort + (int)((uint)Interlocked.Increment(ref s_nextPort) % PortCount);
            try
            {
                Probe(port);
                return port;
            }
            catch (SocketException)
            {
                // Something listens there.
                continue;
            }
        }
    }

    /// <exception cref="SocketException">The port is taken.</exception>
    public static void Probe(int port) => Bind(IPAddress.Loopback, port).Dispose();

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        _listeners.ForEach(l => l.Dispose());
        await Task.WhenAll(_accepting).ConfigureAwait(false);
    }

    private static Socket Bind(IPAddress address, int port)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(address, port));
            socket.Listen(4096);
            return socket;
        }
        catch (SocketException)
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task AcceptAsync(Socket listener)
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                var client = await listener.AcceptAsync(_stopping.Token).ConfigureAwait(false);
                _ = Task.Run(() => ServeAsync(client));
            }
            catch (Exception exception) when (exception is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException)
            {
                // The client has gone again, or descriptors are short: the next one may do better.
                await Task.Delay(10).ConfigureAwait(false);
            }
        }
    }

    private async Task ServeAsync(Socket client)
    {
        using (client)
        {
            try
            {
                using var server = await ConnectAsync().ConfigureAwait(false);
                if (server is null)
                {
                    return;
                }

                client.NoDelay = true;
                server.NoDelay = true;
                using var ending = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
                await Task.WhenAll(PumpAsync(client, server, ending), PumpAsync(server, client, ending)).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is SocketException or OperationCanceledException or ObjectDisposedException)
            {
                // One side broke off or the proxy ends: both sides are closed.
                return;
            }
        }
    }

    private async Task<Socket?> ConnectAsync()
    {
        var targets = _targets;
        for (var i = 0; i < targets.Length; i++)
        {
            var port = targets[Interlocked.Increment(ref _next) % (uint)targets.Length];
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), _stopping.Token).ConfigureAwait(false);
                return socket;
            }
            catch (Exception exception) when (exception is SocketException or OperationCanceledException)
            {
                socket.Dispose();
            }
        }

        return null;
    }

    private static async Task PumpAsync(Socket from, Socket to, CancellationTokenSource ending)
    {
        try
        {
            while (true)
            {
                // Waits without a buffer: an idle connection holds no memory.
                await from.ReceiveAsync(Memory<byte>.Empty, ending.Token).ConfigureAwait(false);
                var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
                try
                {
                    var count = await from.ReceiveAsync(buffer, ending.Token).ConfigureAwait(false);
                    if (count == 0)
                    {
                        to.Shutdown(SocketShutdown.Send);
                        return;
                    }

                    for (var sent = 0; sent < count;)
                    {
                        sent += await to.SendAsync(buffer.AsMemory(sent, count - sent), ending.Token).ConfigureAwait(false);
                    }
                }
                finally
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                }
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // Broken, not ended: the other direction has nothing to wait for.
            await ending.CancelAsync().ConfigureAwait(false);
        }
    }
}
