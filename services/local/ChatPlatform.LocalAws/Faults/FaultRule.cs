namespace ChatPlatform.LocalAws.Faults;

internal enum FaultKind
{
    /// <summary>The service's own error for requests that come too fast.</summary>
    Throttling,

    /// <summary>The service's own error with status 500.</summary>
    InternalError,

    /// <summary>The request is carried out later.</summary>
    Latency,

    /// <summary>The connection is reset without an answer.</summary>
    Reset,
}

/// <summary>What goes wrong on purpose, and for which requests. All that it names must fit a request. Thread-safe.</summary>
internal sealed class FaultRule
{
    private long _struck;

    public string Id { get; } = Guid.NewGuid().ToString("N")[..12];

    /// <summary>The service's name, e.g. <c>dynamodb</c>.</summary>
    public required string Service { get; init; }

    /// <summary>Null for every operation of the service.</summary>
    public string? Operation { get; init; }

    /// <summary>The table, bucket or delivery stream that the request is about; null for any.</summary>
    public string? Resource { get; init; }

    public required FaultKind Kind { get; init; }

    /// <summary>Whether it strikes after the operation took effect: the answer is lost, not the change.</summary>
    public bool After { get; init; }

    /// <summary>Of the requests that fit, the share that is struck: more than 0, at most 1.</summary>
    public double Probability { get; init; } = 1;

    /// <summary>How many requests are struck at most; null without end.</summary>
    public long? Count { get; init; }

    /// <summary>For <see cref="FaultKind.Latency"/> only.</summary>
    public TimeSpan Latency { get; init; }

    /// <summary>How many requests were struck.</summary>
    public long Struck => Interlocked.Read(ref _struck);

    /// <summary>Whether this request, which fits, is struck; counts it.</summary>
    public bool TryStrike()
    {
        if (Probability < 1 && Random.Shared.NextDouble() >= Probability)
            return false;
        while (true)
        {
            var struck = Struck;
            if (struck >= Count)
                return false;
            if (Interlocked.CompareExchange(ref _struck, struck + 1, struck) == struck)
                return true;
        }
    }
}
