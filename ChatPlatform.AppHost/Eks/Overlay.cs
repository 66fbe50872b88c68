using System.Text.Json.Nodes;

namespace ChatPlatform.AppHost.Eks;

/// <summary>What an environment's objects differ in from the base's, as JSON patches that Kustomize applies (RFC 6902): computed, so that an overlay repeats nothing.</summary>
internal static class Overlay
{
    /// <summary>One entry of <c>patches</c> for each object that differs.</summary>
    /// <exception cref="InvalidOperationException">The two sides do not have the same objects.</exception>
    public static JsonArray Patches(IReadOnlyList<JsonObject> from, IReadOnlyList<JsonObject> to)
    {
        if (!from.Select(Identity).Order(StringComparer.Ordinal).SequenceEqual(to.Select(Identity).Order(StringComparer.Ordinal)))
            throw new InvalidOperationException("An overlay must have the objects of what it lies over.");
        var changed = to.ToDictionary(Identity);
        var patches = new JsonArray();
        foreach (var before in from)
        {
            var operations = new JsonArray();
            Compare(before, changed[Identity(before)], "", operations);
            if (operations.Count > 0)
                patches.Add((JsonNode)new JsonObject { ["target"] = Target(before), ["patch"] = YamlWriter.Write(operations) });
        }

        return patches;
    }

    private static string Identity(JsonObject value) => Target(value).ToJsonString();

    private static JsonObject Target(JsonObject value)
    {
        var (group, version) = value["apiVersion"]!.GetValue<string>().Split('/') is [var named, var of] ? (named, of) : (null, value["apiVersion"]!.GetValue<string>());
        var target = new JsonObject();
        if (group is not null)
            target["group"] = group;
        target["version"] = version;
        target["kind"] = value["kind"]!.DeepClone();
        target["name"] = value["metadata"]!["name"]!.DeepClone();
        if (value["metadata"]!["namespace"] is { } space)
            target["namespace"] = space.DeepClone();
        return target;
    }

    private static void Compare(JsonNode? from, JsonNode? to, string path, JsonArray operations)
    {
        switch (from, to)
        {
            case (JsonObject before, JsonObject after):
                foreach (var (key, value) in before)
                {
                    var inner = $"{path}/{key.Replace("~", "~0").Replace("/", "~1")}";
                    if (after.ContainsKey(key))
                        Compare(value, after[key], inner, operations);
                    else
                        operations.Add((JsonNode)new JsonObject { ["op"] = "remove", ["path"] = inner });
                }

                foreach (var (key, value) in after.Where(pair => !before.ContainsKey(pair.Key)))
                    operations.Add((JsonNode)new JsonObject { ["op"] = "add", ["path"] = $"{path}/{key.Replace("~", "~0").Replace("/", "~1")}", ["value"] = value?.DeepClone() });
                break;
            case (JsonArray before, JsonArray after) when before.Count == after.Count:
                for (var i = 0; i < before.Count; i++)
                    Compare(before[i], after[i], $"{path}/{i}", operations);
                break;
            default:
                if (!JsonNode.DeepEquals(from, to))
                    operations.Add((JsonNode)new JsonObject { ["op"] = "replace", ["path"] = path, ["value"] = to?.DeepClone() });
                break;
        }
    }
}
