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

    public static void Committed(int changes) => CommitSize.Record(changes);
}
