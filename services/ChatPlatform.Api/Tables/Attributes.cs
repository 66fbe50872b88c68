using System.Globalization;
using Amazon.DynamoDBv2.Model;
using ChatPlatform.Contracts.Json;

namespace ChatPlatform.Api.Tables;

/// <summary>Reads and writes DynamoDB attributes by name.</summary>
internal static class Attributes
{
    public static AttributeValue S(string value) => new() { S = value };

    public static AttributeValue N(long value) => new() { N = value.ToString(CultureInfo.InvariantCulture) };

    public static AttributeValue Bool(bool value) => new() { BOOL = value };

    public static AttributeValue Set(params string[] values) => new() { SS = [.. values] };

    public static AttributeValue Time(DateTimeOffset value) => S(WireTimeConverter.ToText(value));

    public static string Text(this IReadOnlyDictionary<string, AttributeValue> item, string name) => item[name].S;

    public static string? TextOrNull(this IReadOnlyDictionary<string, AttributeValue> item, string name) => item.TryGetValue(name, out var value) ? value.S : null;

    /// <summary>The number, or 0 where the attribute is absent.</summary>
    public static long Number(this IReadOnlyDictionary<string, AttributeValue> item, string name) =>
        item.TryGetValue(name, out var value) ? long.Parse(value.N, CultureInfo.InvariantCulture) : 0;

    public static bool Flag(this IReadOnlyDictionary<string, AttributeValue> item, string name) => item.TryGetValue(name, out var value) && value.BOOL == true;

    public static DateTimeOffset Time(this IReadOnlyDictionary<string, AttributeValue> item, string name) => WireTimeConverter.FromText(item[name].S);

    public static DateTimeOffset? TimeOrNull(this IReadOnlyDictionary<string, AttributeValue> item, string name) =>
        item.TryGetValue(name, out var value) ? WireTimeConverter.FromText(value.S) : null;
}
