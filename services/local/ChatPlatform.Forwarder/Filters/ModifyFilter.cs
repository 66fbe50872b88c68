using System.Text.RegularExpressions;
using ChatPlatform.Forwarder.Configuration;

namespace ChatPlatform.Forwarder.Filters;

/// <summary>
/// Changes fields by rules, in the order of the file, each on what the one before left, when every condition holds
/// (https://docs.fluentbit.io/manual/pipeline/filters/modify). <c>remove_wildcard</c> takes the beginning of a key, as Fluent Bit's code does.
/// </summary>
internal sealed class ModifyFilter : Filter
{
    private readonly List<Action<Fields>> _rules = [];
    private readonly List<Predicate<Fields>> _conditions = [];

    public ModifyFilter(FileSection section)
    {
        foreach (var (key, value) in section.InOrder(
            "condition", "set", "add", "remove", "remove_wildcard", "remove_regex", "rename", "hard_rename", "copy", "hard_copy", "move_to_start", "move_to_end"))
        {
            if (key == "condition")
                _conditions.Add(Condition(section, value));
            else
                _rules.Add(Rule(section, key, value));
        }

        if (_rules.Count == 0)
            throw section.Wrong("no rule is set");
    }

    public override bool Apply(Fields fields)
    {
        if (_conditions.TrueForAll(condition => condition(fields)))
        {
            foreach (var rule in _rules)
                rule(fields);
        }

        return true;
    }

    private static Action<Fields> Rule(FileSection section, string key, string value)
    {
        switch (key, Words(value, 2))
        {
            case ("set", [var a, var b]):
                var set = Fields.Encode(b);
                return fields => fields.Set(a, set);
            case ("add", [var a, var b]):
                var added = Fields.Encode(b);
                return fields =>
                {
                    if (!fields.Has(a))
                        fields.Append(a, added);
                };
            case ("remove", [var a]):
                return fields => fields.Remove(field => field.Name == a);
            case ("remove_wildcard", [var a]):
                return fields => fields.Remove(field => field.Name?.StartsWith(a, StringComparison.Ordinal) == true);
            case ("remove_regex", [var a]):
                var expression = Expression(section, key, a);
                return fields => fields.Remove(field => field.Name is { } name && expression.IsMatch(name));
            case ("rename" or "hard_rename", [var a, var b]):
                return fields =>
                {
                    if (a == b || !fields.Has(a) || (key == "rename" && fields.Has(b)))
                        return;
                    fields.Remove(field => field.Name == b);
                    fields.Rename(a, b);
                };
            case ("copy" or "hard_copy", [var a, var b]):
                return fields =>
                {
                    if (a == b || fields.Value(a) is not { } copied || (key == "copy" && fields.Has(b)))
                        return;
                    fields.Remove(field => field.Name == b);
                    fields.Append(b, copied);
                };
            case ("move_to_start" or "move_to_end", [var a]):
                // A trailing star takes every key that begins so (the page's WILDCARD).
                return a.EndsWith('*')
                    ? fields => fields.Move(field => field.Name?.StartsWith(a[..^1], StringComparison.Ordinal) == true, key == "move_to_start")
                    : fields => fields.Move(field => field.Name == a, key == "move_to_start");
            default:
                throw section.Invalid(key, value, key is "set" or "add" or "rename" or "hard_rename" or "copy" or "hard_copy" ? "a key and a second word" : "one key");
        }
    }

    private static Predicate<Fields> Condition(FileSection section, string text)
    {
        var words = Words(text, 3);
        switch (words.FirstOrDefault()?.ToLowerInvariant(), words)
        {
            case ("key_exists", [_, var a]):
                return Exists(a);
            case ("key_does_not_exist", [_, var a]):
                return Not(Exists(a));
            case ("a_key_matches", [_, var a]):
                return AnyKey(a);
            case ("no_key_matches", [_, var a]):
                return Not(AnyKey(a));
            case ("key_value_equals", [_, var a, var b]):
                return Value(a, value => value == b);
            case ("key_value_does_not_equal", [_, var a, var b]):
                return Value(a, value => value != b);
            case ("key_value_matches", [_, var a, var b]):
                return Value(a, Matching(b));
            case ("key_value_does_not_match", [_, var a, var b]):
                return Value(a, Not(Matching(b)));
            case ("matching_keys_have_matching_values", [_, var a, var b]):
                return EveryMatchingKey(a, Matching(b));
            case ("matching_keys_do_not_have_matching_values", [_, var a, var b]):
                return EveryMatchingKey(a, Not(Matching(b)));
            default:
                throw section.Invalid("condition", text, "a condition of the modify filter with its one or two parameters");
        }

        FieldPath Path(string key) => FieldPath.Parse(key) ?? throw section.Invalid("condition", text, "a key or a record accessor");

        Predicate<Fields> Exists(string key)
        {
            var path = Path(key);
            return fields => path.Find(fields) is not null;
        }

        Predicate<Fields> AnyKey(string pattern)
        {
            var expression = Expression(section, "condition", pattern);
            return fields => fields.All.Any(field => field.Name is { } name && expression.IsMatch(name));
        }

        Predicate<Fields> Value(string key, Predicate<string?> holds)
        {
            var path = Path(key);
            return fields => path.Find(fields) is { } value && holds(Fields.Text(value));
        }

        Predicate<string?> Matching(string pattern)
        {
            var expression = Expression(section, "condition", pattern);
            return value => value is not null && expression.IsMatch(value);
        }

        Predicate<Fields> EveryMatchingKey(string pattern, Predicate<string?> holds)
        {
            var expression = Expression(section, "condition", pattern);
            return fields => fields.All.All(field => field.Name is not { } name || !expression.IsMatch(name) || holds(Fields.Text(field.Value)));
        }
    }

    private static Predicate<T> Not<T>(Predicate<T> holds) => value => !holds(value);
}
