using System.Text.Json;
using System.Text.Json.Nodes;

namespace ChatPlatform.ServiceTests.LocalAws.Conformance;

/// <summary>
/// Compares an answer with what a case expects: texts may hold <c>*</c> for any text, <c>"*"</c> is any value, a member <c>"..."</c> allows further members,
/// <c>{"anyOrder":[…]}</c> is a list in any order, and the elements of SS, NS and BS have none.
/// </summary>
internal static class Pattern
{
    /// <summary>Items nest 32 deep, each level being two of JSON.</summary>
    private static readonly JsonDocumentOptions Deep = new() { MaxDepth = 256 };

    private static readonly JsonSerializerOptions Readable = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static JsonNode Parse(string json) => JsonNode.Parse(json, documentOptions: Deep)!;

    /// <summary>Null when the answer is as expected; else where it is not.</summary>
    public static (string Path, string Expected, string Found)? Compare(JsonNode? expected, JsonNode? found, string path = "$")
    {
        switch (expected)
        {
            case JsonValue text when text.TryGetValue<string>(out var pattern):
                return pattern == "*" || (found is JsonValue v && v.TryGetValue<string>(out var s) && Matches(pattern, s)) ? null : (path, Show(expected), Show(found));
            case JsonValue number when number.TryGetValue<double>(out var n):
                return found is JsonValue m && m.TryGetValue<double>(out var other) && Math.Abs(n - other) < 1e-9 ? null : (path, Show(expected), Show(found));
            case JsonObject any when any.Count == 1 && any["anyOrder"] is JsonArray elements:
                return CompareUnordered(elements, found, path);
            case JsonObject members:
                return CompareMembers(members, found, path);
            case JsonArray list:
                if (found is not JsonArray others || others.Count != list.Count)
                    return (path, Show(expected), Show(found));
                return list.Select((e, i) => Compare(e, others[i], $"{path}[{i}]")).FirstOrDefault(d => d is not null);
            default:
                return JsonNode.DeepEquals(expected, found) ? null : (path, Show(expected), Show(found));
        }
    }

    /// <summary>Whether a text reads like a pattern, in which <c>*</c> is any text.</summary>
    public static bool Matches(string pattern, string text)
    {
        var parts = pattern.Split('*');
        if (parts.Length == 1)
            return pattern == text;
        if (!text.StartsWith(parts[0], StringComparison.Ordinal))
            return false;
        var at = parts[0].Length;
        foreach (var part in parts[1..^1])
        {
            var found = text.IndexOf(part, at, StringComparison.Ordinal);
            if (found < 0)
                return false;
            at = found + part.Length;
        }

        return text.Length - at >= parts[^1].Length && text.EndsWith(parts[^1], StringComparison.Ordinal);
    }

    public static string Show(JsonNode? value)
    {
        var text = value?.ToJsonString(Readable) ?? "nothing";
        return text.Length <= 400 ? text : text[..400] + "…";
    }

    private static (string, string, string)? CompareMembers(JsonObject expected, JsonNode? found, string path)
    {
        if (found is not JsonObject members)
            return (path, Show(expected), Show(found));
        foreach (var (name, value) in expected)
        {
            if (name == "...")
                continue;
            if (!members.TryGetPropertyValue(name, out var other))
                return ($"{path}.{name}", Show(value), "nothing");
            var isSet = name is "SS" or "NS" or "BS" && value is JsonArray && other is JsonArray;
            var difference = isSet ? Compare(Sorted(value!), Sorted(other!), $"{path}.{name}") : Compare(value, other, $"{path}.{name}");
            if (difference is not null)
                return difference;
        }

        var further = expected.ContainsKey("...") ? null : members.Select(m => m.Key).FirstOrDefault(n => !expected.ContainsKey(n));
        return further is null ? null : ($"{path}.{further}", "nothing", Show(members[further]));
    }

    private static (string, string, string)? CompareUnordered(JsonArray expected, JsonNode? found, string path)
    {
        if (found is not JsonArray list || list.Count != expected.Count)
            return (path, Show(expected), Show(found));
        var left = list.ToList();
        foreach (var element in expected)
        {
            var at = left.FindIndex(e => Compare(element, e) is null);
            if (at < 0)
                return (path, $"in any order {Show(element)}", Show(found));
            left.RemoveAt(at);
        }

        return null;
    }

    private static JsonArray Sorted(JsonNode set) => [.. set.AsArray().Select(e => e!.DeepClone()).OrderBy(e => e.ToJsonString(), StringComparer.Ordinal)];
}
