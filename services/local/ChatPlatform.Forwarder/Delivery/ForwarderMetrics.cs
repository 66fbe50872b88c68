using System.Diagnostics.Metrics;

namespace ChatPlatform.Forwarder.Delivery;

/// <summary>The meter <c>ChatPlatform.Forwarder</c>. Thread-safe.</summary>
internal sealed class ForwarderMetrics : IDisposable
{
    private readonly Meter _meter;
    private readonly Counter<long> _records;
    private readonly Counter<long> _bytes;
    private readonly Counter<long> _malformed;
    private readonly Counter<long> _delivered;
    private readonly Counter<long> _retries;
    private readonly Counter<long> _deadLetters;
    private readonly UpDownCounter<long> _connections;

    public ForwarderMetrics(IMeterFactory meters)
    {
        _meter = meters.Create("ChatPlatform.Forwarder");
        _records = _meter.CreateCounter<long>("forwarder.input.records", "{record}", "Records on disk.");
        _bytes = _meter.CreateCounter<long>("forwarder.input.bytes", "By");
        _malformed = _meter.CreateCounter<long>("forwarder.input.malformed", "{message}", "Connections closed for what they sent.");
        _delivered = _meter.CreateCounter<long>("forwarder.output.records", "{record}", "Records that the far end acknowledged.");
        _retries = _meter.CreateCounter<long>("forwarder.output.retries", "{attempt}");
        _deadLetters = _meter.CreateCounter<long>("forwarder.output.dead_letters", "{record}");
        _connections = _meter.CreateUpDownCounter<long>("forwarder.input.connections", "{connection}");
    }

    public void Received(int records, long bytes)
    {
        _records.Add(records);
        _bytes.Add(bytes);
    }

    public void Malformed() => _malformed.Add(1);

    public void Connections(int change) => _connections.Add(change);

    public void Delivered(string output, int records) => _delivered.Add(records, Output(output));

    public void Retried(string output) => _retries.Add(1, Output(output));

    public void DeadLettered(string output) => _deadLetters.Add(1, Output(output));

    public void Observe(OutputPump pump)
    {
        _meter.CreateObservableGauge("forwarder.output.pending", () => new Measurement<long>(pump.PendingBytes, Output(pump.Alias)), "By", "Bytes on disk that the far end has not acknowledged.");
        _meter.CreateObservableGauge(
            "forwarder.output.oldest_age", () => new Measurement<double>(pump.OldestPending.TotalSeconds, Output(pump.Alias)), "s", "How long the oldest of them waits.");
    }

    public void Dispose() => _meter.Dispose();

    private static KeyValuePair<string, object?> Output(string alias) => new("output", alias);
}
