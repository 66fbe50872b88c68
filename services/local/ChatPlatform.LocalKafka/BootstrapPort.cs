using System.Net;
using System.Net.Sockets;

namespace ChatPlatform.LocalKafka;

/// <summary>The fixed port, bound before anything else is started, so that a taken one is one clear line.</summary>
internal sealed class BootstrapPort : IDisposable
{
    private readonly TcpListener _listener;

    private BootstrapPort(TcpListener listener) => _listener = listener;

    /// <exception cref="LocalKafkaException">The port is taken or may not be used.</exception>
    public static BootstrapPort Bind(int port)
    {
        var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
        }
        catch (SocketException error)
        {
            throw new LocalKafkaException($"port 127.0.0.1:{port} (KAFKA_PORT) cannot be used: {error.Message}.");
        }

        return new BootstrapPort(listener);
    }

    public ValueTask<TcpClient> AcceptAsync(CancellationToken cancellationToken) => _listener.AcceptTcpClientAsync(cancellationToken);

    public void Dispose() => _listener.Dispose();
}

/// <summary>
/// Carries connections of the fixed port to the cluster's random one. A client needs it for its first contact only: the metadata it gets there name the random port, on the same loopback.
/// </summary>
internal sealed partial class BootstrapForwarder(BootstrapPort port, IPEndPoint cluster, ILogger<BootstrapForwarder> logger) : BackgroundService
{
    private const int MaxConnections = 256;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        LogListening(logger, cluster);
        using var room = new SemaphoreSlim(MaxConnections);
        var open = new HashSet<Task>();
        try
        {
            while (true)
            {
                await room.WaitAsync(stoppingToken);
                var client = await port.AcceptAsync(stoppingToken);
                open.RemoveWhere(t => t.IsCompleted);
                open.Add(CarryAsync(client, room, stoppingToken));
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            await Task.WhenAll(open);
        }
    }

    private async Task CarryAsync(TcpClient client, SemaphoreSlim room, CancellationToken stoppingToken)
    {
        try
        {
            using (client)
            using (var broker = new TcpClient())
            {
                await broker.ConnectAsync(cluster, stoppingToken);
                await using var near = client.GetStream();
                await using var far = broker.GetStream();
                using var ended = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
                var ways = new[] { near.CopyToAsync(far, ended.Token), far.CopyToAsync(near, ended.Token) };
                await Task.WhenAny(ways);
                await ended.CancelAsync();
                await Task.WhenAll(ways);
            }
        }
        catch (Exception error) when (error is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            LogClosed(logger, error.Message);
        }
        finally
        {
            room.Release();
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The cluster listens on {Address} and is reached through the bootstrap port")]
    private static partial void LogListening(ILogger logger, IPEndPoint address);

    [LoggerMessage(Level = LogLevel.Debug, Message = "A bootstrap connection ended: {Reason}")]
    private static partial void LogClosed(ILogger logger, string reason);
}
