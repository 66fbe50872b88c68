using System.Text.RegularExpressions;
using ChatPlatform.Forwarder.Configuration;
using ChatPlatform.Forwarder.Outputs;

namespace ChatPlatform.Forwarder.Filters;

/// <summary>One entry of <c>pipeline.filters</c>. Filters work on what comes in, in the order of the file, before it goes to disk. Thread-safe.</summary>
internal abstract class Filter
{
    private static readonly TimeSpan RegexTime = TimeSpan.FromSeconds(1);

    /// <summary>Which tags it takes.</summary>
    public required TagPattern Match { get; init; }

    public required string Alias { get; init; }

    /// <returns>False: the record goes no further.</returns>
    public abstract bool Apply(Fields fields);

    public static Filter From(FileSection section, int number)
    {
        var name = section.RequiredText("name");
        section.Name($"filter '{name}'");
        var match = TagPattern.From(section);
        var alias = section.Alias(name, number);
        Filter filter = name switch
        {
            "grep" => new GrepFilter(section) { Match = match, Alias = alias },
            "modify" => new ModifyFilter(section) { Match = match, Alias = alias },
            "record_modifier" => new RecordModifierFilter(section) { Match = match, Alias = alias },
            _ => throw section.Wrong("name", "this forwarder has the filters 'grep', 'modify' and 'record_modifier'"),
        };
        section.RefuseTheRest();
        return filter;
    }

    /// <summary>An expression that takes time in proportion to the text, whatever the text: a record must not be able to hold the input up.</summary>
    protected static Regex Expression(FileSection section, string key, string pattern)
    {
        try
        {
            return new Regex(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant, RegexTime);
        }
        catch (Exception error) when (error is ArgumentException or NotSupportedException)
        {
            throw section.Invalid(key, pattern, $"a regular expression without back references and look-around ({error.Message})");
        }
    }

    /// <summary>Splits at blanks into at most <paramref name="most"/> words, the last one the rest of the line; double quotes keep blanks in a word.</summary>
    protected static string[] Words(string text, int most)
    {
        var words = new List<string>();
        var rest = text.AsSpan().Trim();
        while (!rest.IsEmpty)
        {
            var quoted = rest[0] == '"' ? rest[1..].IndexOf('"') : -1;
            var whole = words.Count == most - 1 && (quoted < 0 || quoted + 2 < rest.Length);
            var end = whole ? rest.Length : quoted >= 0 ? quoted + 2 : rest.IndexOf(' ') is >= 0 and var blank ? blank : rest.Length;
            words.Add((quoted >= 0 && !whole ? rest[1..(end - 1)] : rest[..end]).ToString());
            rest = rest[end..].TrimStart();
        }

        return [.. words];
    }
}
