using System.Text.RegularExpressions;
using ChatPlatform.Forwarder.Configuration;

namespace ChatPlatform.Forwarder.Outputs;

/// <summary>
/// Which tags a filter or output takes (https://docs.fluentbit.io/manual/concepts/data-pipeline/router): <c>match</c>, in which <c>*</c> stands for any characters, none included, or
/// <c>match_regex</c>, an expression that must match from the tag's first character on. Thread-safe.
/// </summary>
internal sealed class TagPattern
{
    private readonly string[] _parts = [];
    private readonly Regex? _expression;

    public TagPattern(string wildcard) => _parts = wildcard.Split('*');

    private TagPattern(Regex expression) => _expression = expression;

    public static TagPattern From(FileSection section)
    {
        var (wildcard, expression) = (section.Text("match"), section.Text("match_regex"));
        if (wildcard is { Length: > 0 } && expression is null)
            return new TagPattern(wildcard);
        if (wildcard is not null || expression is not { Length: > 0 })
            throw section.Wrong("match", "one of 'match' and 'match_regex' must be set");
        try
        {
            return new TagPattern(new Regex($@"\A(?:{expression})", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant));
        }
        catch (Exception error) when (error is ArgumentException or NotSupportedException)
        {
            throw section.Invalid("match_regex", expression, $"a regular expression without back references and look-around ({error.Message})");
        }
    }

    public bool Matches(string tag)
    {
        if (_expression is not null)
            return _expression.IsMatch(tag);
        if (_parts.Length == 1)
            return tag == _parts[0];
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
}
