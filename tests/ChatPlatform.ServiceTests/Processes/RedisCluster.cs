using System.Globalization;
using System.Text;

namespace ChatPlatform.ServiceTests.Processes;

/// <summary>
/// Three <c>redis-server</c> processes that form a cluster the moment they run: each starts from a <c>nodes.conf</c> written ahead, with node ids, slots and addresses, so that
/// no <c>--cluster create</c> is needed. Not thread-safe; one owner disposes it.
/// </summary>
public sealed class RedisCluster : IAsyncDisposable
{
    private const int Nodes = 3;
    private const int Slots = 16_384;
    private readonly string _folder = Directory.CreateTempSubdirectory("chat-redis-").FullName;
    private readonly (int Port, int BusPort)[] _ports;
    private readonly ServiceProcess?[] _processes = new ServiceProcess?[Nodes];

    private RedisCluster()
    {
        _ports = [.. Enumerable.Range(0, Nodes).Select(_ => (ServiceProcess.FreePort(), ServiceProcess.FreePort()))];
        ConnectionString = string.Join(',', _ports.Select(node => $"127.0.0.1:{node.Port}"));
    }

    /// <summary>In the form of StackExchange.Redis.</summary>
    public string ConnectionString { get; }

    /// <summary>Starts the nodes and waits until each says that the cluster is whole.</summary>
    public static async Task<RedisCluster> StartAsync()
    {
        var cluster = new RedisCluster();
        for (var i = 0; i < Nodes; i++)
        {
            var folder = Directory.CreateDirectory(Path.Combine(cluster._folder, i.ToString(CultureInfo.InvariantCulture))).FullName;
            await File.WriteAllTextAsync(Path.Combine(folder, "nodes.conf"), cluster.NodesConf(i));
            cluster.StartNode(i);
        }

        for (var i = 0; i < Nodes; i++)
        {
            var port = cluster._ports[i].Port;
            await cluster._processes[i]!.WaitForAsync(() => SaysOkAsync(port), "cluster_state:ok");
        }

        return cluster;
    }

    /// <summary>Ends one node at once.</summary>
    public async Task KillNodeAsync(int index) => await _processes[index]!.KillAsync();

    /// <summary>Starts one node, empty, with the slots it had.</summary>
    public void StartNode(int index)
    {
        var (port, busPort) = _ports[index];
        _processes[index] = ServiceProcess.StartProgram("redis-server", "redis-server",
        [
            "--port", port.ToString(CultureInfo.InvariantCulture),
            "--cluster-port", busPort.ToString(CultureInfo.InvariantCulture),
            "--bind", "127.0.0.1",
            "--dir", Path.Combine(_folder, index.ToString(CultureInfo.InvariantCulture)),
            "--cluster-enabled", "yes",
            "--cluster-config-file", "nodes.conf",
            "--cluster-require-full-coverage", "no",
            "--save", "",
            "--appendonly", "no",
        ]);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
        {
            if (process is not null)
                await process.DisposeAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>https://redis.io/docs/latest/commands/cluster-nodes/ gives the lines' format; <c>vars</c> ends the file.</summary>
    private string NodesConf(int self)
    {
        var text = new StringBuilder();
        for (var i = 0; i < Nodes; i++)
        {
            var (port, busPort) = _ports[i];
            var (first, last) = (i * Slots / Nodes, ((i + 1) * Slots / Nodes) - 1);
            var flags = i == self ? "myself,master" : "master";
            text.Append(CultureInfo.InvariantCulture, $"{NodeId(i)} 127.0.0.1:{port}@{busPort} {flags} - 0 0 {i + 1} connected {first}-{last}\n");
        }

        return text.Append(CultureInfo.InvariantCulture, $"vars currentEpoch {Nodes} lastVoteEpoch 0\n").ToString();
    }

    private static string NodeId(int index) => new((char)('a' + index), 40);

    private static async Task<bool> SaysOkAsync(int port)
    {
        try
        {
            using var client = new System.Net.Sockets.TcpClient();
            await client.ConnectAsync("127.0.0.1", port);
            await using var stream = client.GetStream();
            await stream.WriteAsync("CLUSTER INFO\r\n"u8.ToArray());
            var buffer = new byte[4_096];
            var count = await stream.ReadAsync(buffer);
            return Encoding.ASCII.GetString(buffer, 0, count).Contains("cluster_state:ok", StringComparison.Ordinal);
        }
        catch (Exception error) when (error is IOException or System.Net.Sockets.SocketException)
        {
            return false;
        }
    }
}
