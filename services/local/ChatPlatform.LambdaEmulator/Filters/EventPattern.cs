using System.Text.Json;
using ChatPlatform.LambdaEmulator.Protocol;

namespace ChatPlatform.LambdaEmulator.Filters;

/// <summary>
/// One event pattern of FilterCriteria (syntax: https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html#filtering-syntax; what a DynamoDB record is matched as:
/// https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html). All members of an object must match, one value of a list must. A number in an item is a string
/// (<c>{"N":"5"}</c>), so <c>numeric</c> matches only the record's own numbers, as at AWS. Immutable.
/// </summary>
internal sealed class EventPattern
{
    private const int MaximumLength = 4_096;
    private readonly Test _matches;

    private EventPattern(string text, Test matches) => (Text, _matches) = (text, matches);

    /// <summary>Whether a value, null where the record has none, satisfies a part of a pattern.</summary>
    private delegate bool Test(JsonElement? value);

    /// <summary>As given.</summary>
    public string Text { get; }

    /// <exception cref="LambdaException">It is no pattern, or uses an operator that Lambda does not have.</exception>
    public static EventPattern Parse(string text)
    {
        if (text.Length > MaximumLength)
            throw Invalid($"it has {text.Length} characters; at most {MaximumLength} are allowed");
        try
        {
            using var document = JsonDocument.Parse(text);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? new EventPattern(text, Members(document.RootElement.Clone()))
                : throw Invalid("it must be a JSON object");
        }
        catch (JsonException error)
        {
            throw Invalid($"it is no JSON: {error.Message}");
        }
    }

    /// <summary>Whether the record passes.</summary>
    public bool Matches(JsonElement record) => _matches(record);

    private static Test Members(JsonElement pattern)
    {
        var all = new List<Test>();
        foreach (var member in pattern.EnumerateObject())
        {
            if (member.Name == "$or")
            {
                all.Add(Or(member.Value));
                continue;
            }

            var name = member.Name;
            var inner = member.Value.ValueKind switch
            {
                JsonValueKind.Object => Members(member.Value),
                JsonValueKind.Array => AnyOf(name, member.Value),
                _ => throw Invalid($"\"{name}\" must be an object or an array"),
            };
            all.Add(value => inner(value is { ValueKind: JsonValueKind.Object } parent && parent.TryGetProperty(name, out var own) ? own : null));
        }

        if (all.Count == 0)
            throw Invalid("an object in it is empty");
        // A list of objects, e.g. below "L", matches when one of them does.
        return value => value is { ValueKind: JsonValueKind.Array } list ? list.EnumerateArray().Any(item => all.All(test => test(item))) : all.All(test => test(value));
    }

    private static Test Or(JsonElement alternatives)
    {
        if (alternatives.ValueKind != JsonValueKind.Array || alternatives.GetArrayLength() < 2 || alternatives.EnumerateArray().Any(a => a.ValueKind != JsonValueKind.Object))
            throw Invalid("\"$or\" must be an array of two objects or more");
        var tests = alternatives.EnumerateArray().Select(Members).ToArray();
        return value => tests.Any(test => test(value));
    }

    private static Test AnyOf(string name, JsonElement values)
    {
        if (values.GetArrayLength() == 0)
            throw Invalid($"\"{name}\" is an empty array");
        var tests = values.EnumerateArray().Select(value => Value(name, value)).ToArray();
        return value => value is { ValueKind: JsonValueKind.Array } list && list.GetArrayLength() > 0
            ? list.EnumerateArray().Any(item => tests.Any(test => test(item)))
            : tests.Any(test => test(value));
    }

    private static Test Value(string name, JsonElement pattern)
    {
        if (pattern.ValueKind == JsonValueKind.Array)
            throw Invalid($"\"{name}\" holds an array within an array");
        if (pattern.ValueKind != JsonValueKind.Object)
            return Same(pattern);
        if (pattern.EnumerateObject().Count() != 1)
            throw Invalid($"an operator of \"{name}\" must be an object with one member");
        var rule = pattern.EnumerateObject().Single();
        return rule.Name switch
        {
            "exists" => Exists(rule.Value),
            "numeric" => Numeric(rule.Value),
            "anything-but" => AnythingBut(rule.Value),
            _ => Texts(rule.Name, rule.Value),
        };
    }

    private static Test Same(JsonElement pattern)
    {
        switch (pattern.ValueKind)
        {
            case JsonValueKind.String:
                var text = pattern.GetString()!;
                return value => value is { ValueKind: JsonValueKind.String } own && own.ValueEquals(text);
            case JsonValueKind.Number:
                var number = pattern.GetDouble();
                return value => value is { ValueKind: JsonValueKind.Number } own && own.GetDouble() == number;
            default:
                return value => value?.ValueKind == pattern.ValueKind;
        }
    }

    private static Test Exists(JsonElement pattern) => pattern.ValueKind switch
    {
        // "Exists match only works on leaf nodes": an object is no value.
        JsonValueKind.True => value => value is { ValueKind: not (JsonValueKind.Object or JsonValueKind.Array) },
        JsonValueKind.False => value => value is null or { ValueKind: JsonValueKind.Object or JsonValueKind.Array },
        _ => throw Invalid("\"exists\" must be true or false"),
    };

    private static Test Texts(string name, JsonElement pattern)
    {
        var comparison = StringComparison.Ordinal;
        if (name is "prefix" or "suffix" && pattern.ValueKind == JsonValueKind.Object && pattern.EnumerateObject().Count() == 1
            && pattern.TryGetProperty("equals-ignore-case", out var relaxed))
        {
            (pattern, comparison) = (relaxed, StringComparison.OrdinalIgnoreCase);
        }

        if (name is not ("prefix" or "suffix" or "equals-ignore-case"))
            throw Invalid($"\"{name}\" is no operator; there are prefix, suffix, equals-ignore-case, anything-but, numeric and exists");
        if (pattern.ValueKind != JsonValueKind.String)
            throw Invalid($"\"{name}\" must be a string");
        var text = pattern.GetString()!;
        Func<string, bool> test = name switch
        {
            "prefix" => own => own.StartsWith(text, comparison),
            "suffix" => own => own.EndsWith(text, comparison),
            _ => own => own.Equals(text, StringComparison.OrdinalIgnoreCase),
        };
        return value => value is { ValueKind: JsonValueKind.String } own && test(own.GetString()!);
    }

    private static Test AnythingBut(JsonElement pattern)
    {
        Test[] excluded = pattern.ValueKind switch
        {
            JsonValueKind.Array when pattern.GetArrayLength() > 0 && pattern.EnumerateArray().All(IsTextOrNumber) => [.. pattern.EnumerateArray().Select(Same)],
            JsonValueKind.Object when pattern.EnumerateObject().Count() == 1 => Operands(pattern.EnumerateObject().Single()),
            JsonValueKind.String or JsonValueKind.Number => [Same(pattern)],
            _ => throw Invalid("\"anything-but\" must be a string, a number, a list of these, or one of prefix, suffix and equals-ignore-case"),
        };
        return value => value is { ValueKind: not (JsonValueKind.Object or JsonValueKind.Array) } && !excluded.Any(test => test(value));

        static bool IsTextOrNumber(JsonElement item) => item.ValueKind is JsonValueKind.String or JsonValueKind.Number;

        static Test[] Operands(JsonProperty rule) => rule.Value.ValueKind == JsonValueKind.Array && rule.Value.GetArrayLength() > 0
            ? [.. rule.Value.EnumerateArray().Select(item => Texts(rule.Name, item))]
            : [Texts(rule.Name, rule.Value)];
    }

    private static Test Numeric(JsonElement pattern)
    {
        const string Shape = "\"numeric\" must be an operator (=, <, <=, >, >=) and a number, or a range of two such pairs";
        if (pattern.ValueKind != JsonValueKind.Array || pattern.GetArrayLength() is not (2 or 4))
            throw Invalid(Shape);
        var bounds = new List<Func<double, bool>>();
        for (var i = 0; i < pattern.GetArrayLength(); i += 2)
        {
            if (pattern[i].ValueKind != JsonValueKind.String || pattern[i + 1].ValueKind != JsonValueKind.Number)
                throw Invalid(Shape);
            var limit = pattern[i + 1].GetDouble();
            bounds.Add((pattern[i].GetString(), pattern.GetArrayLength()) switch
            {
                ("=", 2) => own => own == limit,
                ("<", _) => own => own < limit,
                ("<=", _) => own => own <= limit,
                (">", _) => own => own > limit,
                (">=", _) => own => own >= limit,
                _ => throw Invalid(Shape),
            });
        }

        return value => value is { ValueKind: JsonValueKind.Number } own && bounds.All(bound => bound(own.GetDouble()));
    }

    private static LambdaException Invalid(string why) => LambdaException.Invalid($"FilterCriteria: Invalid filter pattern definition; {why}.");
}
