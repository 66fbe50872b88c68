using System.Collections.Concurrent;
using ChatPlatform.Contracts.Sessions;
using StackExchange.Redis;

namespace ChatPlatform.Api.Sessions;

/// <summary>A relay that holds sessions.</summary>
internal readonly record struct RelayNode(string NodeId, string Address);

/// <summary>
/// Who is connected where, as the relays write it into the Redis Cluster (<see cref="SessionKeys"/>). All look-ups of a call go out at once, so that one round trip
/// per cluster node answers a room of any size. Sessions of a node without a lease count as gone. Thread-safe.
/// </summary>
internal sealed partial class SessionDirectory(IConnectionMultiplexer redis, TimeProvider time, ILogger<SessionDirectory> logger)
{
    // Well inside the lease's 12 s, so that a dead relay is found out soon.
    private static readonly TimeSpan LeaseCacheTime = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, (string? Address, long ReadAt)> _leases = new(StringComparer.Ordinal);

    /// <summary>For each user the relays that hold a session of theirs; users without one are absent. Null when Redis does not answer.</summary>
    public async Task<Dictionary<string, List<RelayNode>>?> FindAsync(IReadOnlyCollection<string> userIds)
    {
        try
        {
            var database = redis.GetDatabase();
            var lookups = userIds.Select(user => (User: user, Nodes: database.HashValuesAsync(SessionKeys.Sessions(user)))).ToList();
            await Task.WhenAll(lookups.Select(lookup => lookup.Nodes));
            Dictionary<string, List<RelayNode>> found = new(StringComparer.Ordinal);
            var nodes = lookups.SelectMany(lookup => lookup.Nodes.Result).Select(node => node.ToString()).Distinct().ToList();
            var addresses = new Dictionary<string, string?>(StringComparer.Ordinal);
            foreach (var (node, address) in await Task.WhenAll(nodes.Select(node => FindLeaseAsync(database, node))))
                addresses[node] = address;

            foreach (var (user, values) in lookups)
            {
                foreach (var value in values.Result.Distinct())
                {
                    if (addresses[value.ToString()] is not { } address)
                        continue;
                    if (!found.TryGetValue(user, out var relays))
                        found[user] = relays = [];
                    relays.Add(new RelayNode(value.ToString(), address));
                }
            }

            return found;
        }
        catch (Exception error) when (error is RedisException or TimeoutException)
        {
            Log.RedisAway(logger, error);
            return null;
        }
    }

    /// <summary>When each of the users was last connected; users that are connected now, or never were, are absent. Empty when Redis does not answer.</summary>
    public async Task<Dictionary<string, DateTimeOffset>> LastSeenAsync(IReadOnlyCollection<string> userIds)
    {
        Dictionary<string, DateTimeOffset> seen = new(StringComparer.Ordinal);
        try
        {
            var database = redis.GetDatabase();
            var lookups = userIds.Select(user => (User: user, Seen: database.StringGetAsync(SessionKeys.LastSeen(user)))).ToList();
            await Task.WhenAll(lookups.Select(lookup => lookup.Seen));
            foreach (var (user, value) in lookups)
            {
                if (value.Result.TryParse(out long milliseconds))
                    seen[user] = DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);
            }
        }
        catch (Exception error) when (error is RedisException or TimeoutException)
        {
            Log.RedisAway(logger, error);
        }

        return seen;
    }

    private async Task<(string Node, string? Address)> FindLeaseAsync(IDatabase database, string node)
    {
        if (_leases.TryGetValue(node, out var known) && time.GetElapsedTime(known.ReadAt) < LeaseCacheTime)
            return (node, known.Address);
        var lease = await database.StringGetAsync(SessionKeys.Lease(node));
        string? address = lease.HasValue ? lease.ToString() : null;
        if (address is null)
            _leases.TryRemove(node, out _);
        else
            _leases[node] = (address, time.GetTimestamp());
        return (node, address);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "The session directory does not answer.")]
        public static partial void RedisAway(ILogger logger, Exception error);
    }
}
