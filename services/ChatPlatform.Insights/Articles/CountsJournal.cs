using System.Globalization;
using System.IO.Hashing;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Insights.Articles;

/// <summary>
/// The counts on disk: a file of lines, each a checksum (CRC-32, eight hex digits), a blank and a <see cref="CountsChange"/> in JSON, which holds the counts and the offsets they stand at, so
/// that both are kept or neither. A torn last line is cut; its events come again. One caller.
/// </summary>
internal sealed partial class CountsJournal : IDisposable
{
    private const string FileName = "counts.journal";
    private readonly ArticleCounts _counts;
    private readonly long _compactBytes;
    private readonly string _path;
    private FileStream _file;
    private long _compacted;

    /// <exception cref="IOException">The folder cannot be used, or another process has it.</exception>
    /// <exception cref="InvalidDataException">The file is damaged before its end.</exception>
    public CountsJournal(ArticleCounts counts, IOptions<InsightsOptions> options, ILogger<CountsJournal> logger)
    {
        _counts = counts;
        _compactBytes = options.Value.CompactBytes;
        _path = Path.Combine(Directory.CreateDirectory(options.Value.DataPath!).FullName, FileName);
        _file = new FileStream(_path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        var cut = Recover();
        if (cut > 0)
            LogCut(logger, cut, _path);
        _compacted = _file.Length;
    }

    /// <summary>Returns when the change is on the disk; then it is applied. Nothing of it is kept when the disk refuses.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public void Keep(CountsChange change)
    {
        var end = _file.Length;
        try
        {
            _file.Position = end;
            _file.Write(Line(change));
            _file.Flush(flushToDisk: true);
        }
        catch (IOException)
        {
            _file.SetLength(end);
            throw;
        }

        _counts.Apply(change);
        if (_file.Length - _compacted > _compactBytes)
            Compact();
    }

    public void Dispose() => _file.Dispose();

    /// <summary>A new file takes the place of the old one in one step: there is never none.</summary>
    private void Compact()
    {
        var next = new FileStream(_path + ".new", FileMode.Create, FileAccess.ReadWrite, FileShare.None);
        next.Write(Line(_counts.Snapshot()));
        next.Flush(flushToDisk: true);
        File.Move(_path + ".new", _path, overwrite: true);
        _file.Dispose();
        _file = next;
        _compacted = next.Length;
    }

    /// <returns>How many bytes were cut.</returns>
    private long Recover()
    {
        using var reader = new StreamReader(_file, new UTF8Encoding(false), leaveOpen: true);
        long intact = 0;
        while (reader.ReadLine() is { } line)
        {
            var bytes = Encoding.UTF8.GetByteCount(line) + 1;
            if (Parse(line) is not { } change)
            {
                if (reader.Peek() >= 0)
                    throw new InvalidDataException($"{_path} is damaged at byte {intact}, before its last line; remove it, and the counts are made anew from the topic.");
                break;
            }

            intact += bytes;
            if (intact > _file.Length)
            {
                // Whole but for its line end.
                intact -= bytes;
                break;
            }

            _counts.Apply(change);
        }

        var cut = _file.Length - intact;
        _file.SetLength(intact);
        return cut;
    }

    private static byte[] Line(CountsChange change)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(change);
        return [.. Encoding.ASCII.GetBytes(Crc32.HashToUInt32(json).ToString("x8", CultureInfo.InvariantCulture)), (byte)' ', .. json, (byte)'\n'];
    }

    private static CountsChange? Parse(string line)
    {
        if (line.Length < 10 || !uint.TryParse(line.AsSpan(0, 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var checksum))
            return null;
        var json = Encoding.UTF8.GetBytes(line[9..]);
        return Crc32.HashToUInt32(json) == checksum ? JsonSerializer.Deserialize<CountsChange>(json) : null;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Cut a torn last line of {Bytes} bytes off {Path}; its events come again")]
    private static partial void LogCut(ILogger logger, long bytes, string path);
}
