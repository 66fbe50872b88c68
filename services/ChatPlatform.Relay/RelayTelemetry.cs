using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace ChatPlatform.Relay;

/// <summary>Spans and metrics of the service. Never a message's text.</summary>
internal static class RelayTelemetry
{
    public const string Name = "ChatPlatform.Relay";

    public static readonly ActivitySource Source = new(Name);

    private static readonly Meter Meter = new(Name);

    public static readonly UpDownCounter<int> Sockets = Meter.CreateUpDownCounter<int>("chat.sockets", "{socket}");

    public static readonly Counter<long> Pushed = Meter.CreateCounter<long>("chat.frames.pushed", "{frame}", "Entry frames put into sockets' queues.");

    public static readonly Counter<long> Late = Meter.CreateCounter<long>("chat.frames.late", "{frame}", "Entries that came after a later one of their room was pushed; clients ask the log for them.");

    public static readonly Counter<long> Dropped = Meter.CreateCounter<long>("chat.frames.dropped", "{frame}", "Typing and read frames that a filling queue did not take.");

    public static readonly Counter<long> Closed = Meter.CreateCounter<long>("chat.sockets.closed", "{socket}", "By close code.");
}
