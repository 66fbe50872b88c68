using System.Text;
using ChatPlatform.Forwarder.Delivery;

namespace ChatPlatform.Forwarder.Outputs;

/// <summary>Takes everything and keeps nothing.</summary>
internal sealed class NullOutput : IOutput
{
    public Task<IReadOnlyList<Record>> DeliverAsync(IReadOnlyList<Record> records, DeadLetters deadLetters, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<Record>>([]);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>One JSON object a line, as Fluent Bit's <c>stdout</c> with <c>json_lines</c>.</summary>
internal sealed class StdoutOutput(StdoutOutputSettings settings) : IOutput
{
    private readonly Stream _out = Console.OpenStandardOutput();

    public async Task<IReadOnlyList<Record>> DeliverAsync(IReadOnlyList<Record> records, DeadLetters deadLetters, CancellationToken cancellationToken)
    {
        using var lines = new MemoryStream();
        foreach (var record in records)
        {
            lines.Write(settings.Line.Write(record)!);
            lines.WriteByte((byte)'\n');
        }

        await _out.WriteAsync(lines.GetBuffer().AsMemory(0, (int)lines.Length), cancellationToken);
        await _out.FlushAsync(cancellationToken);
        return [];
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>Appends lines to files. A delivery that fails half-way leaves its first lines there and repeats them: at least once, as every output.</summary>
internal sealed class FileOutput(FileOutputSettings settings) : IOutput
{
    public async Task<IReadOnlyList<Record>> DeliverAsync(IReadOnlyList<Record> records, DeadLetters deadLetters, CancellationToken cancellationToken)
    {
        foreach (var file in records.GroupBy(record => Path.Combine(settings.Folder, settings.File ?? FileName(record.Tag))))
        {
            using var lines = new MemoryStream();
            foreach (var record in file)
            {
                if (!settings.Plain)
                    lines.Write(Encoding.UTF8.GetBytes($"{record.Tag}: [{RecordTimes.Seconds(record.Time)}, "));
                lines.Write(RecordJson.Write(record));
                lines.Write(settings.Plain ? "\n"u8 : "]\n"u8);
            }

            await AppendAsync(file.Key, lines.GetBuffer().AsMemory(0, (int)lines.Length), cancellationToken);
        }

        return [];
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async Task AppendAsync(string path, ReadOnlyMemory<byte> lines, CancellationToken cancellationToken)
    {
        try
        {
            Directory.CreateDirectory(settings.Folder);
            await using var file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.Read);
            await file.WriteAsync(lines, cancellationToken);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new DeliveryException($"{path}: {error.Message}", error);
        }
    }

    /// <summary>The tag comes from a stranger: it names a file in the folder and nothing else.</summary>
    private static string FileName(string tag) => tag is "." or ".." ? "_" : string.Concat(tag.Take(200).Select(c => c is '/' or '\0' ? '_' : c));
}
