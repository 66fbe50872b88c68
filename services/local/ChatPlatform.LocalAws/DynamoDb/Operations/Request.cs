using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using ChatPlatform.LocalAws.DynamoDb.Values;
using ChatPlatform.LocalAws.Protocol;

namespace ChatPlatform.LocalAws.DynamoDb.Operations;

/// <summary>
/// One request's members, or those of a structure within it. Reading checks the JSON types as DynamoDB does; a member that nobody declared is refused by name,
/// so that nothing is silently ignored. A JSON null counts as absent.
/// </summary>
/// <param name="operation">What refuses a member: the operation, with the structure after a dot.</param>
/// <param name="root">The JSON object.</param>
/// <param name="path">What stands before a member's name in messages, e.g. <c>transactItems.1.member.put.</c>; empty for the request itself.</param>
internal sealed partial class Request(string operation, JsonElement root, string path = "")
{
    public string Operation { get; } = operation;

    public JsonElement Root { get; } = root;

    /// <summary>The latest frame of the log that a read's answer tells of and that was not written yet; 0 when none.</summary>
    public long Seen { get; private set; }

    /// <summary>Notes what an answer will tell of (<see cref="DynamoStore.Unwritten"/>).</summary>
    public void See(long frame) => Seen = Math.Max(Seen, frame);

    /// <summary>Declares the members that the operation honours.</summary>
    /// <exception cref="AwsException">SerializationException: no object; ValidationException: another member is there.</exception>
    public Request Allow(params ReadOnlySpan<string> names)
    {
        if (Root.ValueKind != JsonValueKind.Object)
            throw AwsException.Serialization($"Start of structure or map expected, found {AttributeJson.Describe(Root.ValueKind)}");
        foreach (var member in Root.EnumerateObject())
        {
            if (!names.Contains(member.Name) && member.Value.ValueKind != JsonValueKind.Null)
                throw DynamoDbErrors.NotHonoured(Operation, member.Name);
        }

        return this;
    }

    public JsonElement? Element(string name) =>
        Root.TryGetProperty(name, out var element) && element.ValueKind != JsonValueKind.Null ? element : null;

    public string? String(string name) => Element(name) is { } element ? AttributeJson.String(element) : null;

    public string RequiredString(string name) => String(name) ?? throw Missing(name);

    public JsonElement RequiredElement(string name) => Element(name) ?? throw Missing(name);

    public Request? Structure(string name) => Element(name) is { } element ? new Request($"{Operation}.{name}", element, $"{Place(name)}.") : null;

    public List<Request> Structures(string name) => [.. List(name).Select((e, i) => new Request($"{Operation}.{name}", e, $"{Place(name)}.{i + 1}.member."))];

    /// <summary>The members of a map from a name to a structure.</summary>
    public List<(string Name, Request Value)> Map(string name)
    {
        var element = RequiredElement(name);
        if (element.ValueKind != JsonValueKind.Object)
            throw AwsException.Serialization($"{AttributeJson.Describe(element.ValueKind)} cannot be converted to Map");
        return [.. element.EnumerateObject().Select(m => (m.Name, new Request($"{Operation}.{name}", m.Value, $"{Place(name)}.{m.Name}.member.")))];
    }

    public List<JsonElement> List(string name)
    {
        if (Element(name) is not { } element)
            return [];
        return element.ValueKind == JsonValueKind.Array
            ? [.. element.EnumerateArray()]
            : throw AwsException.Serialization($"{AttributeJson.Describe(element.ValueKind)} cannot be converted to List");
    }

    public List<string> Strings(string name) => [.. List(name).Select(AttributeJson.String)];

    public bool? Bool(string name) => Element(name) is not { } element ? null : element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw AwsException.Serialization($"{AttributeJson.Describe(element.ValueKind)} cannot be converted to Boolean"),
    };

    /// <summary>An integer within bounds.</summary>
    public long? Int(string name, long minimum, long maximum = long.MaxValue)
    {
        if (Element(name) is not { } element)
            return null;
        if (element.ValueKind != JsonValueKind.Number || !element.TryGetInt64(out var value))
            throw AwsException.Serialization($"{AttributeJson.Describe(element.ValueKind)} cannot be converted to Integer");
        if (value < minimum)
            throw Constraint(name, value.ToString(CultureInfo.InvariantCulture), $"Member must have value greater than or equal to {minimum}");
        return value <= maximum
            ? value
            : throw Constraint(name, value.ToString(CultureInfo.InvariantCulture), $"Member must have value less than or equal to {maximum}");
    }

    /// <summary>One of an enumeration's values.</summary>
    public string Choice(string name, string otherwise, params ReadOnlySpan<string> allowed)
    {
        if (String(name) is not { } value)
            return otherwise;
        return allowed.Contains(value)
            ? value
            : throw Constraint(name, value, $"Member must satisfy enum value set: [{string.Join(", ", allowed)}]");
    }

    /// <summary>A table's name; of an ARN the name in it.</summary>
    public string TableName(string member = "TableName")
    {
        var name = NameIn(RequiredString(member));
        RequireName(member, name);
        return name;
    }

    /// <summary>The name of the table that an operation on tables speaks of: these word what is missing or too long or short otherwise.</summary>
    public string OwnTableName()
    {
        if (Element("TableName") is null)
            throw DynamoDbErrors.Validation("The parameter 'TableName' is required but was not present in the request");
        var name = NameIn(RequiredString("TableName"));
        if (name.Length is < 3 or > 255)
            throw DynamoDbErrors.Validation("TableName must be at least 3 characters long and at most 255 characters long");
        RequireName("TableName", name);
        return name;
    }

    public static string NameIn(string nameOrArn)
    {
        var at = nameOrArn.StartsWith("arn:", StringComparison.Ordinal) ? nameOrArn.LastIndexOf(":table/", StringComparison.Ordinal) : -1;
        return at < 0 ? nameOrArn : nameOrArn[(at + 7)..];
    }

    public void RequireName(string member, string name)
    {
        if (name.Length < 3)
            throw Constraint(member, name, "Member must have length greater than or equal to 3");
        if (name.Length > 255)
            throw Constraint(member, name, "Member must have length less than or equal to 255");
        if (!NamePattern().IsMatch(name))
            throw Constraint(member, name, "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+");
    }

    public AwsException Missing(string name) =>
        DynamoDbErrors.Validation($"1 validation error detected: Value null at '{Place(name)}' failed to satisfy constraint: Member must not be null");

    public AwsException Constraint(string name, string value, string rule) =>
        DynamoDbErrors.Validation($"1 validation error detected: Value '{value}' at '{Place(name)}' failed to satisfy constraint: {rule}");

    private string Place(string name) => path + char.ToLowerInvariant(name[0]) + name[1..];

    [GeneratedRegex("^[a-zA-Z0-9_.-]+$")]
    private static partial Regex NamePattern();
}
