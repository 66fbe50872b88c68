using System.Text.Json;
using ChatPlatform.LocalAws.Protocol;

namespace ChatPlatform.LocalAws.Firehose;

/// <summary>A JSON object of a request, read strictly: a member of another type is a <c>SerializationException</c>, one that is not honoured is refused by name. Null means absent, as in AWS.</summary>
/// <param name="path">Where the object stands, for messages; empty for the request itself.</param>
internal readonly struct JsonInput(JsonElement element, string path)
{
    public string Path => path;

    public static JsonInput Request(JsonElement element) =>
        element.ValueKind == JsonValueKind.Object ? new(element, "") : throw AwsException.Serialization("The request must be a JSON object.");

    /// <exception cref="FirehoseException"><c>InvalidArgumentException</c>, naming the first member that is not in <paramref name="names"/>.</exception>
    public void Allow(params ReadOnlySpan<string> names)
    {
        foreach (var member in element.EnumerateObject())
        {
            if (member.Value.ValueKind != JsonValueKind.Null && !names.Contains(member.Name))
                throw FirehoseException.NotHonoured(NameOf(member.Name));
        }
    }

    public string? Text(string name) => Member(name, JsonValueKind.String) is { } value ? value.GetString() : null;

    /// <exception cref="FirehoseException"><c>InvalidArgumentException</c> when it is absent.</exception>
    public string RequiredText(string name) => Text(name) ?? throw FirehoseException.InvalidArgument($"{NameOf(name)} is required.");

    public int? Number(string name)
    {
        if (Member(name, JsonValueKind.Number) is not { } value)
            return null;
        return value.TryGetInt32(out var number) ? number : throw AwsException.Serialization($"{NameOf(name)} must be a 32-bit whole number.");
    }

    public bool? Flag(string name)
    {
        if (!element.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
            return null;
        return value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw AwsException.Serialization($"{NameOf(name)} must be true or false.");
    }

    public JsonInput? Object(string name) => Member(name, JsonValueKind.Object) is { } value ? new JsonInput(value, NameOf(name)) : null;

    public IEnumerable<JsonInput>? List(string name)
    {
        if (Member(name, JsonValueKind.Array) is not { } value)
            return null;
        var own = NameOf(name);
        return value.EnumerateArray().Select(item =>
            item.ValueKind == JsonValueKind.Object ? new JsonInput(item, own) : throw AwsException.Serialization($"{own} must hold objects."));
    }

    public List<string>? TextList(string name)
    {
        if (Member(name, JsonValueKind.Array) is not { } value)
            return null;
        var own = NameOf(name);
        return [.. value.EnumerateArray().Select(item => item.ValueKind == JsonValueKind.String ? item.GetString()! : throw AwsException.Serialization($"{own} must hold texts."))];
    }

    public byte[]? Bytes(string name)
    {
        if (Member(name, JsonValueKind.String) is not { } value)
            return null;
        return value.TryGetBytesFromBase64(out var bytes) ? bytes : throw AwsException.Serialization($"{NameOf(name)} must be base64.");
    }

    /// <summary>Whether the member is there, whatever its type.</summary>
    public bool Has(string name) => element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null;

    /// <summary>All members, which must be texts.</summary>
    public Dictionary<string, string> Texts()
    {
        var own = this;
        return element.EnumerateObject().ToDictionary(m => m.Name, m => own.RequiredText(m.Name), StringComparer.Ordinal);
    }

    /// <summary>The object as it was sent.</summary>
    public string RawText() => element.GetRawText();

    private JsonElement? Member(string name, JsonValueKind kind)
    {
        if (!element.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
            return null;
        return value.ValueKind == kind ? value : throw AwsException.Serialization($"{NameOf(name)} must be of type {kind}.");
    }

    private string NameOf(string name) => path.Length == 0 ? name : $"{path}.{name}";
}
