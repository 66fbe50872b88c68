using System.Globalization;
using System.Text.RegularExpressions;
using YamlDotNet.RepresentationModel;

namespace ChatPlatform.Forwarder.Configuration;

/// <summary>The configuration file asks for something that is wrong or not supported; the message is <c>file:line: what</c>.</summary>
internal sealed class PipelineFileException(string file, long line, string message) : Exception($"{file}:{line}: {message}");

/// <summary>
/// One mapping of the file. Every key must be asked for before <see cref="RefuseTheRest"/>: what nobody asked for is a setting that would be ignored, and that is an error.
/// Keys are case-insensitive and <c>${NAME}</c> in a value is replaced, as in Fluent Bit; a variable that is not set is an error here, where Fluent Bit inserts nothing.
/// </summary>
internal sealed partial class FileSection
{
    private readonly OrderedDictionary<string, (YamlNode Value, long Line)> _entries = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _asked = new(StringComparer.OrdinalIgnoreCase);
    private readonly PipelineSource _source;
    private readonly long _line;

    public FileSection(PipelineSource source, string title, YamlNode node)
    {
        _source = source;
        Title = title;
        _line = node.Start.Line;
        if (node is not YamlMappingNode map)
            throw Wrong(_line, "must be a mapping");
        foreach (var (key, value) in map.Children)
        {
            if (key is not YamlScalarNode { Value: { } name })
                throw Wrong(key.Start.Line, "has a key that is no string");
            if (!_entries.TryAdd(name, (value, key.Start.Line)))
                throw Wrong(key.Start.Line, $"'{name}' stands twice");
        }
    }

    public string Title { get; private set; }

    public void Name(string title) => Title = title;

    public string? Text(string key)
    {
        _asked.Add(key);
        if (!_entries.TryGetValue(key, out var entry))
            return null;
        return Resolve(key, entry.Value, entry.Line);
    }

    public string RequiredText(string key) => Text(key) is { Length: > 0 } text ? text : throw Wrong(LineOf(key), $"'{key}' is missing");

    public int Number(string key, int otherwise, int least, int most)
    {
        var text = Text(key);
        if (text is null)
            return otherwise;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
            ? number
            : throw Invalid(key, text, $"a number from {least} to {most}");
    }

    /// <summary>A time with an optional unit <c>s</c>, <c>m</c>, <c>h</c> or <c>d</c>; seconds without one (the same page as for sizes).</summary>
    public TimeSpan Seconds(string key, double otherwise)
    {
        var text = Text(key);
        if (text is null)
            return TimeSpan.FromSeconds(otherwise);
        var unit = text.Length == 0 ? 1 : char.ToLowerInvariant(text[^1]) switch { 's' => 1, 'm' => 60, 'h' => 3_600, 'd' => 86_400, _ => 0 };
        return double.TryParse(unit == 0 ? text : text[..^1], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) && number * Math.Max(unit, 1) is >= 0 and <= 86_400
            ? TimeSpan.FromSeconds(number * Math.Max(unit, 1))
            : throw Invalid(key, text, "a time from 0 to 86400 seconds, such as 30 or 10m");
    }

    /// <summary><c>alias</c>, or the plugin's name and its number in the file: names it in logs, metrics and files.</summary>
    public string Alias(string plugin, int number)
    {
        var alias = Text("alias") ?? $"{plugin}.{number}";
        return alias.Length > 0 && alias.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') ? alias : throw Invalid("alias", alias, "letters, digits, '-', '_' and '.'");
    }

    public bool Flag(string key, bool otherwise) => Choice(key, otherwise ? "on" : "off", "on", "off", "true", "false", "yes", "no") is "on" or "true" or "yes";

    /// <summary>Bytes; Fluent Bit's unit sizes (https://docs.fluentbit.io/manual/administration/configuring-fluent-bit/unit-sizes): <c>k</c>, <c>M</c>, <c>G</c> are powers of 1,000 there.</summary>
    public long Size(string key, long otherwise, long least)
    {
        var text = Text(key);
        if (text is null)
            return otherwise;
        var match = UnitSize().Match(text);
        if (!match.Success || !long.TryParse(match.Groups[1].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            throw Invalid(key, text, "a size such as 64M");
        var unit = match.Groups[2].Value.ToLowerInvariant() switch { "" => 1L, "k" => 1_000, "m" => 1_000_000, _ => 1_000_000_000 };
        if (number > long.MaxValue / unit || number * unit < least)
            throw Invalid(key, text, $"a size of at least {least} bytes");
        return number * unit;
    }

    /// <summary>One of <paramref name="allowed"/>, case-insensitive, given in lower case.</summary>
    public string Choice(string key, string otherwise, params ReadOnlySpan<string> allowed)
    {
        var text = Text(key)?.ToLowerInvariant();
        if (text is null)
            return otherwise;
        if (!allowed.Contains(text))
            throw Invalid(key, text, "one of: " + string.Join(", ", allowed.ToArray()));
        return text;
    }

    /// <summary>Takes every key that begins with <paramref name="prefix"/>, without it.</summary>
    public IReadOnlyDictionary<string, string> Prefixed(string prefix)
    {
        var found = new Dictionary<string, string>();
        foreach (var key in _entries.Keys.Where(k => k.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)))
            found[key[prefix.Length..].ToLowerInvariant()] = Text(key)!;
        return found;
    }

    /// <summary>The values of the keys in <paramref name="keys"/> (lower case), in the order of the file. A key that is wanted several times has a list of values, for YAML has no repeated keys.</summary>
    public IReadOnlyList<(string Key, string Value)> InOrder(params ReadOnlySpan<string> keys)
    {
        foreach (var key in keys)
            _asked.Add(key);
        var found = new List<(string, string)>();
        foreach (var (key, (value, line)) in _entries)
        {
            if (!keys.Contains(key.ToLowerInvariant()))
                continue;
            foreach (var node in value is YamlSequenceNode list ? list.Children : [value])
                found.Add((key.ToLowerInvariant(), Resolve(key, node, line)));
        }

        return found;
    }

    public IReadOnlyList<FileSection> List(string key, string title)
    {
        _asked.Add(key);
        if (!_entries.TryGetValue(key, out var entry))
            return [];
        if (entry.Value is not YamlSequenceNode list)
            throw Wrong(entry.Line, $"'{key}' must be a list");
        return [.. list.Select(node => new FileSection(_source, title, node))];
    }

    public FileSection? Section(string key)
    {
        _asked.Add(key);
        return _entries.TryGetValue(key, out var entry) ? new FileSection(_source, key, entry.Value) : null;
    }

    /// <exception cref="PipelineFileException">A key was never asked for.</exception>
    public void RefuseTheRest()
    {
        foreach (var (key, (_, line)) in _entries)
        {
            if (!_asked.Contains(key))
                throw Wrong(line, $"'{key}' is not supported by this forwarder; it supports: {string.Join(", ", _asked.Order(StringComparer.Ordinal))}");
        }
    }

    public PipelineFileException Invalid(string key, string value, string allowed) => Wrong(LineOf(key), $"'{key}' is '{value}'; it must be {allowed}");

    public PipelineFileException Wrong(string message) => Wrong(_line, message);

    public PipelineFileException Wrong(string key, string message) => Wrong(LineOf(key), message);

    private string Resolve(string key, YamlNode value, long line)
    {
        if (value is not YamlScalarNode { Value: { } text })
            throw Wrong(line, $"'{key}' must be a single value");
        return Variable().Replace(text, match => _source.Variable(match.Groups[1].Value)
            ?? throw Wrong(line, $"'{key}' uses ${{{match.Groups[1].Value}}}, which is not set"));
    }

    private PipelineFileException Wrong(long line, string message) => new(_source.File, line, $"{Title}: {message}.");

    private long LineOf(string key) => _entries.TryGetValue(key, out var entry) ? entry.Line : _line;

    [GeneratedRegex(@"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")]
    private static partial Regex Variable();

    [GeneratedRegex(@"^([0-9]+)\s*([kKmMgG]?)[bB]?$")]
    private static partial Regex UnitSize();
}

/// <summary>The file's name for messages, and where variables come from.</summary>
internal sealed record PipelineSource(string File, Func<string, string?> Variable);
