using System.Text.Json;
using ChatPlatform.LambdaEmulator.Protocol;
using ChatPlatform.LambdaEmulator.Streams;

namespace ChatPlatform.LambdaEmulator.Filters;

/// <summary>
/// FilterCriteria of a mapping: a record passes when one pattern matches it, or when there is none
/// (https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html). Immutable.
/// </summary>
internal sealed class EventFilter(IReadOnlyList<string> patterns)
{
    /// <summary>"You can define up to five different filters for a single event source."</summary>
    public const int MaximumPatterns = 5;

    private readonly EventPattern[] _patterns = [.. patterns.Select(EventPattern.Parse)];

    public bool Passes(StreamRecord record)
    {
        if (_patterns.Length == 0)
            return true;
        using var document = JsonDocument.Parse(record.Json, new JsonDocumentOptions { MaxDepth = StreamEventWriter.MaximumDepth });
        var root = document.RootElement;
        return _patterns.Any(pattern => pattern.Matches(root));
    }

    /// <summary>The patterns of a <c>FilterCriteria</c> parameter, checked.</summary>
    /// <exception cref="LambdaException">It has another shape, too many filters, or a pattern that is none.</exception>
    public static IReadOnlyList<string> Read(JsonElement criteria)
    {
        if (criteria.ValueKind != JsonValueKind.Object)
            throw LambdaException.Invalid("FilterCriteria must be an object.");
        var patterns = new List<string>();
        foreach (var member in criteria.EnumerateObject())
        {
            if (member.Name != "Filters")
                throw LambdaException.Invalid($"FilterCriteria.{member.Name} is no parameter of an event source mapping.");
            if (member.Value.ValueKind == JsonValueKind.Null)
                continue;
            if (member.Value.ValueKind != JsonValueKind.Array)
                throw LambdaException.Invalid("FilterCriteria.Filters must be a list.");
            foreach (var filter in member.Value.EnumerateArray())
            {
                if (filter.ValueKind != JsonValueKind.Object || !filter.TryGetProperty("Pattern", out var pattern) || pattern.ValueKind != JsonValueKind.String
                    || filter.EnumerateObject().Count() != 1)
                    throw LambdaException.Invalid("FilterCriteria.Filters must hold objects with one member, Pattern, a string.");
                patterns.Add(EventPattern.Parse(pattern.GetString()!).Text);
            }
        }

        return patterns.Count <= MaximumPatterns
            ? patterns
            : throw LambdaException.Invalid($"FilterCriteria.Filters has {patterns.Count} filters; at most {MaximumPatterns} are allowed.");
    }
}
