using System.Text.Json.Nodes;
using ChatPlatform.ServiceTests.Processes;

namespace ChatPlatform.ServiceTests.LocalAws.Conformance;

/// <summary>One case of a data file; README.md in this folder describes the format.</summary>
/// <param name="Number">Its place among all cases, for names of tables that no other case uses.</param>
/// <param name="Id">Its file and its name, e.g. <c>query: p = :p</c>.</param>
/// <param name="Steps">The requests, those that make its tables and items first.</param>
/// <param name="GivenSteps">How many of the steps only prepare.</param>
internal sealed record ConformanceCase(int Number, string Id, IReadOnlyList<JsonObject> Steps, int GivenSteps)
{
    private static readonly string Folder = Path.Combine(ServiceProcess.RepositoryRoot, "tests/ChatPlatform.ServiceTests/LocalAws/Conformance");

    /// <summary>All cases by their ids, in the order of the files.</summary>
    public static IReadOnlyDictionary<string, ConformanceCase> All { get; } = ReadAll();

    public static JsonNode Read(string file) => Pattern.Parse(File.ReadAllText(Path.Combine(Folder, file)));

    private static Dictionary<string, ConformanceCase> ReadAll()
    {
        var cases = new Dictionary<string, ConformanceCase>(StringComparer.Ordinal);
        foreach (var path in Directory.GetFiles(Folder, "*.json").Order(StringComparer.Ordinal))
        {
            var area = Path.GetFileNameWithoutExtension(path);
            if (area == Difference.File)
                continue;
            var file = Read(Path.GetFileName(path));
            foreach (var json in file["cases"]!.AsArray())
            {
                if (!((string)json!["source"]!).StartsWith("https://docs.aws.amazon.com/", StringComparison.Ordinal))
                    throw new InvalidDataException($"{path}: '{json["name"]}' names no page of AWS as its source.");
                var given = json["given"] is { } name ? Given(file["givens"]![(string)name!]!).ToList() : [];
                var one = new ConformanceCase(cases.Count + 1, $"{area}: {json["name"]}", [.. given, .. json["steps"]!.AsArray().Select(s => s!.AsObject())], given.Count);
                cases.Add(one.Id, one);
            }
        }

        return cases;
    }

    private static IEnumerable<JsonObject> Given(JsonNode given)
    {
        foreach (var (table, schema) in given["tables"]!.AsObject())
        {
            var request = schema!.DeepClone();
            request["TableName"] = "$" + table;
            yield return new() { ["operation"] = "CreateTable", ["request"] = request };
        }

        foreach (var (table, items) in given["items"]?.AsObject() ?? [])
        {
            foreach (var item in items!.AsArray())
                yield return new() { ["operation"] = "PutItem", ["request"] = new JsonObject { ["TableName"] = "$" + table, ["Item"] = item!.DeepClone() } };
        }
    }
}
