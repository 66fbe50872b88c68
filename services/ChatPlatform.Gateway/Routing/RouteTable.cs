using System.Net;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;

namespace ChatPlatform.Gateway.Routing;

/// <summary>
/// The routes and clusters of the front door. What is not listed is not reachable from outside: <c>/internal/*</c> above all, which services call on the
/// API directly.
/// </summary>
internal static class RouteTable
{
    /// <summary>Cluster ids; they also name the health checks and the metric's <c>upstream</c> tag.</summary>
    public const string Api = "api";
    public const string Relay = "relay";
    public const string ApiGrpc = "api-grpc";

    /// <summary>
    /// Bytes of a REST body that are passed on. The API's own limit of 64 KiB is what a client meets; this one only keeps a client from pushing megabytes
    /// through
    /// before the API's answer reaches it.
    /// </summary>
    public const long MaxBodyBytes = 1024 * 1024;

    private const long NoLimit = -1;

    public static IReadOnlyList<RouteConfig> Routes(GatewayOptions options)
    {
        List<RouteConfig> routes =
        [
            // A literal segment wins over a catch-all, so /v1/ws never reaches the API.
            Route("sockets", Relay, "/v1/ws"),
            Route("rest", Api, "/v1/{**rest}"),
            Route("development", Api, "/dev/{**rest}"),
            Route("openapi", Api, "/openapi/{**rest}"),
        ];
        if (!string.IsNullOrWhiteSpace(options.ApiGrpc))
        {
            // A stream's messages count together as one body, hence no limit here; the API limits each message.
            routes.Add(Route("grpc-chat", ApiGrpc, "/chat.v1.ChatService/{**method}") with { MaxRequestBodySize = NoLimit });
            routes.Add(Route("grpc-health", ApiGrpc, "/grpc.health.v1.Health/{**method}") with { MaxRequestBodySize = NoLimit });
        }

        return routes;
    }

    public static IReadOnlyList<ClusterConfig> Clusters(GatewayOptions options)
    {
        List<ClusterConfig> clusters =
        [
            Cluster(Api, options.Api, HttpVersion.Version11, TimeSpan.FromSeconds(30)),
            // A socket is silent for at most a heartbeat of 25 s; after four of them the relay or the client is gone.
            Cluster(Relay, options.Relay, HttpVersion.Version11, TimeSpan.FromSeconds(100)),
        ];
        if (!string.IsNullOrWhiteSpace(options.ApiGrpc))
        {
            // A subscription may be silent for as long as nobody writes; a client that is cut off after an hour of silence resumes by seq.
            clusters.Add(Cluster(ApiGrpc, options.ApiGrpc, HttpVersion.Version20, TimeSpan.FromHours(1)));
        }

        return clusters;
    }

    private static RouteConfig Route(string id, string cluster, string path) =>
        new() { RouteId = id, ClusterId = cluster, Match = new RouteMatch { Path = path }, MaxRequestBodySize = MaxBodyBytes };

    private static ClusterConfig Cluster(string id, string addresses, Version version, TimeSpan silence) => new()
    {
        ClusterId = id,
        LoadBalancingPolicy = "PowerOfTwoChoices",
        Destinations = GatewayOptions.Addresses(addresses)
            .Select((address, i) => (Key: $"{id}-{i + 1}", Value: new DestinationConfig { Address = address }))
            .ToDictionary(d => d.Key, d => d.Value),
        HealthCheck = new HealthCheckConfig
        {
            // A destination that keeps refusing connections rests; when all do, all are tried: an answer of 502 now beats one of 503 for a whole rest period.
            AvailableDestinationsPolicy = "HealthyOrPanic",
            Passive = new PassiveHealthCheckConfig { Enabled = true, Policy = "TransportFailureRate", ReactivationPeriod = TimeSpan.FromSeconds(10) },
        },
        HttpRequest = new ForwarderRequestConfig { Version = version, VersionPolicy = HttpVersionPolicy.RequestVersionExact, ActivityTimeout = silence },
    };
}
