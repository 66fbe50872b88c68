using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace ChatPlatform.LocalAws.Protocol;

/// <summary>The measurements of this process, in the meter <c>ChatPlatform.LocalAws</c>. Thread-safe.</summary>
internal sealed class Meters
{
    public const string Name = "ChatPlatform.LocalAws";
    private readonly Histogram<double> _duration;

    public Meters(IMeterFactory factory)
    {
        Meter = factory.Create(Name);
        _duration = Meter.CreateHistogram<double>("localaws.operation.duration", "s", "Time from a request's arrival until its answer is ready.");
    }

    /// <summary>For gauges that another part owns.</summary>
    public Meter Meter { get; }

    /// <summary>Counts one operation. <paramref name="error"/> is the error's type, or null.</summary>
    public void Record(string service, string operation, string? error, TimeSpan elapsed)
    {
        var tags = new TagList { { "service", service }, { "operation", operation } };
        if (error is not null)
            tags.Add("error.type", error);
        _duration.Record(elapsed.TotalSeconds, tags);
    }
}
