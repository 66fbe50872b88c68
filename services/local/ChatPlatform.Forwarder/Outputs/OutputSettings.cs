using ChatPlatform.Forwarder.Configuration;

namespace ChatPlatform.Forwarder.Outputs;

/// <param name="Alias">Names the output in logs, metrics and in the file that keeps its place; <c>alias</c>, or the plugin's name and its number in the file.</param>
/// <param name="Match">Which tags it takes.</param>
/// <param name="TotalLimitBytes"><c>storage.total_limit_size</c>: undelivered bytes at which the inputs stop reading. Fluent Bit would drop the oldest chunk there.</param>
internal abstract record OutputSettings(string Alias, TagPattern Match, long TotalLimitBytes)
{
    /// <summary>About how many bytes of chunks make a delivery.</summary>
    public virtual int BatchBytes => 1024 * 1024;

    /// <summary>How long a delivery waits to become <see cref="BatchBytes"/> large, from its oldest record on.</summary>
    public virtual TimeSpan FillTime => TimeSpan.Zero;

    public static OutputSettings From(FileSection section, int number)
    {
        var name = section.RequiredText("name");
        section.Name($"output '{name}'");
        var alias = section.Alias(name, number);
        var match = TagPattern.From(section);
        var limit = section.Size("storage.total_limit_size", 1_000_000_000, 1_000_000);
        if (section.Text("retry_limit")?.ToLowerInvariant() is not ("no_limits" or "false" or "off"))
            throw section.Wrong("retry_limit", "'retry_limit' must be 'no_limits': this forwarder never drops what it acknowledged");
        OutputSettings settings = name switch
        {
            "kafka" => KafkaOutputSettings.From(section, alias, match, limit),
            "s3" => S3OutputSettings.From(section, alias, match, limit),
            "kinesis_firehose" => FirehoseOutputSettings.From(section, alias, match, limit),
            "stdout" => StdoutOutputSettings.From(section, alias, match, limit),
            "file" => FileOutputSettings.From(section, alias, match, limit),
            "null" => new NullOutputSettings(alias, match, limit),
            _ => throw section.Wrong("name", "this forwarder has the outputs 'kafka', 's3', 'kinesis_firehose', 'stdout', 'file' and 'null'"),
        };
        section.RefuseTheRest();
        return settings;
    }
}

internal sealed record NullOutputSettings(string Alias, TagPattern Match, long TotalLimitBytes) : OutputSettings(Alias, Match, TotalLimitBytes);

internal sealed record StdoutOutputSettings(string Alias, TagPattern Match, long TotalLimitBytes, JsonLine Line) : OutputSettings(Alias, Match, TotalLimitBytes)
{
    public static StdoutOutputSettings From(FileSection section, string alias, TagPattern match, long limit)
    {
        if (section.Choice("format", "msgpack", "msgpack", "json_lines") != "json_lines")
            throw section.Wrong("format", "'format' must be 'json_lines'");
        return new StdoutOutputSettings(alias, match, limit, JsonLine.From(section, RecordTime.Double));
    }
}

/// <param name="Folder">Where the files are; made when missing.</param>
/// <param name="File">The file that lines are appended to; null for one a tag, named after it.</param>
/// <param name="Plain">True: a line is the record in JSON. False: <c>tag: [time, record]</c>.</param>
internal sealed record FileOutputSettings(string Alias, TagPattern Match, long TotalLimitBytes, string Folder, string? File, bool Plain) : OutputSettings(Alias, Match, TotalLimitBytes)
{
    public static FileOutputSettings From(FileSection section, string alias, TagPattern match, long limit)
    {
        if (!section.Flag("mkdir", true))
            throw section.Wrong("mkdir", "'mkdir' must be on: this forwarder makes the folder");
        return new FileOutputSettings(
            alias, match, limit, Path.GetFullPath(section.Text("path") ?? "."), section.Text("file"), section.Choice("format", "out_file", "out_file", "plain") == "plain");
    }
}
