using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace ChatPlatform.LambdaEmulator;

/// <summary>What Lambda calls its metrics (https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html), under OpenTelemetry names.</summary>
internal static class Telemetry
{
    public static readonly ActivitySource Source = new("ChatPlatform.LambdaEmulator");

    private static readonly Meter Meter = new("ChatPlatform.LambdaEmulator");

    /// <summary>IteratorAge, by shard: from a batch's last record being written to the batch being handed to the function.</summary>
    public static readonly Histogram<double> IteratorAge = Meter.CreateHistogram<double>("lambda.iterator_age", "ms", "Age of the last record of a batch when its invocation began");

    public static readonly Histogram<double> Duration = Meter.CreateHistogram<double>("lambda.duration", "ms", "Time a function took for one invocation");

    public static readonly Counter<long> Errors = Meter.CreateCounter<long>("lambda.errors", "{invocation}", "Invocations that ended in a function error");

    public static readonly Counter<long> Throttles = Meter.CreateCounter<long>("lambda.throttles", "{invocation}", "Invocations refused for lack of concurrency");

    public static readonly Counter<long> Discarded = Meter.CreateCounter<long>("lambda.records_discarded", "{record}", "Records given up after retries or age");

    public static readonly Counter<long> FilteredOut = Meter.CreateCounter<long>("lambda.records_filtered_out", "{record}", "Records that no filter pattern matched");

    public static readonly Counter<long> DestinationFailures =
        Meter.CreateCounter<long>("lambda.destination_delivery_failures", "{delivery}", "Discarded batches that could not be brought to their destination and are tried again");

    public static readonly Counter<long> Processed = Meter.CreateCounter<long>("lambda.records_processed", "{record}", "Records a function has handled");
}
