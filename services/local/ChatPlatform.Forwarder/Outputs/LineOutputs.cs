using System.Text;
using ChatPlatform.Forwarder.Delivery;

namespace ChatPlatform.Forwarder.Outputs;

/// <summary>One JSON object a line, the time as the field <c>date</c>, as Fluent Bit's <c>stdout</c> with <c>json_lines</c>.</summary>
internal sealed class StdoutOutput : IOutput
{
    private readonly Stream _out = Console.OpenStandardOutput();

    public async Task<int> DeliverAsync(IReadOnlyList<Record> records, DeadLetters deadLetters, CancellationToken cancellationToken)
    {
        using var lines = new MemoryStream();
        foreach (var record in records)
        {
            lines.Write(RecordJson.Write(record, (json, r) =>
            {
                json.WritePropertyName("date");
                json.WriteRawValue(RecordJson.Seconds(r.Time));
            }));
            lines.WriteByte((byte)'\n');
        }

        await _out.WriteAsync(lines.GetBuffer().AsMemory(0, (int)lines.Length), cancellationToken);
        await _out.FlushAsync(cancellationToken);
        return records.Count;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>Appends lines to a file. A delivery that fails half-way leaves its first lines there and repeats them: at least once, as every output.</summary>
internal sealed class FileOutput(FileOutputSettings settings) : IOutput
{
    public async Task<int> DeliverAsync(IReadOnlyList<Record> records, DeadLetters deadLetters, CancellationToken cancellationToken)
    {
        using var lines = new MemoryStream();
        foreach (var record in records)
        {
            if (!settings.Plain)
                lines.Write(Encoding.UTF8.GetBytes($"{record.Tag}: [{RecordJson.Seconds(record.Time)}, "));
            lines.Write(RecordJson.Write(record));
            lines.Write(settings.Plain ? "\n"u8 : "]\n"u8);
        }

        try
        {
            if (Path.GetDirectoryName(settings.Path) is { Length: > 0 } folder)
                Directory.CreateDirectory(folder);
            await using var file = new FileStream(settings.Path, FileMode.Append, FileAccess.Write, FileShare.Read);
            await file.WriteAsync(lines.GetBuffer().AsMemory(0, (int)lines.Length), cancellationToken);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new DeliveryException($"{settings.Path}: {error.Message}", error);
        }

        return records.Count;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
