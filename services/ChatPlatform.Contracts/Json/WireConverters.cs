using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using ChatPlatform.Contracts.Rooms;

namespace ChatPlatform.Contracts.Json;

/// <summary>RFC 3339 in UTC with exactly three decimals and <c>Z</c>: <c>2026-03-01T09:30:00.000Z</c>. Reads any offset.</summary>
public sealed class WireTimeConverter : JsonConverter<DateTimeOffset>
{
    /// <summary>The format string; sorts as text.</summary>
    public const string Format = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    /// <summary>Writes a time as the wire has it.</summary>
    public static string ToText(DateTimeOffset time) => time.UtcDateTime.ToString(Format, CultureInfo.InvariantCulture);

    /// <summary>Reads a time as the wire has it.</summary>
    /// <exception cref="FormatException">Not a time.</exception>
    public static DateTimeOffset FromText(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);

    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetDateTimeOffset();

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options)
    {
        Span<char> text = stackalloc char[24];
        value.UtcDateTime.TryFormat(text, out var written, Format, CultureInfo.InvariantCulture);
        writer.WriteStringValue(text[..written]);
    }
}

/// <summary>Lower case names only, no numbers.</summary>
public sealed class MessageKindConverter() : JsonStringEnumConverter<MessageKind>(JsonNamingPolicy.CamelCase, allowIntegerValues: false);

/// <summary>Lower case names only, no numbers.</summary>
public sealed class RoomKindConverter() : JsonStringEnumConverter<RoomKind>(JsonNamingPolicy.CamelCase, allowIntegerValues: false);
