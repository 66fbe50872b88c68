using System.Globalization;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace ChatPlatform.Api.Limits;

/// <summary>
/// Token buckets per user and per address in the Redis Cluster, one for all API servers. The buckets of a user share a hash tag, so that one script takes a token of each or of none; the
/// address's script goes out with it, so that a call costs one round trip. When Redis does not answer at once, this process counts alone for a while. Thread-safe.
/// </summary>
internal sealed partial class RateLimiter(IConnectionMultiplexer redis, IOptions<RateLimitOptions> options, TimeProvider time, ILogger<RateLimiter> logger)
{
    /// <summary>Longer than Redis ever takes while it is well; a call waits no longer for its limit.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(250);

    /// <summary>How long this process counts alone before Redis is asked again.</summary>
    private static readonly TimeSpan Alone = TimeSpan.FromSeconds(1);

    // KEYS: buckets. ARGV: for each the microseconds per token and the size. A bucket is the instant at which it is full again, by the clock of Redis (the generic cell rate algorithm).
    // Gives for each: the wait, what is left, the time until it is full.
    private const string TakeScript = """
        local clock = redis.call('TIME')
        local now = clock[1] * 1000000 + clock[2]
        local full, waits, refused = {}, {}, false
        for i, key in ipairs(KEYS) do
            local interval, size = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
            full[i] = math.max(tonumber(redis.call('GET', key) or '0'), now)
            waits[i] = math.max(0, math.ceil(full[i] + interval - interval * size - now))
            refused = refused or waits[i] > 0
        end
        local answer = {}
        for i, key in ipairs(KEYS) do
            local interval, size = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
            if not refused then
                full[i] = full[i] + interval
                redis.call('SET', key, string.format('%.0f', full[i]), 'PX', math.ceil((full[i] - now) / 1000) + 1)
            end
            answer[#answer + 1] = waits[i]
            answer[#answer + 1] = math.floor((interval * size - (full[i] - now)) / interval)
            answer[#answer + 1] = math.floor(full[i] - now)
        end
        return answer
        """;

    private readonly LocalBuckets _local = new(time);
    private long _aloneUntil = long.MinValue;

    /// <summary>Takes the tokens of one call. <paramref name="userId"/> or <paramref name="address"/> is null where the call has no such limit; null when it has neither.</summary>
    public async ValueTask<RateVerdict?> TakeAsync(string? userId, string? address, bool isSend)
    {
        var limits = options.Value;
        List<(string Key, RateLimit Limit)> user = userId is null ? [] : [($"{{u:{userId}}}:calls", limits.User)];
        if (userId is not null && isSend)
            user.Add(($"{{u:{userId}}}:sends", limits.Send));
        List<(string Key, RateLimit Limit)> from = address is null ? [] : [($"{{ip:{address}}}:calls", limits.Address)];
        if (user.Count + from.Count == 0)
            return null;
        if (time.GetTimestamp() < Volatile.Read(ref _aloneUntil))
            return TakeAlone(user, from);
        try
        {
            var database = redis.GetDatabase();
            var (one, other) = (user.Count > 0 ? TakeAsync(database, user) : null, from.Count > 0 ? TakeAsync(database, from) : null);
            var verdicts = await Task.WhenAll(new[] { one, other }.OfType<Task<RateVerdict>>()).WaitAsync(Patience, time);
            return verdicts.Aggregate(RateVerdict.Tighter);
        }
        catch (Exception error) when (Redis.IsAway(error))
        {
            Volatile.Write(ref _aloneUntil, time.GetTimestamp() + (long)(Alone.TotalSeconds * time.TimestampFrequency));
            Log.RedisAway(logger, error.Message);
            return TakeAlone(user, from);
        }
    }

    private static async Task<RateVerdict> TakeAsync(IDatabase database, List<(string Key, RateLimit Limit)> buckets)
    {
        var keys = buckets.ConvertAll(bucket => (RedisKey)bucket.Key).ToArray();
        var values = buckets.SelectMany(bucket => new RedisValue[] { bucket.Limit.Interval.TotalMicroseconds.ToString("R", CultureInfo.InvariantCulture), bucket.Limit.Burst }).ToArray();
        var answer = (long[])(await database.ScriptEvaluateAsync(TakeScript, keys, values))!;
        RateVerdict? tightest = null;
        for (var i = 0; i < buckets.Count; i++)
        {
            var verdict = new RateVerdict(
                TimeSpan.FromMicroseconds(answer[3 * i]), buckets[i].Limit.Burst, (int)Math.Max(0, answer[(3 * i) + 1]), TimeSpan.FromMicroseconds(answer[(3 * i) + 2]));
            tightest = tightest is { } other ? RateVerdict.Tighter(other, verdict) : verdict;
        }

        return tightest!.Value;
    }

    private RateVerdict TakeAlone(List<(string Key, RateLimit Limit)> user, List<(string Key, RateLimit Limit)> from)
    {
        ApiTelemetry.LimitedAlone.Add(1);
        return _local.Take([.. user, .. from]);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "Rate limits are this server's own for a moment: Redis does not answer ({Reason}).")]
        public static partial void RedisAway(ILogger logger, string reason);
    }
}
