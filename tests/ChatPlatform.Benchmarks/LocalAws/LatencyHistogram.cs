using System.Numerics;

namespace ChatPlatform.Benchmarks.LocalAws;

/// <summary>Counts of durations in buckets that are at most 1/32 wide, so that a percentile is right within 3 %. Not thread-safe.</summary>
internal sealed class LatencyHistogram
{
    private const int SubBits = 5;
    private readonly long[] _buckets = new long[64 << SubBits];

    public long Count { get; private set; }

    /// <summary>The longest, exactly.</summary>
    public TimeSpan Max { get; private set; }

    public void Add(TimeSpan duration)
    {
        _buckets[Bucket(duration.Ticks)]++;
        Count++;
        if (duration > Max)
            Max = duration;
    }

    /// <summary>The duration that a share of all (0 to 1) does not exceed.</summary>
    public TimeSpan Percentile(double share)
    {
        var left = (long)Math.Ceiling(Count * share);
        for (var i = 0; i < _buckets.Length; i++)
        {
            left -= _buckets[i];
            if (left <= 0)
                return TimeSpan.FromTicks(Math.Min(UpperEnd(i), Max.Ticks));
        }

        return Max;
    }

    private static int Bucket(long ticks)
    {
        var shift = Math.Max(0, BitOperations.Log2((ulong)ticks | 1) - SubBits);
        return (shift << SubBits) + (int)(ticks >> shift);
    }

    private static long UpperEnd(int bucket)
    {
        var shift = Math.Max(0, (bucket >> SubBits) - 1);
        return ((long)(bucket - (shift << SubBits)) << shift) + (1L << shift) - 1;
    }
}
