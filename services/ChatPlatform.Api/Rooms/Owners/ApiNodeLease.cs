using System.Net;
using ChatPlatform.Contracts.Sessions;
using ChatPlatform.ServiceDefaults;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Options;
using StackExchange.Redis;
using IServer = Microsoft.AspNetCore.Hosting.Server.IServer;

namespace ChatPlatform.Api.Rooms.Owners;

/// <summary>
/// Keeps this server in the directory of API servers (<see cref="SessionKeys.ApiNodes"/>) and <see cref="RoomOwners"/> informed of the others. One script renews, drops leases that ran
/// out and lists, by the clock of Redis, so that servers' clocks do not matter. While Redis is away the last list stays in use: a server on it that is gone is found out by calling it.
/// </summary>
internal sealed partial class ApiNodeLease(
    IConnectionMultiplexer redis,
    RoomOwners owners,
    IServer server,
    IOptions<OwnerOptions> options,
    IConfiguration configuration,
    TimeProvider time,
    IHostApplicationLifetime lifetime,
    ILogger<ApiNodeLease> logger)
    : BackgroundService
{
    /// <summary>How long servers may disagree on an owner.</summary>
    private static readonly TimeSpan Renewal = TimeSpan.FromSeconds(2);

    // KEYS: the directory. ARGV: the node, its lease in ms. A sorted set of nodes by the time their lease ends.
    private const string RenewAndList = """
        local clock = redis.call('TIME')
        local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
        redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
        redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
        return redis.call('ZRANGE', KEYS[1], 0, -1)
        """;

    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ApiNode? _self;

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        // Not before calls are served: others would pass calls on to nobody.
        lifetime.ApplicationStarted.Register(() => _started.TrySetResult());
        return base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Leaves when the stop begins, before the web server closes its ports, and goes on to finish what was accepted.
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, lifetime.ApplicationStopping);
        try
        {
            await _started.Task.WaitAsync(leaving.Token);
            if ((_self = Self()) is null)
            {
                Log.NoAddress(logger);
                return;
            }

            using var timer = new PeriodicTimer(Renewal, time);
            do
                await RenewAsync(_self);
            while (await timer.WaitForNextTickAsync(leaving.Token));
        }
        catch (OperationCanceledException) when (leaving.IsCancellationRequested)
        {
            if (_self is not null)
                await LeaveAsync(_self);
        }
    }

    private async Task RenewAsync(ApiNode self)
    {
        try
        {
            var listed = (string?[]?)await redis.GetDatabase().ScriptEvaluateAsync(
                RenewAndList, [SessionKeys.ApiNodes], [self.ToString(), (long)SessionKeys.LeaseTime.TotalMilliseconds]) ?? [];
            // Two of one address: it came back with another gRPC port, and the older lease has not run out.
            var others = listed.Select(node => ApiNode.Parse(node ?? "")).OfType<ApiNode>().Where(node => node.Address != self.Address).DistinctBy(node => node.Address);
            var nodes = others.Prepend(self).ToList();
            if (!nodes.ToHashSet().SetEquals(owners.Nodes))
                Log.NodesChanged(logger, string.Join(", ", nodes.Select(node => node.Address)));
            owners.Update(self, nodes);
        }
        catch (Exception error) when (Redis.IsAway(error))
        {
            Log.RedisAway(logger, error.Message);
        }
    }

    private async Task LeaveAsync(ApiNode self)
    {
        // The others still pass calls on until they renew; those are committed here.
        owners.Update(null, []);
        try
        {
            await redis.GetDatabase().SortedSetRemoveAsync(SessionKeys.ApiNodes, self.ToString());
        }
        catch (Exception error) when (Redis.IsAway(error))
        {
            // The lease runs out by itself.
            Log.RedisAway(logger, error.Message);
        }
    }

    /// <summary>Null when this server is bound to nothing that others could reach.</summary>
    private ApiNode? Self()
    {
        var host = configuration["POD_IP"] is { Length: > 0 } ip ? ip : IPAddress.Loopback.ToString();
        var grpcPort = int.TryParse(configuration[GrpcPort.Variable], out var port) && port > 0 ? port : (int?)null;
        var bound = server.Features.Get<IServerAddressesFeature>()?.Addresses.Select(BindingAddress.Parse).FirstOrDefault(address => address.Port != grpcPort);
        var address = Given(options.Value.AdvertisedAddress) ?? (bound is null ? null : Url(bound.Scheme, host, bound.Port));
        var grpc = Given(options.Value.AdvertisedGrpcAddress) ?? (grpcPort is null ? null : Url("http", host, grpcPort.Value));
        return address is null ? null : new ApiNode(address, grpc);

        static string? Given(string? value) => string.IsNullOrEmpty(value) ? null : value.TrimEnd('/');
        static string Url(string scheme, string host, int port) => new UriBuilder(scheme, host, port).Uri.GetLeftPart(UriPartial.Authority);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "API servers: {Nodes}")]
        public static partial void NodesChanged(ILogger logger, string nodes);

        [LoggerMessage(LogLevel.Warning, "The directory of API servers does not answer: {Reason}")]
        public static partial void RedisAway(ILogger logger, string reason);

        [LoggerMessage(LogLevel.Warning, "This server is bound to no address that others could reach; set Api:AdvertisedAddress. Rooms' changes are not passed on to their owners.")]
        public static partial void NoAddress(ILogger logger);
    }
}
