using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace ChatPlatform.Api;

/// <summary>Spans and metrics of the service. Never a message's text.</summary>
internal static class ApiTelemetry
{
    public const string Name = "ChatPlatform.Api";

    public static readonly ActivitySource Source = new(Name);

    private static readonly Meter Meter = new(Name);

    private static readonly Histogram<int> CommitSize = Meter.CreateHistogram<int>("chat.commit.size", "{change}", "Changes per commit.");

    /// <summary>Commits that another server's commit made void.</summary>
    public static readonly Counter<long> CommitConflicts = Meter.CreateCounter<long>("chat.commit.conflicts", "{commit}");

    /// <summary>Members without a live connection, per message.</summary>
    public static readonly Counter<long> Missed = Meter.CreateCounter<long>("chat.delivery.missed", "{member}");

    /// <summary>Calls that a rate limit refused.</summary>
    public static readonly Counter<long> Limited = Meter.CreateCounter<long>("chat.ratelimit.refused", "{call}");

    /// <summary>Calls that were counted by this process alone, because Redis was away.</summary>
    public static readonly Counter<long> LimitedAlone = Meter.CreateCounter<long>("chat.ratelimit.alone", "{call}");

    public static void Committed(int changes) => CommitSize.Record(changes);
}
