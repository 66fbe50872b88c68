namespace ChatPlatform.Api.Limits;

/// <summary>What a bucket, or the tightest of several, says of one call.</summary>
/// <param name="Wait">When the call would be let through; zero when it is now.</param>
/// <param name="Limit">The bucket's size.</param>
/// <param name="Remaining">Calls that are left right now.</param>
/// <param name="Reset">When the bucket is full again.</param>
internal readonly record struct RateVerdict(TimeSpan Wait, int Limit, int Remaining, TimeSpan Reset)
{
    public bool IsRefused => Wait > TimeSpan.Zero;

    /// <summary>The one the caller has to mind: the longer wait, else the smaller share left.</summary>
    public static RateVerdict Tighter(RateVerdict one, RateVerdict other)
    {
        if (one.Wait != other.Wait)
            return one.Wait > other.Wait ? one : other;
        return (long)one.Remaining * other.Limit <= (long)other.Remaining * one.Limit ? one : other;
    }
}
