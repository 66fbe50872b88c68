using System.Collections.Concurrent;
using ChatPlatform.Contracts.Sessions;
using ChatPlatform.Relay.Sockets;
using ChatPlatform.ServiceDefaults;
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
    private const int MaxOwed = 100_000;
    private static readonly TimeSpan SeenLifetime = TimeSpan.FromDays(90);

    // Longer than it takes; should the sweeper die meanwhile, another one begins anew.
    private static readonly TimeSpan SweepTime = TimeSpan.FromMinutes(1);

    // KEYS: sessions. ARGV: connection, node, limit. The count and the write are one step, so that two relays cannot both take the last place.
    private const string Join = """
        if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
        redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
        return 1
        """;

    // KEYS: sessions, seen. ARGV: connection, now, lifetime of seen.
    private const string Leave = """
        if redis.call('HDEL', KEYS[1], ARGV[1]) == 1 and redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3]) end
        return 1
        """;

    // KEYS: sessions, seen. ARGV: node, now, lifetime of seen. Takes away what a node held.
    private const string Sweep = """
        local sessions = redis.call('HGETALL', KEYS[1])
        local gone = 0
        for i = 1, #sessions, 2 do
          if sessions[i + 1] == ARGV[1] then gone = gone + redis.call('HDEL', KEYS[1], sessions[i]) end
        end
        if gone > 0 and redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3]) end
        return gone
        """;

    private readonly RelayOptions _options = options.Value;
    private readonly string _node = SessionKeys.Node(options.Value.NodeId, Guid.NewGuid().ToString("N")[..8]);

    // Connection → user: sessions that ended while Redis was away.
    private readonly ConcurrentDictionary<string, string> _owedLeaves = new(StringComparer.Ordinal);

    /// <summary>Registers a session; false when the user has too many live ones on all relays together. True as well when Redis does not answer.</summary>
    public async Task<bool> TryJoinAsync(ChatSocket socket)
    {
        try
        {
            var listed = redis.GetDatabase().SetAddAsync(SessionKeys.Users(_node), socket.UserId);
            var joined = await JoinAsync(socket);
            await listed;
            if (joined)
                return true;
            await SweepAsync(socket.UserId);
            return await JoinAsync(socket);
        }
        catch (Exception error) when (Redis.IsAway(error))
        {
            Log.RedisAway(logger, error.Message);
            return true;
        }
    }

    /// <summary>Takes a session out. Without Redis that is done when it returns.</summary>
    public async Task LeaveAsync(ChatSocket socket)
    {
        try
        {
            await LeaveAsync(socket.UserId, socket.ConnectionId);
        }
        catch (Exception error) when (Redis.IsAway(error))
        {
            // Beyond that the limit of connections finds them: this node knows no such connection.
            if (_owedLeaves.Count < MaxOwed)
                _owedLeaves[socket.ConnectionId] = socket.UserId;
            Log.RedisAway(logger, error.Message);
        }
    }

    /// <summary>Renews the lease; false when it had run out, or Redis had lost it: then others have taken this node for dead.</summary>
    public async Task<bool> RenewLeaseAsync()
    {
        var database = redis.GetDatabase();
        // Listed before it holds anything, so that it is swept whatever happens.
        await database.SetAddAsync(SessionKeys.Nodes, _node);
        return await database.StringSetAndGetAsync(SessionKeys.Lease(_node), _options.AdvertisedGrpcAddress, SessionKeys.LeaseTime) is { HasValue: true };
    }

    /// <summary>Gives the lease back: nobody addresses this node from then on.</summary>
    public async Task DropLeaseAsync()
    {
        try
        {
            await redis.GetDatabase().KeyDeleteAsync(SessionKeys.Lease(_node));
        }
        catch (Exception error) when (Redis.IsAway(error))
        {
            // It runs out by itself.
            Log.RedisAway(logger, error.Message);
        }
    }

    /// <summary>Writes every session of this node again, in batches, after Redis was away, and takes out what ended meanwhile.</summary>
    /// <exception cref="RedisException">Some could not be written; the others were.</exception>
    public async Task RejoinAllAsync(CancellationToken cancellationToken)
    {
        var database = redis.GetDatabase();
        Exception? failure = null;
        var count = 0;
        foreach (var batch in registry.All.Chunk(BatchSize))
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                // No limit: these sockets were let in already.
                var written = batch.Select(socket => database.HashSetAsync(SessionKeys.Sessions(socket.UserId), socket.ConnectionId, _node)).ToList<Task>();
                written.Add(database.SetAddAsync(SessionKeys.Users(_node), batch.Select(socket => (RedisValue)socket.UserId).ToArray()));
                await Task.WhenAll(written);
                count += batch.Length;
            }
            catch (Exception error) when (Redis.IsAway(error))
            {
                failure = error;
            }

            // One that closed meanwhile must not stay.
            foreach (var socket in batch.Where(socket => !registry.Of(socket.UserId).Contains(socket)))
                await LeaveAsync(socket);
        }

        foreach (var (connectionId, userId) in _owedLeaves)
        {
            await LeaveAsync(userId, connectionId);
            _owedLeaves.TryRemove(connectionId, out _);
        }

        if (count > 0)
            Log.Rejoined(logger, count);
        if (failure is not null)
            throw new RedisException("Some sessions could not be registered anew.", failure);
    }

    /// <summary>Takes out what dead nodes have left, each node by one of the living. Until then nobody believes them: they have no lease.</summary>
    public async Task SweepDeadNodesAsync(CancellationToken cancellationToken)
    {
        var database = redis.GetDatabase();
        foreach (var node in (await database.SetMembersAsync(SessionKeys.Nodes)).Select(node => node.ToString()).Where(node => node != _node))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (await database.KeyExistsAsync(SessionKeys.Lease(node)) || !await database.StringSetAsync(SessionKeys.Sweeper(node), _node, SweepTime, When.NotExists))
                continue;
            var count = 0L;
            foreach (var users in (await database.SetMembersAsync(SessionKeys.Users(node))).Chunk(BatchSize))
                count += (await Task.WhenAll(users.Select(user => SweepAsync(user.ToString(), node)))).Sum();
            // It may have been away, not dead, and have come back meanwhile.
            if (await database.KeyExistsAsync(SessionKeys.Lease(node)))
                continue;
            await database.KeyDeleteAsync(SessionKeys.Users(node));
            await database.SetRemoveAsync(SessionKeys.Nodes, node);
            Log.Swept(logger, node, count);
        }
    }

    private async Task LeaveAsync(string userId, string connectionId)
    {
        var database = redis.GetDatabase();
        await database.ScriptEvaluateAsync(
            Leave, [SessionKeys.Sessions(userId), SessionKeys.LastSeen(userId)], [connectionId, time.GetUtcNow().ToUnixTimeMilliseconds(), (long)SeenLifetime.TotalMilliseconds]);
        if (!registry.Of(userId).IsEmpty)
            return;
        await database.SetRemoveAsync(SessionKeys.Users(_node), userId);
        // Back again at this very moment.
        if (!registry.Of(userId).IsEmpty)
            await database.SetAddAsync(SessionKeys.Users(_node), userId);
    }

    private async Task<bool> JoinAsync(ChatSocket socket) =>
        (int)await redis.GetDatabase().ScriptEvaluateAsync(
            Join, [SessionKeys.Sessions(socket.UserId)], [socket.ConnectionId, _node, _options.ConnectionsPerUser]) == 1;

    private async Task<long> SweepAsync(string userId, string node) => (long)await redis.GetDatabase().ScriptEvaluateAsync(
        Sweep, [SessionKeys.Sessions(userId), SessionKeys.LastSeen(userId)], [node, time.GetUtcNow().ToUnixTimeMilliseconds(), (long)SeenLifetime.TotalMilliseconds]);

    /// <summary>Removes a user's sessions that no relay holds any more: those of nodes without a lease, and this node's own that it does not know.</summary>
    private async Task SweepAsync(string userId)
    {
        var database = redis.GetDatabase();
        var mine = registry.Of(userId).Select(socket => socket.ConnectionId).ToHashSet(StringComparer.Ordinal);
        foreach (var session in await database.HashGetAllAsync(SessionKeys.Sessions(userId)))
        {
            var node = session.Value.ToString();
            var gone = node == _node ? !mine.Contains(session.Name.ToString()) : !await database.KeyExistsAsync(SessionKeys.Lease(node));
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

        [LoggerMessage(LogLevel.Information, "Relay {Node} is gone; {Count} sessions of its were taken out.")]
        public static partial void Swept(ILogger logger, string node, long count);
    }
}
