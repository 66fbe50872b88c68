using System.Text.RegularExpressions;
using ChatPlatform.Forwarder.Configuration;

namespace ChatPlatform.Forwarder.Filters;

/// <summary>
/// Keeps or drops records by a field's text (https://docs.fluentbit.io/manual/pipeline/filters/grep). <c>logical_op: legacy</c>, the default, goes through the rules in the order of the file:
/// an <c>exclude</c> that matches drops, the first <c>regex</c> decides. <c>AND</c> and <c>OR</c> join rules of one kind. A field that is missing or no string matches nothing.
/// </summary>
internal sealed class GrepFilter : Filter
{
    private readonly List<(bool Exclude, FieldPath Field, Regex Expression)> _rules = [];
    private readonly string _logicalOp;

    public GrepFilter(FileSection section)
    {
        _logicalOp = section.Choice("logical_op", "legacy", "legacy", "and", "or");
        foreach (var (key, value) in section.InOrder("regex", "exclude"))
        {
            if (Words(value, 2) is not [var field, var pattern] || FieldPath.Parse(field) is not { } path)
                throw section.Invalid(key, value, "a key or record accessor and an expression");
            _rules.Add((key == "exclude", path, Expression(section, key, pattern)));
        }

        if (_rules.Count == 0)
            throw section.Wrong("neither 'regex' nor 'exclude' is set");
        if (_logicalOp != "legacy" && _rules.Select(rule => rule.Exclude).Distinct().Count() > 1)
            throw section.Wrong("logical_op", "'logical_op' joins rules of one kind, 'regex' or 'exclude'");
    }

    public override bool Apply(Fields fields)
    {
        if (_logicalOp == "legacy")
        {
            foreach (var rule in _rules)
            {
                var matches = Matches(rule.Field, rule.Expression, fields);
                if (!rule.Exclude)
                    return matches;
                if (matches)
                    return false;
            }

            return true;
        }

        var holds = _logicalOp == "and"
            ? _rules.TrueForAll(rule => Matches(rule.Field, rule.Expression, fields))
            : _rules.Exists(rule => Matches(rule.Field, rule.Expression, fields));
        return holds != _rules[0].Exclude;
    }

    private static bool Matches(FieldPath path, Regex expression, Fields fields) =>
        path.Find(fields) is { } value && MessagePack.MessagePackCode.ToMessagePackType(value.Span[0]) == MessagePack.MessagePackType.String && expression.IsMatch(Fields.Text(value)!);
}
