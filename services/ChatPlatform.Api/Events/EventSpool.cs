using System.Buffers;
using System.Diagnostics.Metrics;
using ChatPlatform.Spool;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Api.Events;

/// <summary>The events on disk that the agent has not acknowledged yet: appended by requests, read by <see cref="ForwardSender"/>. Thread-safe for appends; one sender.</summary>
internal sealed class EventSpool : IEventPublisher, IAsyncDisposable
{
    public const string MeterName = "ChatPlatform.Api.Events";

    /// <summary>The reader that keeps what the agent has acknowledged.</summary>
    public const string CursorName = "sent";

    private readonly SpoolLog _log;
    private readonly EventOptions _options;
    private readonly TimeProvider _time;
    private readonly Meter _meter;
    private readonly Counter<long> _appended;
    private readonly Counter<long> _refused;

    /// <exception cref="IOException">No folder under <see cref="EventOptions.SpoolPath"/> can be opened.</exception>
    public EventSpool(IOptions<EventOptions> options, TimeProvider time, IMeterFactory meters, ILogger<EventSpool> logger)
    {
        _options = options.Value;
        _time = time;
        _log = SpoolLog.OpenFirstFree(_options.SpoolPath!, new SpoolOptions { LimitBytes = _options.SpoolLimitBytes, FlushToDisk = _options.FlushToDisk }, time, logger);
        Unacknowledged = _log.OpenCursor(CursorName);
        _meter = meters.Create(MeterName);
        _appended = _meter.CreateCounter<long>("chat.events.appended", "{event}");
        _refused = _meter.CreateCounter<long>("chat.events.refused", "{event}", "Events that a full spool or disk did not take, by what became of them.");
        _meter.CreateObservableGauge("chat.events.spool.size", () => Unacknowledged.PendingBytes, "By", "Bytes that the agent has not acknowledged.");
        _meter.CreateObservableGauge("chat.events.spool.oldest_age", () => Unacknowledged.OldestPending.TotalSeconds, "s", "How long the oldest of them waits.");
    }

    public SpoolCursor Unacknowledged { get; }

    public bool IsFull => _options.WhenFull == WhenSpoolRefuses.Reject && Unacknowledged.PendingBytes > _options.SpoolLimitBytes * 0.99;

    /// <summary>The folder that this process has for itself.</summary>
    public string Folder => _log.Folder;

    public async ValueTask AppendAsync(string roomId, ReadOnlyMemory<byte> cloudEventJson, CancellationToken cancellationToken)
    {
        var entry = new ArrayBufferWriter<byte>(cloudEventJson.Length + 64);
        ForwardProtocol.WriteEntry(entry, _time.GetUtcNow(), roomId, cloudEventJson.Span);
        try
        {
            await _log.AppendAsync(entry.WrittenMemory, cancellationToken);
            _appended.Add(1);
        }
        catch (Exception error) when (error is SpoolFullException or SpoolWriteException)
        {
            var drop = _options.WhenFull == WhenSpoolRefuses.Drop;
            _refused.Add(1, new KeyValuePair<string, object?>("outcome", drop ? "dropped" : "rejected"));
            if (!drop)
                throw new EventSpoolFullException(error);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _meter.Dispose();
        await _log.DisposeAsync();
    }
}
