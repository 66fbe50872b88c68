using System.Text.Json;
using Amazon.Runtime;

namespace ChatPlatform.Feed.AwsJson;

/// <summary>
/// Members of requests and replies: a member that is not set is not written, and one that is absent or JSON null is read as null,
/// which is how version 4 of the SDK tells "not set" from "empty".
/// </summary>
internal static class JsonMembers
{
    public static void Member(this Utf8JsonWriter writer, string name, string value)
    {
        if (value is not null)
            writer.WriteString(name, value);
    }

    public static void Member(this Utf8JsonWriter writer, string name, ConstantClass value) => writer.Member(name, value?.Value);

    public static void Member(this Utf8JsonWriter writer, string name, int? value)
    {
        if (value is { } set)
            writer.WriteNumber(name, set);
    }

    public static void Member(this Utf8JsonWriter writer, string name, bool? value)
    {
        if (value is { } set)
            writer.WriteBoolean(name, set);
    }

    /// <summary>Writes all bytes of the stream as base64, wherever its position stands.</summary>
    public static void Member(this Utf8JsonWriter writer, string name, MemoryStream value)
    {
        if (value is null)
            return;
        if (value.TryGetBuffer(out var bytes))
            writer.WriteBase64String(name, bytes);
        else
            writer.WriteBase64String(name, value.ToArray());
    }

    public static void Member<T>(this Utf8JsonWriter writer, string name, T value, Action<Utf8JsonWriter, T> write) where T : class
    {
        if (value is null)
            return;
        writer.WriteStartObject(name);
        write(writer, value);
        writer.WriteEndObject();
    }

    public static void Members<T>(this Utf8JsonWriter writer, string name, List<T> values, Action<Utf8JsonWriter, T> write) where T : class
    {
        if (values is null)
            return;
        writer.WriteStartArray(name);
        foreach (var value in values)
        {
            writer.WriteStartObject();
            write(writer, value);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    public static string Text(this JsonElement element, string name) => element.Find(name)?.GetString();

    public static int? Int(this JsonElement element, string name) => element.Find(name)?.GetInt32();

    public static long? Long(this JsonElement element, string name) => element.Find(name)?.GetInt64();

    public static bool? Flag(this JsonElement element, string name) => element.Find(name)?.GetBoolean();

    /// <summary>Seconds since 1970 with fractions, as AWS JSON writes time; read as UTC, to the millisecond.</summary>
    public static DateTime? Time(this JsonElement element, string name) =>
        element.Find(name) is { } set ? DateTime.UnixEpoch.AddMilliseconds(Math.Round(set.GetDouble() * 1000)) : null;

    public static T Object<T>(this JsonElement element, string name, Func<JsonElement, T> read) where T : class =>
        element.Find(name) is { } set ? read(set) : null;

    public static List<T> List<T>(this JsonElement element, string name, Func<JsonElement, T> read)
    {
        if (element.Find(name) is not { } set)
            return null;
        var list = new List<T>(set.GetArrayLength());
        foreach (var item in set.EnumerateArray())
            list.Add(read(item));
        return list;
    }

    public static Dictionary<string, T> Map<T>(this JsonElement element, string name, Func<JsonElement, T> read)
    {
        if (element.Find(name) is not { } set)
            return null;
        var map = new Dictionary<string, T>();
        foreach (var member in set.EnumerateObject())
            map[member.Name] = read(member.Value);
        return map;
    }

    private static JsonElement? Find(this JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
}
