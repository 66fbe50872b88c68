using System.Text.Json.Serialization;

namespace ChatPlatform.LocalAws.Firehose.Formats;

/// <summary>A column of a table: its name and its type in Hive's words.</summary>
internal sealed record TableColumn([property: JsonPropertyName("Name")] string Name, [property: JsonPropertyName("Type")] string Type);

/// <summary>A Hive type (https://docs.aws.amazon.com/athena/latest/ug/data-types.html), read from its text. Immutable.</summary>
/// <param name="Kind">The name in lower case without parameters: <c>string</c>, <c>int</c>, <c>decimal</c>, <c>array</c>, <c>map</c>, <c>struct</c>, …</param>
internal sealed record HiveType(string Kind)
{
    /// <summary>Of a decimal.</summary>
    public int Precision { get; private init; } = 10;

    /// <summary>Of a decimal.</summary>
    public int Scale { get; private init; }

    /// <summary>The item of an array, key and value of a map, the fields of a struct.</summary>
    public IReadOnlyList<(string Name, HiveType Type)> Parts { get; private init; } = [];

    /// <exception cref="FirehoseException"><c>InvalidArgumentException</c>: no Hive type, or one that Parquet has no place for here.</exception>
    public static HiveType Parse(string text)
    {
        var at = 0;
        var type = Read(text.Replace(" ", "", StringComparison.Ordinal), ref at);
        return at == text.Replace(" ", "", StringComparison.Ordinal).Length ? type : throw Wrong(text);
    }

    private static HiveType Read(string text, ref int at)
    {
        var start = at;
        while (at < text.Length && char.IsAsciiLetterOrDigit(text[at]))
            at++;
        var kind = text[start..at].ToLowerInvariant();
        switch (kind)
        {
            case "string" or "boolean" or "tinyint" or "smallint" or "int" or "bigint" or "float" or "double" or "binary" or "timestamp" or "date":
                return new HiveType(kind);
            case "integer":
                return new HiveType("int");
            case "varchar" or "char":
                Numbers(text, ref at);
                return new HiveType("string");
            case "decimal":
                var numbers = Numbers(text, ref at);
                var (precision, scale) = (numbers.Length > 0 ? numbers[0] : 10, numbers.Length > 1 ? numbers[1] : 0);
                return precision is >= 1 and <= 28 && scale <= precision
                    ? new HiveType(kind) { Precision = precision, Scale = scale }
                    : throw FirehoseException.NotHonoured($"The type {text} (a decimal of more than 28 digits)");
            case "array":
                Expect(text, ref at, '<');
                var item = Read(text, ref at);
                Expect(text, ref at, '>');
                return new HiveType(kind) { Parts = [("element", item)] };
            case "map":
                Expect(text, ref at, '<');
                var key = Read(text, ref at);
                Expect(text, ref at, ',');
                var value = Read(text, ref at);
                Expect(text, ref at, '>');
                return key.Kind == "string" ? new HiveType(kind) { Parts = [("key", key), ("value", value)] } : throw FirehoseException.NotHonoured($"The type {text} (a map with other keys than string)");
            case "struct":
                Expect(text, ref at, '<');
                var fields = new List<(string, HiveType)>();
                do
                {
                    var from = at;
                    while (at < text.Length && text[at] is not (':' or ',' or '<' or '>'))
                        at++;
                    var name = text[from..at];
                    Expect(text, ref at, ':');
                    fields.Add((name, Read(text, ref at)));
                }
                while (Take(text, ref at, ','));
                Expect(text, ref at, '>');
                return new HiveType(kind) { Parts = fields };
            default:
                throw Wrong(text);
        }
    }

    private static int[] Numbers(string text, ref int at)
    {
        if (!Take(text, ref at, '('))
            return [];
        var end = text.IndexOf(')', at);
        if (end < 0)
            throw Wrong(text);
        var numbers = text[at..end].Split(',').Select(part => int.TryParse(part, out var number) && number >= 0 ? number : throw Wrong(text)).ToArray();
        at = end + 1;
        return numbers;
    }

    private static bool Take(string text, ref int at, char wanted)
    {
        if (at == text.Length || text[at] != wanted)
            return false;
        at++;
        return true;
    }

    private static void Expect(string text, ref int at, char wanted)
    {
        if (!Take(text, ref at, wanted))
            throw Wrong(text);
    }

    private static FirehoseException Wrong(string text) => FirehoseException.InvalidArgument($"'{text}' is not a Hive type.");
}
