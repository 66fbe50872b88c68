using System.Text.Json.Nodes;

namespace ChatPlatform.AppHost.Eks;

/// <summary>
/// One policy a workload, which holds exactly the arrows of the app model that begin or end there, and name resolution. What no arrow names is refused
/// (https://kubernetes.io/docs/concepts/services-networking/network-policies/).
/// </summary>
internal sealed class NetworkPolicies(EksModel model)
{
    private const string InstanceMetadata = "169.254.0.0/16";

    public static JsonObject DenyAll(string space)
    {
        var value = KubernetesObjects.Object("networking.k8s.io/v1", "NetworkPolicy", "deny-all", space, new JsonObject { ["app.kubernetes.io/part-of"] = "chat" });
        value["spec"] = new JsonObject { ["podSelector"] = new JsonObject(), ["policyTypes"] = new JsonArray("Ingress", "Egress") };
        return value;
    }

    public JsonObject Of(EksWorkload workload)
    {
        var value = KubernetesObjects.Object("networking.k8s.io/v1", "NetworkPolicy", KubernetesObjects.Name(workload), workload.Namespace, KubernetesObjects.Labels(workload));
        value["spec"] = new JsonObject
        {
            ["podSelector"] = Pods(workload),
            ["policyTypes"] = new JsonArray("Ingress", "Egress"),
            ["ingress"] = new JsonArray([.. Ingress(workload)]),
            ["egress"] = new JsonArray([.. Egress(workload)]),
        };
        return value;
    }

    private IEnumerable<JsonNode> Ingress(EksWorkload workload)
    {
        foreach (var caller in model.Workloads)
        {
            var ports = caller.Arrows.OfType<EksArrow.ToResource>().Where(arrow => arrow.Target == workload.Place).Select(arrow => arrow.Port.ContainerPort).ToList();
            if (ports.Count > 0)
                yield return new JsonObject { ["from"] = new JsonArray(Peer(workload, caller)), ["ports"] = Ports(ports) };
        }

        if (workload.Annotation<EksIngress>() is { } ingress)
        {
            yield return new JsonObject
            {
                ["from"] = Blocks(model.Value(model.Parameters.LoadBalancerNetworks)),
                ["ports"] = Ports([workload.Port(ingress.Http).ContainerPort, workload.Port(ingress.Grpc).ContainerPort]),
            };
        }
    }

    private IEnumerable<JsonNode> Egress(EksWorkload workload)
    {
        yield return new JsonObject
        {
            ["to"] = new JsonArray(new JsonObject
            {
                ["namespaceSelector"] = Namespace("kube-system"),
                ["podSelector"] = new JsonObject { ["matchLabels"] = new JsonObject { ["k8s-app"] = "kube-dns" } },
            }),
            ["ports"] = new JsonArray(Port(53, "UDP"), Port(53, "TCP")),
        };
        foreach (var target in model.Workloads)
        {
            var ports = workload.Arrows.OfType<EksArrow.ToResource>().Where(arrow => arrow.Target == target.Place).Select(arrow => arrow.Port.ContainerPort).ToList();
            if (ports.Count > 0)
                yield return Rule(new JsonArray(Peer(workload, target)), ports);
        }

        foreach (var group in workload.Arrows.OfType<EksArrow.ToNamespace>().GroupBy(arrow => arrow.Namespace).OrderBy(group => group.Key, StringComparer.Ordinal))
            yield return Rule(new JsonArray(new JsonObject { ["namespaceSelector"] = Namespace(group.Key) }), group.Select(arrow => arrow.Port));
        foreach (var group in workload.Arrows.OfType<EksArrow.ToNetworks>().GroupBy(arrow => arrow.Networks).OrderBy(group => group.Key, StringComparer.Ordinal))
            yield return Rule(group.Key is null ? Anywhere() : Blocks(group.Key), group.Select(arrow => arrow.Port));

        static JsonObject Rule(JsonArray to, IEnumerable<int> ports) => new() { ["to"] = to, ["ports"] = Ports(ports) };
    }

    /// <summary>The pods of <paramref name="other"/> as <paramref name="self"/>'s policy names them: without a namespace it means its own.</summary>
    private static JsonObject Peer(EksWorkload self, EksWorkload other) => self.Namespace == other.Namespace
        ? new JsonObject { ["podSelector"] = Pods(other) }
        : new JsonObject { ["namespaceSelector"] = Namespace(other.Namespace), ["podSelector"] = Pods(other) };

    private static JsonObject Pods(EksWorkload workload) =>
        new() { ["matchLabels"] = new JsonObject { ["app.kubernetes.io/name"] = KubernetesObjects.Name(workload), ["app.kubernetes.io/part-of"] = "chat" } };

    private static JsonObject Namespace(string name) => new() { ["matchLabels"] = new JsonObject { ["kubernetes.io/metadata.name"] = name } };

    /// <summary>Everywhere but the node's own services: the instance's credentials are not for pods.</summary>
    private static JsonArray Anywhere() =>
        new(new JsonObject { ["ipBlock"] = new JsonObject { ["cidr"] = "0.0.0.0/0", ["except"] = new JsonArray(InstanceMetadata) } });

    private static JsonArray Blocks(string networks) =>
    [
        .. networks.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(cidr => (JsonNode)new JsonObject { ["ipBlock"] = new JsonObject { ["cidr"] = cidr } }),
    ];

    private static JsonArray Ports(IEnumerable<int> ports) => [.. ports.Distinct().Order().Select(port => (JsonNode)Port(port, "TCP"))];

    private static JsonObject Port(int port, string protocol) => new() { ["protocol"] = protocol, ["port"] = port };
}
