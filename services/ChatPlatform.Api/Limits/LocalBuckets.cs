using System.Collections.Concurrent;

namespace ChatPlatform.Api.Limits;

/// <summary>
/// The limits of this process alone, for when Redis is away. A bucket is one number, the instant at which it is full again (the "theoretical arrival time" of the generic cell rate algorithm,
/// ITU-T I.371). Memory is bounded by two generations: when the younger one is full it becomes the older one, and what stands in neither starts with a full bucket. Thread-safe.
/// </summary>
internal sealed class LocalBuckets(TimeProvider time, int generationSize = 50_000)
{
    private volatile ConcurrentDictionary<string, long> _young = new(StringComparer.Ordinal);
    private volatile ConcurrentDictionary<string, long> _old = new(StringComparer.Ordinal);

    /// <summary>How many buckets are in memory; at most two generations, and what callers add while these change.</summary>
    public int Count => _young.Count + _old.Count;

    /// <summary>Takes one token of each bucket, or none of any.</summary>
    public RateVerdict Take(IReadOnlyList<(string Key, RateLimit Limit)> buckets)
    {
        var now = time.GetUtcNow().Ticks;
        var verdict = Judge(buckets, now);
        if (verdict.IsRefused)
            return verdict;
        foreach (var (key, limit) in buckets)
        {
            var young = _young;
            var interval = limit.Interval.Ticks;
            young.AddOrUpdate(key, _ => Math.Max(FullAt(key), now) + interval, (_, full) => Math.Max(full, now) + interval);
            if (young.Count > generationSize && Interlocked.CompareExchange(ref _young, new(StringComparer.Ordinal), young) == young)
                _old = young;
        }

        return Judge(buckets, now) with { Wait = TimeSpan.Zero };
    }

    private RateVerdict Judge(IReadOnlyList<(string Key, RateLimit Limit)> buckets, long now)
    {
        RateVerdict? tightest = null;
        foreach (var (key, limit) in buckets)
        {
            var behind = Math.Max(0, FullAt(key) - now);
            var size = limit.Interval.Ticks * limit.Burst;
            var remaining = (int)Math.Max(0, (size - behind) / limit.Interval.Ticks);
            var wait = Math.Max(0, behind + limit.Interval.Ticks - size);
            var verdict = new RateVerdict(TimeSpan.FromTicks(wait), limit.Burst, remaining, TimeSpan.FromTicks(behind));
            tightest = tightest is { } other ? RateVerdict.Tighter(other, verdict) : verdict;
        }

        return tightest!.Value;
    }

    private long FullAt(string key) => _young.TryGetValue(key, out var full) || _old.TryGetValue(key, out full) ? full : 0;
}
