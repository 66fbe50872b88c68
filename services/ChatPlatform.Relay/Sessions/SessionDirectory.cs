using ChatPlatform.Contracts.Sessions;
using ChatPlatform.Relay.Sockets;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace ChatPlatform.Relay.Sessions;

/// <summary>
/// This node's part of the session directory (<see cref="SessionKeys"/>). Every script uses one user's keys only, so that it runs in a cluster. Redis being away costs
/// reachability, never a socket: what could not be written is written when it returns. Thread-safe.
/// </summary>
internal sealed partial class SessionDirectory(
    IConnectionMultiplexer redis, SessionRegistry registry, IOptions<RelayOptions> options, TimeProvider time, ILogger<SessionDirectory> logger)
{
    private const int BatchSize = 500;
    private static readonly TimeSpan SeenLifetime = TimeSpan.FromDays(90);

    // KEYS: sessions. ARGV: connection, node, limit. The count and the write are one step, so that two relays cannot both take the last place.
    private const string Join = """
        if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
        redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
        return 1
        """;

    // KEYS: sessions, seen. ARGV: connection, now, lifetime of seen.
    private const string Leave = """
        redis.call('HDEL', KEYS[1], ARGV[1])
        if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3]) end
        return 1
        """;

    private readonly RelayOptions _options = options.Value;

    public string NodeId => _options.NodeId;

    /// <summary>Registers a session; false when the user has too many live ones on all relays together. True as well when Redis does not answer.</summary>
    public async Task<bool> TryJoinAsync(ChatSocket socket)
    {
        try
        {
            if (await JoinAsync(socket))
                return true;
            await SweepAsync(socket.UserId);
            return await JoinAsync(socket);
        }
        catch (Exception error) when (error is RedisException or TimeoutException)
        {
            Log.RedisAway(logger, error.Message);
            return true;
        }
    }

    public async Task LeaveAsync(ChatSocket socket)
    {
        try
        {
            await redis.GetDatabase().ScriptEvaluateAsync(
                Leave,
                [SessionKeys.Sessions(socket.UserId), SessionKeys.LastSeen(socket.UserId)],
                [socket.ConnectionId, time.GetUtcNow().ToUnixTimeMilliseconds(), (long)SeenLifetime.TotalMilliseconds]);
        }
        catch (Exception error) when (error is RedisException or TimeoutException)
        {
            // Swept later: this node knows no such connection.
            Log.RedisAway(logger, error.Message);
        }
    }

    /// <summary>Renews the lease; false when it had run out, or Redis had lost it: then others have taken this node for dead.</summary>
    public async Task<bool> RenewLeaseAsync() =>
        await redis.GetDatabase().StringSetAndGetAsync(SessionKeys.Lease(NodeId), _options.AdvertisedGrpcAddress, SessionKeys.LeaseTime) is { HasValue: true };

    public async Task DropLeaseAsync()
    {
        try
        {
            await redis.GetDatabase().KeyDeleteAsync(SessionKeys.Lease(NodeId));
        }
        catch (Exception error) when (error is RedisException or TimeoutException)
        {
            Log.RedisAway(logger, error.Message);
        }
    }

    /// <summary>Writes every session of this node again, in batches, after Redis was away.</summary>
    public async Task RejoinAllAsync(CancellationToken cancellationToken)
    {
        var database = redis.GetDatabase();
        var count = 0;
        foreach (var batch in registry.All.Chunk(BatchSize))
        {
            cancellationToken.ThrowIfCancellationRequested();
            // No limit: these sockets were let in already.
            await Task.WhenAll(batch.Select(socket => database.HashSetAsync(SessionKeys.Sessions(socket.UserId), socket.ConnectionId, NodeId)));
            // One that closed meanwhile must not stay.
            foreach (var socket in batch.Where(socket => !registry.Of(socket.UserId).Contains(socket)))
                await LeaveAsync(socket);
            count += batch.Length;
        }

        if (count > 0)
            Log.Rejoined(logger, count);
    }

    private async Task<bool> JoinAsync(ChatSocket socket) =>
        (int)await redis.GetDatabase().ScriptEvaluateAsync(
            Join, [SessionKeys.Sessions(socket.UserId)], [socket.ConnectionId, NodeId, _options.ConnectionsPerUser]) == 1;

    /// <summary>Removes a user's sessions that no relay holds any more: those of nodes without a lease, and this node's own that it does not know.</summary>
    private async Task SweepAsync(string userId)
    {
        var database = redis.GetDatabase();
        var mine = registry.Of(userId).Select(socket => socket.ConnectionId).ToHashSet(StringComparer.Ordinal);
        foreach (var session in await database.HashGetAllAsync(SessionKeys.Sessions(userId)))
        {
            var node = session.Value.ToString();
            var gone = node == NodeId ? !mine.Contains(session.Name.ToString()) : !await database.KeyExistsAsync(SessionKeys.Lease(node));
            if (gone)
                await database.HashDeleteAsync(SessionKeys.Sessions(userId), session.Name);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "The session directory does not answer: {Reason}")]
        public static partial void RedisAway(ILogger logger, string reason);

        [LoggerMessage(LogLevel.Information, "{Count} sessions were registered anew.")]
        public static partial void Rejoined(ILogger logger, int count);
    }
}
