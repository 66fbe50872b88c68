using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ChatPlatform.AppHost.Eks;

/// <summary>
/// The Application Load Balancer, made by the AWS Load Balancer Controller from two Ingresses of one group, since HTTP/1.1 (REST, pages, WebSockets) and gRPC need target groups of
/// different protocol versions (https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/).
/// </summary>
internal sealed class LoadBalancing(EksModel model)
{
    private const string Prefix = "alb.ingress.kubernetes.io/";
    private const string Action = "shared-out";

    public IEnumerable<JsonObject> Of(EksWorkload workload, EksIngress ingress)
    {
        var health = workload.Health ?? throw new EksPublishException([$"resource '{workload.Name}' has no health check; the load balancer needs one."]);
        // The longer rule first: within a group the controller goes by this order.
        yield return Ingress(workload, ingress, "grpc", order: 1, ingress.Grpc, ingress.GrpcPaths, new()
        {
            ["backend-protocol-version"] = "GRPC",
            ["healthcheck-path"] = "/grpc.health.v1.Health/Check",
            ["success-codes"] = "0",
        });
        yield return Ingress(workload, ingress, "http", order: 10, ingress.Http, ["/"], new()
        {
            ["backend-protocol-version"] = "HTTP1",
            ["healthcheck-path"] = health.Path,
            ["success-codes"] = "200",
        });
    }

    /// <summary>A target that leaves is given the time to say goodbye to its clients.</summary>
    public static JsonObject TargetGroup(EksWorkload workload) => new()
    {
        [Prefix + "target-group-attributes"] =
            $"deregistration_delay.timeout_seconds={workload.Drain.LeaveSeconds + workload.Drain.StopSeconds},load_balancing.algorithm.type=least_outstanding_requests",
    };

    private JsonObject Ingress(
        EksWorkload workload, EksIngress ingress, string name, int order, string endpoint, IReadOnlyList<string> paths, Dictionary<string, string> protocol)
    {
        var port = workload.Port(endpoint);
        var annotations = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["group.name"] = "chat",
            ["group.order"] = $"{order}",
            ["scheme"] = "internet-facing",
            ["target-type"] = "ip",
            ["listen-ports"] = """[{"HTTPS":443}]""",
            ["certificate-arn"] = model.Value(model.Parameters.CertificateArn),
            ["ssl-policy"] = "ELBSecurityPolicy-TLS13-1-2-2021-06",
            // Longer than any silence that a relay allows a socket; the default of 60 s is shorter than what the gateway waits for.
            ["load-balancer-attributes"] =
                $"idle_timeout.timeout_seconds={ingress.IdleSeconds},routing.http.drop_invalid_header_fields.enabled=true,routing.http.xff_header_processing.mode=append",
            ["healthcheck-interval-seconds"] = "10",
            ["healthcheck-timeout-seconds"] = "5",
            ["healthy-threshold-count"] = "2",
            ["unhealthy-threshold-count"] = "3",
            [$"actions.{Action}"] = Forward(workload, port),
        };
        foreach (var (key, text) in protocol)
            annotations[key] = text;

        var value = KubernetesObjects.Object("networking.k8s.io/v1", "Ingress", $"{KubernetesObjects.Name(workload)}-{name}", workload.Namespace, KubernetesObjects.Labels(workload));
        value["metadata"]!["annotations"] = new JsonObject([.. annotations.Select(annotation => KeyValuePair.Create(Prefix + annotation.Key, (JsonNode?)annotation.Value))]);
        value["spec"] = new JsonObject
        {
            ["ingressClassName"] = "alb",
            ["rules"] = new JsonArray(new JsonObject
            {
                ["host"] = model.Value(model.Parameters.Host),
                ["http"] = new JsonObject
                {
                    ["paths"] = new JsonArray([.. paths.Select(path => new JsonObject
                    {
                        ["path"] = path,
                        ["pathType"] = "Prefix",
                        // The annotation says where to; the controller asks for this port's name.
                        ["backend"] = new JsonObject { ["service"] = new JsonObject { ["name"] = Action, ["port"] = new JsonObject { ["name"] = "use-annotation" } } },
                    })]),
                },
            }),
        };
        return value;
    }

    private string Forward(EksWorkload workload, EksPort port) => JsonSerializer.Serialize(new
    {
        type = "forward",
        forwardConfig = new
        {
            targetGroups = KubernetesObjects.Pods(workload)
                .Select(pods => new { serviceName = pods.Pods, servicePort = port.ServicePort, weight = pods.Weight is null ? 100 : Weight(pods.Weight) }),
        },
    });

    private int Weight(ParameterResource parameter) => int.TryParse(model.Value(parameter), NumberStyles.None, CultureInfo.InvariantCulture, out var weight) && weight <= 999
        ? weight
        : throw new EksPublishException([$"parameter '{parameter.Name}' is '{model.Value(parameter)}'; it must be a number from 0 to 999."]);
}
