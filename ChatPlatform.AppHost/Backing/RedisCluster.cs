using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace ChatPlatform.AppHost.Backing;

/// <summary>
/// Three <c>redis-server</c> processes that are a cluster from their first moment: each finds a <c>nodes.conf</c> which already names the others and shares out the
/// 16,384 slots, so that no <c>redis-cli --cluster create</c> has to run (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/).
/// Nothing is kept: what they hold is sessions and limits, and a relay registers its sockets again.
/// </summary>
internal static class RedisCluster
{
    private const int Slots = 16384;

    /// <summary>Adds the nodes and the connection string <c>127.0.0.1:P1,127.0.0.1:P2,127.0.0.1:P3</c>, healthy once every node reports <c>cluster_state:ok</c>.</summary>
    public static IResourceBuilder<IResourceWithConnectionString> AddRedisCluster(
        this IDistributedApplicationBuilder builder, string name, IReadOnlyList<RedisPorts> ports, Func<string, string> dataFolder)
    {
        var nodes = ports.Select((port, i) => builder
            .AddExecutable($"{name}-{i + 1}", "redis-server", dataFolder($"{name}-{i + 1}"),
                "--port", $"{port.Client}", "--bind", "127.0.0.1", "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-port", $"{port.Bus}",
                "--cluster-announce-ip", "127.0.0.1", "--cluster-node-timeout", "2000", "--save", "", "--appendonly", "no", "--daemonize", "no", "--loglevel", "notice")
            .WithEndpoint(port: port.Client, targetPort: port.Client, scheme: "tcp", name: "tcp", isProxied: false)
            .WithIconName("Database")).ToArray();

        builder.Eventing.Subscribe<BeforeStartEvent>((_, _) =>
        {
            for (var i = 0; i < ports.Count; i++)
                File.WriteAllText(Path.Combine(dataFolder($"{name}-{i + 1}"), "nodes.conf"), NodesFile(ports, i));
            return Task.CompletedTask;
        });

        var key = $"{name}-cluster";
        builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(key, new ClusterStateCheck(ports), HealthStatus.Unhealthy, tags: null));
        var cluster = builder.AddConnectionString(name, ReferenceExpression.Create($"{string.Join(',', ports.Select(port => $"127.0.0.1:{port.Client}"))}"))
            .WithHealthCheck(key);
        foreach (var node in nodes)
        {
            node.WithParentRelationship(cluster);
            cluster.WaitForStart(node);
        }

        return cluster;
    }

    /// <summary>One line a node, then the epochs; the format of the file is that of <c>CLUSTER NODES</c> (https://redis.io/docs/latest/commands/cluster-nodes/).</summary>
    internal static string NodesFile(IReadOnlyList<RedisPorts> ports, int self)
    {
        var file = new StringBuilder();
        for (var i = 0; i < ports.Count; i++)
        {
            var (first, next) = (Slots * i / ports.Count, Slots * (i + 1) / ports.Count);
            var flags = i == self ? "myself,master" : "master";
            file.Append($"{i + 1:x40} 127.0.0.1:{ports[i].Client}@{ports[i].Bus} {flags} - 0 0 {i + 1} connected {first}-{next - 1}\n");
        }

        return file.Append($"vars currentEpoch {ports.Count} lastVoteEpoch 0\n").ToString();
    }

    private sealed class ClusterStateCheck(IReadOnlyList<RedisPorts> ports) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            foreach (var port in ports)
            {
                try
                {
                    using var client = new TcpClient();
                    await client.ConnectAsync("127.0.0.1", port.Client, cancellationToken);
                    await client.GetStream().WriteAsync("CLUSTER INFO\r\n"u8.ToArray(), cancellationToken);
                    // The state is the first line of the answer, and the answer one small segment.
                    var answer = new byte[1024];
                    var length = await client.GetStream().ReadAtLeastAsync(answer, "$000\r\ncluster_state:ok".Length, throwOnEndOfStream: false, cancellationToken);
                    if (!Encoding.ASCII.GetString(answer, 0, length).Contains("cluster_state:ok"))
                        return HealthCheckResult.Unhealthy($"the node on port {port.Client} sees no whole cluster yet");
                }
                catch (SocketException error)
                {
                    return HealthCheckResult.Unhealthy($"no node answers on port {port.Client}", error);
                }
            }

            return HealthCheckResult.Healthy();
        }
    }
}
