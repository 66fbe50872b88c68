using System.Diagnostics.Metrics;
using ChatPlatform.LocalAws.Protocol;

namespace ChatPlatform.LocalAws.Firehose;

/// <summary>Firehose's measurements, named after the CloudWatch metrics they stand for (https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html). Thread-safe.</summary>
internal sealed class FirehoseMetrics(Meter meter)
{
    private readonly Counter<long> _incoming = meter.CreateCounter<long>("localaws.firehose.incoming_records", "{record}", "Records buffered.");
    private readonly Counter<long> _refused = meter.CreateCounter<long>("localaws.firehose.throttled_records", "{record}", "Records refused.");
    private readonly Counter<long> _delivered = meter.CreateCounter<long>("localaws.firehose.delivery_to_s3.bytes", "By", "Data delivered, before compression.");
    private readonly Counter<long> _failed = meter.CreateCounter<long>("localaws.firehose.delivery_to_s3.failures", "{delivery}", "Deliveries that failed and are tried again.");
    private readonly Counter<long> _failedRecords = meter.CreateCounter<long>("localaws.firehose.failed_records", "{record}", "Records that went to the error output.");
    private readonly Histogram<double> _freshness = meter.CreateHistogram<double>("localaws.firehose.delivery_to_s3.data_freshness", "s", "Age of the oldest record of an object when it was delivered.");

    public FirehoseMetrics(Meters meters)
        : this(meters.Meter)
    {
    }

    public void Count(string stream, int buffered, int refused)
    {
        var tag = KeyValuePair.Create("stream", (object?)stream);
        if (buffered > 0)
            _incoming.Add(buffered, tag);
        if (refused > 0)
            _refused.Add(refused, tag);
    }

    public void CountDelivery(string stream, long bytes, TimeSpan freshness)
    {
        var tag = KeyValuePair.Create("stream", (object?)stream);
        _delivered.Add(bytes, tag);
        _freshness.Record(freshness.TotalSeconds, tag);
    }

    public void CountFailedRecords(string stream, string outputType, int records) =>
        _failedRecords.Add(records, KeyValuePair.Create("stream", (object?)stream), KeyValuePair.Create("type", (object?)outputType));

    public void CountFailure(string stream) => _failed.Add(1, KeyValuePair.Create("stream", (object?)stream));
}
