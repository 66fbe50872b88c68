using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using ChatPlatform.LocalAws.Protocol;

namespace ChatPlatform.LocalAws.DynamoDb.Values;

/// <summary>Between DynamoDB's JSON (<c>{"S":"x"}</c>, https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html) and the stored form.</summary>
internal static class AttributeJson
{
    /// <summary>The deepest nesting of an item (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html).</summary>
    private const int MaxDepth = 32;

    private static readonly string[] TypeNames = ["", "S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M"];

    public static string Name(AttributeType type) => TypeNames[(int)type];

    public static bool TryParseType(string name, out AttributeType type)
    {
        var index = Array.IndexOf(TypeNames, name, 1);
        type = (AttributeType)Math.Max(index, 0);
        return index > 0;
    }

    /// <summary>Reads a map of attributes.</summary>
    /// <exception cref="AwsException">SerializationException for a wrong JSON type, ValidationException for a value that breaks a rule.</exception>
    public static Item ReadItem(JsonElement json, string member)
    {
        if (json.ValueKind != JsonValueKind.Object)
            throw AwsException.Serialization($"Start of structure or map found where not expected: {member}");
        var writer = new ValueWriter();
        ReadMembers(json, writer, 1);
        return writer.ToItem();
    }

    public static AttributeValue ReadValue(JsonElement json)
    {
        var writer = new ValueWriter(64);
        Read(json, writer, 1);
        return new AttributeValue(writer.ToArray());
    }

    public static void Write(Utf8JsonWriter json, Item item) => AttributeText.Write(json, item);

    /// <summary>One value; its members and elements as <see cref="AttributeText"/> writes those of an item.</summary>
    public static void Write(Utf8JsonWriter json, AttributeValue value)
    {
        json.WriteStartObject();
        switch (value.Type)
        {
            case AttributeType.S:
                json.WriteString("S"u8, value.PayloadSpan);
                break;
            case AttributeType.N:
                json.WriteString("N"u8, DynamoNumber.Format(value.PayloadSpan));
                break;
            case AttributeType.B:
                json.WriteBase64String("B"u8, value.PayloadSpan);
                break;
            case AttributeType.BOOL:
                json.WriteBoolean("BOOL"u8, value.PayloadSpan[0] != 0);
                break;
            case AttributeType.NULL:
                json.WriteBoolean("NULL"u8, true);
                break;
            case AttributeType.L:
                json.WriteStartArray("L"u8);
                var payload = value.Payload;
                for (var at = 0; at < payload.Length;)
                    Write(json, AttributeValue.Next(payload, ref at));
                json.WriteEndArray();
                break;
            case AttributeType.M:
                json.WritePropertyName("M"u8);
                Write(json, value.Members());
                break;
            default:
                json.WriteStartArray(Name(value.Type));
                foreach (var element in value.SetElements())
                {
                    if (value.Type == AttributeType.SS)
                        json.WriteStringValue(element.Span);
                    else if (value.Type == AttributeType.NS)
                        json.WriteStringValue(DynamoNumber.Format(element.Span));
                    else
                        json.WriteBase64StringValue(element.Span);
                }

                json.WriteEndArray();
                break;
        }

        json.WriteEndObject();
    }

    /// <summary>As DynamoDB shows a value inside an error message, e.g. <c>{N:5}</c>.</summary>
    public static string Describe(AttributeValue value) => value.Type switch
    {
        AttributeType.S => $"{{S:{value.Text}}}",
        AttributeType.N => $"{{N:{DynamoNumber.Format(value.PayloadSpan)}}}",
        _ => $"{{{Name(value.Type)}}}",
    };

    /// <summary>The UTF-8 of a JSON string, which must be well-formed.</summary>
    public static ReadOnlySpan<byte> Utf8(JsonElement json, string expected = "String")
    {
        if (json.ValueKind != JsonValueKind.String)
            throw AwsException.Serialization($"{Describe(json.ValueKind)} cannot be converted to {expected}");
        var raw = JsonMarshal.GetRawUtf8Value(json)[1..^1];
        if (raw.IndexOf((byte)'\\') < 0)
            return System.Text.Unicode.Utf8.IsValid(raw) ? raw : throw AwsException.Serialization("A string is not valid UTF-8");
        try
        {
            return Encoding.UTF8.GetBytes(json.GetString()!);
        }
        catch (InvalidOperationException)
        {
            throw AwsException.Serialization("A string is not valid Unicode");
        }
    }

    public static string String(JsonElement json) => Encoding.UTF8.GetString(Utf8(json));

    public static string Describe(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Number => "NUMBER_VALUE",
        JsonValueKind.True => "TRUE_VALUE",
        JsonValueKind.False => "FALSE_VALUE",
        JsonValueKind.String => "STRING_VALUE",
        JsonValueKind.Array => "ARRAY_VALUE",
        JsonValueKind.Object => "OBJECT_VALUE",
        _ => "NULL_VALUE",
    };

    public static AwsException NoType() =>
        DynamoDbErrors.Validation("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes");

    public static AwsException SeveralTypes() =>
        DynamoDbErrors.Validation("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes");

    private static void ReadMembers(JsonElement json, ValueWriter writer, int depth)
    {
        foreach (var member in json.EnumerateObject())
        {
            WriteName(member, writer);
            Read(member.Value, writer, depth);
        }
    }

    private static void WriteName(JsonProperty member, ValueWriter writer)
    {
        var name = JsonMarshal.GetRawUtf8PropertyName(member);
        try
        {
            if (name.IndexOf((byte)'\\') >= 0 || !System.Text.Unicode.Utf8.IsValid(name))
                name = Encoding.UTF8.GetBytes(member.Name);
        }
        catch (InvalidOperationException)
        {
            throw AwsException.Serialization("An attribute name is not valid Unicode");
        }

        if (name.Length > ushort.MaxValue)
            throw DynamoDbErrors.InvalidValue($"Attribute name is too large, must be less than {ushort.MaxValue} bytes");
        AttributeNames.Write(writer, name);
    }

    private static void Read(JsonElement json, ValueWriter writer, int depth)
    {
        if (json.ValueKind != JsonValueKind.Object)
            throw AwsException.Serialization("Unexpected value type in payload");
        if (depth > MaxDepth)
            throw DynamoDbErrors.Validation("Nesting Levels have exceeded supported limits: Attributes nested in another attribute exceed nesting levels");
        JsonProperty? only = null;
        foreach (var member in json.EnumerateObject())
        {
            if (member.Value.ValueKind == JsonValueKind.Null)
                continue;
            if (only is not null)
                throw SeveralTypes();
            only = member;
        }

        if (only is not { } property || !TryParseType(property.Name, out var type))
            throw NoType();

        var value = property.Value;
        switch (type)
        {
            case AttributeType.S:
                writer.Write(type, Utf8(value));
                break;
            case AttributeType.N:
                Span<byte> number = stackalloc byte[DynamoNumber.MaxEncodedLength];
                writer.Write(type, number[..DynamoNumber.Encode(String(value), number)]);
                break;
            case AttributeType.B:
                writer.Write(type, Base64(value));
                break;
            case AttributeType.BOOL:
                if (value.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
                    throw AwsException.Serialization($"{Describe(value.ValueKind)} cannot be converted to Boolean");
                writer.Write(type, [value.ValueKind == JsonValueKind.True ? (byte)1 : (byte)0]);
                break;
            case AttributeType.NULL:
                if (value.ValueKind != JsonValueKind.True)
                    throw value.ValueKind == JsonValueKind.False
                        ? DynamoDbErrors.InvalidValue("Null attribute value types must have the value of true")
                        : AwsException.Serialization($"{Describe(value.ValueKind)} cannot be converted to Boolean");
                writer.Write(type, []);
                break;
            case AttributeType.L:
                RequireArray(value);
                var list = writer.Begin(type);
                foreach (var element in value.EnumerateArray())
                    Read(element, writer, depth + 1);
                writer.End(list);
                break;
            case AttributeType.M:
                if (value.ValueKind != JsonValueKind.Object)
                    throw AwsException.Serialization($"{Describe(value.ValueKind)} cannot be converted to Map");
                var map = writer.Begin(type);
                ReadMembers(value, writer, depth + 1);
                writer.End(map);
                break;
            default:
                ReadSet(type, value, writer);
                break;
        }
    }

    private static void ReadSet(AttributeType type, JsonElement json, ValueWriter writer)
    {
        RequireArray(json);
        if (json.GetArrayLength() == 0)
            throw DynamoDbErrors.InvalidValue(type switch
            {
                AttributeType.SS => "An string set  may not be empty",
                AttributeType.NS => "An number set  may not be empty",
                _ => "Binary sets should not be empty",
            });

        var elements = new List<byte[]>();
        var number = new byte[DynamoNumber.MaxEncodedLength];
        foreach (var element in json.EnumerateArray())
        {
            elements.Add(type switch
            {
                AttributeType.SS => Utf8(element).ToArray(),
                AttributeType.NS => number[..DynamoNumber.Encode(String(element), number)],
                _ => Base64(element),
            });
        }

        elements.Sort(static (a, b) => a.AsSpan().SequenceCompareTo(b));
        for (var i = 1; i < elements.Count; i++)
        {
            if (elements[i - 1].AsSpan().SequenceEqual(elements[i]))
                throw type == AttributeType.NS
                    ? DynamoDbErrors.Validation("Input collection contains duplicates")
                    : DynamoDbErrors.InvalidValue($"Input collection {DescribeSet(json)}{(type == AttributeType.BS ? "of type BS" : "")} contains duplicates.");
        }

        var set = writer.Begin(type);
        foreach (var element in elements)
            writer.WriteBlock(element);
        writer.End(set);
    }

    private static string DescribeSet(JsonElement json) =>
        string.Create(CultureInfo.InvariantCulture, $"[{string.Join(", ", json.EnumerateArray().Select(String))}]");

    private static void RequireArray(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Array)
            throw AwsException.Serialization($"{Describe(json.ValueKind)} cannot be converted to List");
    }

    private static byte[] Base64(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.String)
            throw AwsException.Serialization($"{Describe(json.ValueKind)} cannot be converted to Blob");
        return json.TryGetBytesFromBase64(out var bytes)
            ? bytes
            : throw AwsException.Serialization("Invalid Base64 in a binary value");
    }
}
