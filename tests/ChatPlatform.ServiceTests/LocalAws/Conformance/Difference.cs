namespace ChatPlatform.ServiceTests.LocalAws.Conformance;

/// <summary>Where DynamoDB Local does not answer as a case says, and why the case is right nevertheless.</summary>
/// <param name="Case">The case's id.</param>
/// <param name="Answers">The step and what it answers there, as <see cref="Mismatch.Found"/> words it; <c>*</c> stands for any text.</param>
/// <param name="Page">The page of AWS that settles it.</param>
/// <param name="Why">In words.</param>
internal sealed record Difference(string Case, string Answers, string Page, string Why)
{
    /// <summary>The data file's name without its extension.</summary>
    public const string File = "differences";

    /// <summary>By case. Every one explains itself and names a case that is there.</summary>
    public static IReadOnlyDictionary<string, Difference> All { get; } = ReadAll();

    private static Dictionary<string, Difference> ReadAll()
    {
        var all = new Dictionary<string, Difference>(StringComparer.Ordinal);
        foreach (var json in ConformanceCase.Read(File + ".json").AsArray())
        {
            var one = new Difference((string)json!["case"]!, (string)json["answers"]!, (string)json["page"]!, (string)json["why"]!);
            if (!ConformanceCase.All.ContainsKey(one.Case))
                throw new InvalidDataException($"{File}.json explains '{one.Case}', and there is no such case.");
            if (one.Why.Length == 0 || !one.Page.StartsWith("https://docs.aws.amazon.com/", StringComparison.Ordinal))
                throw new InvalidDataException($"{File}.json does not explain '{one.Case}': it needs words and a page of AWS.");
            all.Add(one.Case, one);
        }

        return all;
    }
}
