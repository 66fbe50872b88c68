using System.Globalization;
using System.Text.Json;

namespace ChatPlatform.LocalAwsModel;

/// <summary>
/// An attribute's value as the model keeps it. <see cref="Content"/> by <see cref="Type"/>: S string, N decimal, B byte[], BOOL bool, NULL true, SS string[], NS decimal[],
/// L ModelValue[], M ModelItem. Immutable by agreement: nobody writes into the arrays.
/// </summary>
internal sealed record ModelValue(string Type, object Content)
{
    public static ModelValue Of(string text) => new("S", text);

    public static ModelValue Of(decimal number) => new("N", number);

    public string Text => (string)Content;

    public decimal Number => (decimal)Content;

    public bool Equals(ModelValue? other) => other is not null && Type == other.Type && (Content, other.Content) switch
    {
        (byte[] a, byte[] b) => a.AsSpan().SequenceEqual(b),
        (string[] a, string[] b) => a.Length == b.Length && a.All(b.Contains),
        (decimal[] a, decimal[] b) => a.Length == b.Length && a.All(b.Contains),
        (ModelValue[] a, ModelValue[] b) => a.AsSpan().SequenceEqual(b),
        _ => Content.Equals(other.Content),
    };

    public override int GetHashCode() => Type.GetHashCode(StringComparison.Ordinal);

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WritePropertyName(Type);
        switch (Content)
        {
            case string text:
                json.WriteStringValue(text);
                break;
            case decimal number:
                json.WriteStringValue(number.ToString(CultureInfo.InvariantCulture));
                break;
            case byte[] bytes:
                json.WriteBase64StringValue(bytes);
                break;
            case bool truth:
                json.WriteBooleanValue(truth);
                break;
            case ModelItem map:
                map.Write(json);
                break;
            default:
                json.WriteStartArray();
                foreach (var element in (Array)Content)
                {
                    if (element is ModelValue value)
                        value.Write(json);
                    else
                        json.WriteStringValue(Convert.ToString(element, CultureInfo.InvariantCulture));
                }

                json.WriteEndArray();
                break;
        }

        json.WriteEndObject();
    }

    /// <summary>Whether DynamoDB's JSON says the same; sets and maps have no order.</summary>
    public bool Matches(JsonElement json)
    {
        using var members = json.EnumerateObject();
        if (!members.MoveNext() || !members.Current.NameEquals(Type))
            return false;
        var value = members.Current.Value;
        switch (Content)
        {
            case string text:
                return value.ValueEquals(text);
            case decimal number:
                return ToDecimal(value) == number;
            case byte[] bytes:
                return value.GetBytesFromBase64().AsSpan().SequenceEqual(bytes);
            case bool truth:
                return value.GetBoolean() == truth;
            case ModelItem map:
                return map.Matches(value);
            case string[] set:
                return value.GetArrayLength() == set.Length && value.EnumerateArray().All(e => set.Contains(e.GetString()));
            case decimal[] set:
                return value.GetArrayLength() == set.Length && value.EnumerateArray().All(e => set.Contains(ToDecimal(e)));
            default:
                var list = (ModelValue[])Content;
                return value.GetArrayLength() == list.Length && value.EnumerateArray().Zip(list).All(pair => pair.Second.Matches(pair.First));
        }
    }

    private static decimal ToDecimal(JsonElement json) => decimal.Parse(json.GetString()!, NumberStyles.Float, CultureInfo.InvariantCulture);
}

/// <summary>An item, or a map inside one. Never changes: a write makes a new one.</summary>
internal sealed class ModelItem : IEquatable<ModelItem>
{
    public static readonly ModelItem Empty = new([]);
    private readonly Dictionary<string, ModelValue> _attributes;

    public ModelItem(Dictionary<string, ModelValue> attributes) => _attributes = attributes;

    public int Count => _attributes.Count;

    public ModelValue? this[string name] => _attributes.GetValueOrDefault(name);

    /// <summary>The value of a number attribute; null when missing.</summary>
    public decimal? Number(string name) => this[name] is { Type: "N" } value ? value.Number : null;

    public ModelItem With(string name, ModelValue value) => new(new(_attributes) { [name] = value });

    public ModelItem Without(string name)
    {
        var rest = new Dictionary<string, ModelValue>(_attributes);
        rest.Remove(name);
        return new(rest);
    }

    public ModelItem Only(params string[] names) => new(_attributes.Where(a => names.Contains(a.Key)).ToDictionary());

    public bool Equals(ModelItem? other) =>
        other is not null && Count == other.Count && _attributes.All(a => a.Value.Equals(other[a.Key]));

    public override bool Equals(object? obj) => Equals(obj as ModelItem);

    public override int GetHashCode() => Count;

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        foreach (var (name, value) in _attributes)
        {
            json.WritePropertyName(name);
            value.Write(json);
        }

        json.WriteEndObject();
    }

    /// <summary>Whether a JSON map of attributes says the same.</summary>
    public bool Matches(JsonElement json)
    {
        var found = 0;
        foreach (var member in json.EnumerateObject())
        {
            if (!_attributes.TryGetValue(member.Name, out var value) || !value.Matches(member.Value))
                return false;
            found++;
        }

        return found == Count;
    }

    public override string ToString()
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
            Write(json);
        return System.Text.Encoding.UTF8.GetString(stream.ToArray());
    }
}

/// <summary>Where an item lies. <paramref name="Sort"/> is null in a table without a sort key.</summary>
internal readonly record struct ItemPlace(string Table, string Partition, decimal? Sort)
{
    public ModelItem Key => new(Sort is { } sort
        ? new() { ["pk"] = ModelValue.Of(Partition), ["sk"] = ModelValue.Of(sort) }
        : new() { ["pk"] = ModelValue.Of(Partition) });

    /// <summary>Of a JSON map that holds the key.</summary>
    public static ItemPlace Of(string table, JsonElement json) => new(
        table,
        json.GetProperty("pk").GetProperty("S").GetString()!,
        table == ModelTables.Rows ? decimal.Parse(json.GetProperty("sk").GetProperty("N").GetString()!, NumberStyles.Float, CultureInfo.InvariantCulture) : null);
}

/// <summary>One write as a stream must show it; null for an item that is not there.</summary>
internal readonly record struct ModelChange(ItemPlace Place, ModelItem? Old, ModelItem? New);
