using System.IO.Compression;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ChatPlatform.SystemTests.Pipelines;

/// <summary>
/// AWS's own description of CloudFormation's resources, as the npm package <c>@aws-cdk/aws-service-spec</c> carries it: which properties there are, which are
/// required, and of what type. Immutable.
/// </summary>
internal sealed class ResourceSchemas : IDisposable
{
    private readonly JsonDocument _database;
    private readonly Dictionary<string, JsonElement> _resources;
    private readonly Dictionary<string, JsonElement> _types;

    private ResourceSchemas(JsonDocument database)
    {
        _database = database;
        var schema = database.RootElement.GetProperty("schema");
        _resources = schema.GetProperty("resource").GetProperty("entities").EnumerateArray().ToDictionary(r => r.GetProperty("cloudFormationType").GetString()!);
        _types = schema.GetProperty("typeDefinition").GetProperty("entities").EnumerateArray().ToDictionary(t => t.GetProperty("$id").GetString()!);
    }

    public static ResourceSchemas Load(string repository)
    {
        using var file = File.OpenRead(Path.Combine(repository, "eng/npm/node_modules/@aws-cdk/aws-service-spec/db.json.gz"));
        using var text = new GZipStream(file, CompressionMode.Decompress);
        return new ResourceSchemas(JsonDocument.Parse(text));
    }

    /// <summary>Everything that is wrong in the template's resources, each with its path; empty when AWS's schemas hold.</summary>
    public List<string> Problems(JsonObject resources)
    {
        var problems = new List<string>();
        foreach (var (id, resource) in resources)
        {
            var type = (string)resource!["Type"]!;
            if (_resources.TryGetValue(type, out var schema))
                CheckObject(resource["Properties"]!.AsObject(), schema.GetProperty("properties"), id, problems);
            else
                problems.Add($"{id}: there is no {type}");
        }

        return problems;
    }

    public void Dispose() => _database.Dispose();

    private void CheckObject(JsonObject given, JsonElement properties, string path, List<string> problems)
    {
        foreach (var property in properties.EnumerateObject())
        {
            if (property.Value.TryGetProperty("required", out var required) && required.GetBoolean() && !given.ContainsKey(property.Name))
                problems.Add($"{path}.{property.Name} is required");
        }

        foreach (var (name, value) in given)
        {
            if (properties.TryGetProperty(name, out var property))
                CheckValue(value!, property.GetProperty("type"), $"{path}.{name}", problems);
            else
                problems.Add($"{path}.{name} is no property");
        }
    }

    private void CheckValue(JsonNode value, JsonElement type, string path, List<string> problems)
    {
        // What an intrinsic function gives is known when the stack is made.
        if (value is JsonObject { Count: 1 } function && function.Single().Key is var key && (key == "Ref" || key.StartsWith("Fn::", StringComparison.Ordinal)))
            return;

        switch (type.GetProperty("type").GetString())
        {
            case "string":
                if (value.GetValueKind() != JsonValueKind.String)
                    problems.Add($"{path} is no text");
                else if (type.TryGetProperty("allowedValues", out var allowed) && allowed.EnumerateArray().All(a => a.GetString() != (string?)value))
                    problems.Add($"{path} is {value}, which is not among {allowed}");
                break;
            case "integer" or "number":
                if (value.GetValueKind() != JsonValueKind.Number)
                    problems.Add($"{path} is no number");
                break;
            case "boolean":
                if (value.GetValueKind() is not (JsonValueKind.True or JsonValueKind.False))
                    problems.Add($"{path} is neither true nor false");
                break;
            case "ref" when value is JsonObject members:
                CheckObject(members, _types[type.GetProperty("reference").GetProperty("$ref").GetString()!].GetProperty("properties"), path, problems);
                break;
            case "array" when value is JsonArray items:
                foreach (var (index, item) in items.Index())
                    CheckValue(item!, type.GetProperty("element"), $"{path}[{index}]", problems);
                break;
            case "map" when value is JsonObject members:
                foreach (var (name, member) in members)
                    CheckValue(member!, type.GetProperty("element"), $"{path}.{name}", problems);
                break;
            case "union":
                var attempts = type.GetProperty("types").EnumerateArray().Select(one => Attempt(value, one, path)).ToList();
                if (attempts.All(found => found.Count > 0))
                    problems.AddRange(attempts[0]);
                break;
            case "json" when value is JsonObject or JsonArray:
                break;
            case var other:
                problems.Add($"{path} is no {other}");
                break;
        }
    }

    private List<string> Attempt(JsonNode value, JsonElement type, string path)
    {
        var problems = new List<string>();
        CheckValue(value, type, path, problems);
        return problems;
    }
}
