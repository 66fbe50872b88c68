using System.Collections.Concurrent;
using ChatPlatform.Contracts.Sessions;
using ChatPlatform.ServiceDefaults;
using StackExchange.Redis;

namespace ChatPlatform.Api.Sessions;

/// <summary>A relay that holds sessions.</summary>
internal readonly record struct RelayNode(string NodeId, string Address);

/// <param name="Relays">For each user the relays that hold a session of theirs; users without one are absent.</param>
/// <param name="Unknown">Users of whom Redis did not tell (all of) their sessions.</param>
internal sealed record SessionsFound(IReadOnlyDictionary<string, List<RelayNode>> Relays, IReadOnlyList<string> Unknown);

/// <summary>
/// Who is connected where, as the relays write it into the Redis Cluster (<see cref="SessionKeys"/>). All look-ups of a call go out at once, so that one round trip
/// per cluster node answers a room of any size. Sessions of a node without a lease count as gone. Thread-safe.
/// </summary>
internal sealed partial class SessionDirectory(IConnectionMultiplexer redis, TimeProvider time, ILogger<SessionDirectory> logger)
{
    // A part of Redis that hangs must not hold up deliveries: after one wait that was in vain the next are short, until an answer comes.
    private static readonly TimeSpan AnswerTime = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan ShortAnswerTime = TimeSpan.FromMilliseconds(50);

    // Well inside the lease's 12 s, so that a dead relay is found out soon.
    private static readonly TimeSpan LeaseCacheTime = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, (string? Address, long ReadAt)> _leases = new(StringComparer.Ordinal);
    private long _warnedAt;
    private volatile bool _isSlow;

    /// <summary>Where the users are. One part of the cluster being away leaves those users unknown, no others.</summary>
    public async Task<SessionsFound> FindAsync(IReadOnlyCollection<string> userIds)
    {
        var database = redis.GetDatabase();
        var started = time.GetTimestamp();
        var lookups = await Task.WhenAll(userIds.Select(async user => (User: user, Nodes: await AskAsync(() => database.HashValuesAsync(SessionKeys.Sessions(user))))));
        var nodes = lookups.SelectMany(lookup => lookup.Nodes ?? []).Select(node => node.ToString()).Distinct(StringComparer.Ordinal);
        var addresses = (await Task.WhenAll(nodes.Select(node => FindLeaseAsync(database, node)))).ToDictionary(lease => lease.Node, StringComparer.Ordinal);

        if (_isSlow && lookups.All(lookup => lookup.Nodes is not null) && time.GetElapsedTime(started) < ShortAnswerTime)
            _isSlow = false;

        Dictionary<string, List<RelayNode>> found = new(StringComparer.Ordinal);
        List<string> unknown = [];
        foreach (var (user, values) in lookups)
        {
            var leases = values?.Select(value => addresses[value.ToString()]).Distinct().ToList();
            var relays = leases?.Where(lease => lease.Address is not null).Select(lease => new RelayNode(lease.Node, lease.Address!)).ToList();
            if (relays is { Count: > 0 })
                found[user] = relays;
            if (leases is null || leases.Any(lease => lease.IsUnknown))
                unknown.Add(user);
        }

        return new SessionsFound(found, unknown);
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
        catch (Exception error) when (Redis.IsAway(error))
        {
            Log.RedisAway(logger, error);
        }

        return seen;
    }

    private async Task<NodeLease> FindLeaseAsync(IDatabase database, string node)
    {
        if (_leases.TryGetValue(node, out var known) && time.GetElapsedTime(known.ReadAt) < LeaseCacheTime)
            return new NodeLease(node, known.Address, IsUnknown: false);
        if (await AskAsync(async () => new Answer(await database.StringGetAsync(SessionKeys.Lease(node)))) is not { } lease)
            return new NodeLease(node, known.Address, IsUnknown: known.Address is null);
        if (lease.Value.HasValue)
            _leases[node] = (lease.Value.ToString(), time.GetTimestamp());
        else
            _leases.TryRemove(node, out _);
        return new NodeLease(node, lease.Value.HasValue ? lease.Value.ToString() : null, IsUnknown: false);
    }

    /// <summary>Null when Redis does not answer.</summary>
    private async Task<T?> AskAsync<T>(Func<Task<T>> call)
        where T : class
    {
        try
        {
            return await call().WaitAsync(_isSlow ? ShortAnswerTime : AnswerTime, time);
        }
        catch (Exception error) when (Redis.IsAway(error))
        {
            _isSlow |= error is TimeoutException;
            // One line a second says it as well as one per user.
            var now = time.GetTimestamp();
            var last = Volatile.Read(ref _warnedAt);
            if ((last == 0 || time.GetElapsedTime(last, now) > LeaseCacheTime) && Interlocked.CompareExchange(ref _warnedAt, now, last) == last)
                Log.RedisAway(logger, error);
            return null;
        }
    }

    private sealed record Answer(RedisValue Value);

    /// <param name="Node">The node.</param>
    /// <param name="Address">Where it is; null without a lease.</param>
    /// <param name="IsUnknown">True when Redis did not tell and nothing is remembered.</param>
    private readonly record struct NodeLease(string Node, string? Address, bool IsUnknown);

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "The session directory does not answer.")]
        public static partial void RedisAway(ILogger logger, Exception error);
    }
}
