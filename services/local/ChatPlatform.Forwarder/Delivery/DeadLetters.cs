using System.Text.Json;
using ChatPlatform.Forwarder.Outputs;

namespace ChatPlatform.Forwarder.Delivery;

/// <summary>
/// The records that a far end refused for good, one JSON line each (<c>at</c>, <c>output</c>, <c>tag</c>, <c>reason</c>, <c>record</c> in base64 MessagePack) in
/// <c>dead-letter/OUTPUT.jsonl</c> under the storage path: for a person, never sent again. Thread-safe.
/// </summary>
internal sealed partial class DeadLetters(string storagePath, TimeProvider time, ForwarderMetrics metrics, ILogger<DeadLetters> logger) : IDisposable
{
    private readonly SemaphoreSlim _one = new(1);

    /// <summary>Returns when the line is in the file.</summary>
    /// <exception cref="DeliveryException">It could not be written; the record stays where it is.</exception>
    public async Task AddAsync(string output, Record record, string reason, CancellationToken cancellationToken)
    {
        using var line = new MemoryStream();
        await using (var json = new Utf8JsonWriter(line, RecordJson.Options))
        {
            json.WriteStartObject();
            json.WriteString("at", time.GetUtcNow());
            json.WriteString("output", output);
            json.WriteString("tag", record.Tag);
            json.WriteString("reason", reason);
            json.WriteBase64String("record", record.Body.Span);
            json.WriteEndObject();
        }

        line.WriteByte((byte)'\n');
        await _one.WaitAsync(cancellationToken);
        try
        {
            var folder = Directory.CreateDirectory(Path.Combine(storagePath, "dead-letter")).FullName;
            await using var file = new FileStream(Path.Combine(folder, output + ".jsonl"), FileMode.Append, FileAccess.Write, FileShare.Read);
            await file.WriteAsync(line.GetBuffer().AsMemory(0, (int)line.Length), cancellationToken);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new DeliveryException($"the dead-letter file: {error.Message}", error);
        }
        finally
        {
            _one.Release();
        }

        metrics.DeadLettered(output);
        LogDeadLetter(logger, output, record.Tag, reason);
    }

    public void Dispose() => _one.Dispose();

    [LoggerMessage(Level = LogLevel.Error, Message = "{Output}: a record with the tag {Tag} is put aside: {Reason}")]
    private static partial void LogDeadLetter(ILogger logger, string output, string tag, string reason);
}
