using ChatPlatform.Forwarder.Configuration;

namespace ChatPlatform.Forwarder.Outputs;

/// <param name="Alias">Names the output in logs, metrics and in the file that keeps its place; <c>alias</c>, or the plugin's name and its number in the file.</param>
/// <param name="Match">Which tags it takes; <c>*</c> stands for any characters.</param>
/// <param name="TotalLimitBytes"><c>storage.total_limit_size</c>: undelivered bytes at which the inputs stop reading. Fluent Bit would drop the oldest chunk there.</param>
internal abstract record OutputSettings(string Alias, TagPattern Match, long TotalLimitBytes)
{
    public static OutputSettings From(FileSection section, int number)
    {
        var name = section.RequiredText("name");
        section.Name($"output '{name}'");
        var alias = section.Text("alias") ?? $"{name}.{number}";
        if (alias.Length == 0 || alias.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.')))
            throw section.Invalid("alias", alias, "letters, digits, '-', '_' and '.'");
        var match = new TagPattern(section.RequiredText("match"));
        var limit = section.Size("storage.total_limit_size", 1_000_000_000, 1_000_000);
        if (section.Text("retry_limit")?.ToLowerInvariant() is not ("no_limits" or "false"))
            throw section.Wrong("retry_limit", "'retry_limit' must be 'no_limits': this forwarder never drops what it acknowledged");
        OutputSettings settings = name switch
        {
            "kafka" => KafkaOutputSettings.From(section, alias, match, limit),
            "stdout" => new StdoutOutputSettings(alias, match, limit, section.Choice("format", "msgpack", "json_lines")),
            "file" => FileOutputSettings.From(section, alias, match, limit),
            "null" => new NullOutputSettings(alias, match, limit),
            _ => throw section.Wrong("name", "this forwarder has the outputs 'kafka', 'stdout', 'file' and 'null'"),
        };
        if (settings is StdoutOutputSettings { Format: not "json_lines" })
            throw section.Wrong("format", "'format' must be 'json_lines'");
        section.RefuseTheRest();
        return settings;
    }
}

internal sealed record NullOutputSettings(string Alias, TagPattern Match, long TotalLimitBytes) : OutputSettings(Alias, Match, TotalLimitBytes);

internal sealed record StdoutOutputSettings(string Alias, TagPattern Match, long TotalLimitBytes, string Format) : OutputSettings(Alias, Match, TotalLimitBytes);

/// <param name="Path">The file that lines are appended to.</param>
/// <param name="Plain">True: a line is the record in JSON. False: <c>tag: [time, record]</c>.</param>
internal sealed record FileOutputSettings(string Alias, TagPattern Match, long TotalLimitBytes, string Path, bool Plain) : OutputSettings(Alias, Match, TotalLimitBytes)
{
    public static FileOutputSettings From(FileSection section, string alias, TagPattern match, long limit)
    {
        var folder = section.Text("path") ?? ".";
        return new FileOutputSettings(
            alias, match, limit, System.IO.Path.GetFullPath(System.IO.Path.Combine(folder, section.RequiredText("file"))), section.Choice("format", "out_file", "out_file", "plain") == "plain");
    }
}

/// <summary>A Fluent Bit match rule: a tag in which <c>*</c> stands for any characters, none included.</summary>
internal sealed class TagPattern(string pattern)
{
    private readonly string[] _parts = pattern.Split('*');

    public bool Matches(string tag)
    {
        if (_parts.Length == 1)
            return tag == pattern;
        if (!tag.StartsWith(_parts[0], StringComparison.Ordinal))
            return false;
        var at = _parts[0].Length;
        for (var i = 1; i < _parts.Length - 1; i++)
        {
            var found = tag.IndexOf(_parts[i], at, StringComparison.Ordinal);
            if (found < 0)
                return false;
            at = found + _parts[i].Length;
        }

        return tag.Length - at >= _parts[^1].Length && tag.EndsWith(_parts[^1], StringComparison.Ordinal);
    }

    public override string ToString() => pattern;
}
