using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace ChatPlatform.Forwarder.Delivery;

/// <summary>Counts since the start: shown by the meter <c>ChatPlatform.Forwarder</c> and by <see cref="FluentBitEndpoints"/>. Thread-safe.</summary>
internal sealed class ForwarderMetrics : IDisposable
{
    private readonly Meter _meter;
    private readonly ConcurrentDictionary<string, InputCounts> _inputs = new();
    private readonly ConcurrentDictionary<string, FilterCounts> _filters = new();
    private readonly ConcurrentDictionary<string, OutputCounts> _outputs = new();
    private long _malformed;
    private long _connections;

    public sealed class InputCounts
    {
        public long Records;
        public long Bytes;
    }

    public sealed class FilterCounts
    {
        public long Dropped;
    }

    /// <summary>Records and bytes that are done with, those put aside among them.</summary>
    public sealed class OutputCounts
    {
        public long Records;
        public long Bytes;
        public long Retries;
        public long RetriedRecords;
        public long DeadLetters;
    }

    public ForwarderMetrics(IMeterFactory meters)
    {
        _meter = meters.Create("ChatPlatform.Forwarder");
        Count("forwarder.input.records", "{record}", "Records that were acknowledged.", _inputs, "input", c => c.Records);
        Count("forwarder.input.bytes", "By", "Their messages.", _inputs, "input", c => c.Bytes);
        Count("forwarder.filter.dropped", "{record}", "Records that a filter let go no further.", _filters, "filter", c => c.Dropped);
        Count("forwarder.output.records", "{record}", "Records that the far end acknowledged.", _outputs, "output", c => c.Records);
        Count("forwarder.output.retries", "{attempt}", "Deliveries that were tried again.", _outputs, "output", c => c.Retries);
        Count("forwarder.output.dead_letters", "{record}", "Records that were put aside.", _outputs, "output", c => c.DeadLetters);
        _meter.CreateObservableCounter("forwarder.input.malformed", () => Volatile.Read(ref _malformed), "{message}", "Connections closed for what they sent.");
        _meter.CreateObservableUpDownCounter("forwarder.input.connections", () => Volatile.Read(ref _connections), "{connection}");
    }

    public IReadOnlyDictionary<string, InputCounts> Inputs => _inputs;

    public IReadOnlyDictionary<string, FilterCounts> Filters => _filters;

    public IReadOnlyDictionary<string, OutputCounts> Outputs => _outputs;

    public void Received(string input, int records, long bytes)
    {
        var counts = Of(_inputs, input);
        Interlocked.Add(ref counts.Records, records);
        Interlocked.Add(ref counts.Bytes, bytes);
    }

    public void Malformed() => Interlocked.Increment(ref _malformed);

    public void Connections(int change) => Interlocked.Add(ref _connections, change);

    public void Filtered(string filter) => Interlocked.Increment(ref Of(_filters, filter).Dropped);

    public void Delivered(string output, int records, long bytes)
    {
        var counts = Of(_outputs, output);
        Interlocked.Add(ref counts.Records, records);
        Interlocked.Add(ref counts.Bytes, bytes);
    }

    public void Retried(string output, int records)
    {
        var counts = Of(_outputs, output);
        Interlocked.Increment(ref counts.Retries);
        Interlocked.Add(ref counts.RetriedRecords, records);
    }

    public void DeadLettered(string output) => Interlocked.Increment(ref Of(_outputs, output).DeadLetters);

    public void Observe(OutputPump pump)
    {
        Of(_outputs, pump.Alias);
        var output = new KeyValuePair<string, object?>("output", pump.Alias);
        _meter.CreateObservableGauge("forwarder.output.pending", () => new Measurement<long>(pump.PendingBytes, output), "By", "Bytes on disk that the far end has not acknowledged.");
        _meter.CreateObservableGauge("forwarder.output.oldest_age", () => new Measurement<double>(pump.OldestPending.TotalSeconds, output), "s", "How long the oldest of them waits.");
    }

    public void Dispose() => _meter.Dispose();

    private static T Of<T>(ConcurrentDictionary<string, T> all, string name)
        where T : new() => all.GetOrAdd(name, static _ => new T());

    private void Count<T>(string name, string unit, string description, ConcurrentDictionary<string, T> all, string tag, Func<T, long> value) =>
        _meter.CreateObservableCounter(
            name, () => all.Select(pair => new Measurement<long>(value(pair.Value), new KeyValuePair<string, object?>(tag, pair.Key))), unit, description);
}
