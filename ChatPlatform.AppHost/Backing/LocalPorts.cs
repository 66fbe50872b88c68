using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Microsoft.Extensions.Configuration;

namespace ChatPlatform.AppHost.Backing;

/// <summary>
/// The ports a person knows by heart, each to be moved by configuration (<c>Ports:Gateway=9080</c>, as environment <c>Ports__Gateway</c>).
/// With <c>Ports:Random=true</c>, for tests, every port not set is any free one.
/// </summary>
internal sealed class LocalPorts
{
    private readonly IConfiguration _configuration;
    private readonly bool _random;
    private readonly List<TcpListener> _reserved = [];

    public LocalPorts(IConfiguration configuration)
    {
        _configuration = configuration;
        _random = configuration.GetValue("Ports:Random", false);
        Gateway = Port("Gateway", 8080);
        GatewayGrpc = Port("GatewayGrpc", 8081);
        Aws = Port("Aws", 4566);
        Kafka = Port("Kafka", 9092);
        FluentBit = Port("FluentBit", 24224);
        Fcm = Port("Fcm", 8090);
        Redis = [.. Enumerable.Range(1, 3).Select(i => new RedisPorts(Port($"Redis{i}", 7000 + i), Port($"RedisBus{i}", 17000 + i)))];
        // Held until here so that no port is given twice.
        _reserved.ForEach(listener => listener.Dispose());
    }

    public int Gateway { get; }

    public int GatewayGrpc { get; }

    public int Aws { get; }

    public int Kafka { get; }

    public int FluentBit { get; }

    public int Fcm { get; }

    /// <summary>One pair a node: for clients, and for the nodes among themselves (https://redis.io/docs/latest/operate/oss_and_stack/management/scaling/).</summary>
    public IReadOnlyList<RedisPorts> Redis { get; }

    /// <summary>Checks that no two ports are the same and that nothing listens on them yet, so that a taken one is one clear line and nothing was started.</summary>
    /// <exception cref="StartProblem">A port is taken, or given twice.</exception>
    public void EnsureFree()
    {
        var taken = IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpListeners().Select(listener => listener.Port).ToHashSet();
        IEnumerable<(string Key, int Port)> wanted =
        [
            (nameof(Gateway), Gateway), (nameof(GatewayGrpc), GatewayGrpc), (nameof(Aws), Aws), (nameof(Kafka), Kafka), (nameof(FluentBit), FluentBit), (nameof(Fcm), Fcm),
            .. Redis.Index().SelectMany<(int Index, RedisPorts Item), (string, int)>(node =>
                [($"Redis{node.Index + 1}", node.Item.Client), ($"RedisBus{node.Index + 1}", node.Item.Bus)]),
        ];
        var given = new Dictionary<int, string>();
        foreach (var (key, port) in wanted)
        {
            if (!given.TryAdd(port, key))
                throw new StartProblem($"Ports__{given[port]} and Ports__{key} are both {port}; give one of them another port.");
            if (taken.Contains(port))
                throw new StartProblem($"port {port} is taken; end what listens there (ss -ltnp 'sport = :{port}') or set Ports__{key} to a free port.");
        }
    }

    private int Port(string key, int known)
    {
        if (_configuration[$"Ports:{key}"] is { Length: > 0 } set)
            return ushort.TryParse(set, out var port) && port > 0 ? port : throw new StartProblem($"Ports__{key} is '{set}'; it must be a port from 1 to 65535.");
        if (!_random)
            return known;
        // Below the ephemeral range, so that no outgoing connection is given the port before its owner binds it.
        while (true)
        {
            var listener = new TcpListener(IPAddress.Loopback, Random.Shared.Next(10_000, 20_000));
            try
            {
                listener.Start();
                _reserved.Add(listener);
                return ((IPEndPoint)listener.LocalEndpoint).Port;
            }
            catch (SocketException)
            {
                // Something listens there: try another.
                listener.Dispose();
            }
        }
    }
}

/// <summary>The two ports of a Redis Cluster node.</summary>
internal readonly record struct RedisPorts(int Client, int Bus);
