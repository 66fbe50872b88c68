using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace ChatPlatform.AppHost.Eks;

/// <summary>Writes a tree of JSON values as YAML 1.2 in block style: what JSON can say, with the keys in the tree's order, so that the same tree is the same bytes.</summary>
internal static partial class YamlWriter
{
    private static readonly JsonSerializerOptions Quoting = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The documents one after the other, with <c>---</c> between them.</summary>
    public static string WriteAll(IEnumerable<JsonNode> documents) => string.Join("---\n", documents.Select(Write));

    public static string Write(JsonNode document)
    {
        var text = new StringBuilder();
        Block(text, document, indent: 0);
        return text.ToString();
    }

    private static void Block(StringBuilder text, JsonNode? node, int indent)
    {
        switch (node)
        {
            case JsonObject { Count: > 0 } map:
                foreach (var (key, value) in map)
                {
                    Indent(text, indent).Append(Scalar(key)).Append(':');
                    // An item's dash may stand where its key begins.
                    Value(text, value, value is JsonArray ? indent : indent + 1, indent + 1);
                }

                break;
            case JsonArray { Count: > 0 } list:
                foreach (var item in list)
                {
                    Indent(text, indent).Append('-');
                    if (item is JsonObject { Count: > 0 })
                    {
                        var inner = new StringBuilder();
                        Block(inner, item, indent + 1);
                        text.Append(' ').Append(inner.ToString().AsSpan(2 * (indent + 1)));
                    }
                    else
                    {
                        Value(text, item, indent + 1, indent + 1);
                    }
                }

                break;
            default:
                Value(text, node, indent, indent + 1);
                break;
        }
    }

    private static void Value(StringBuilder text, JsonNode? node, int blockIndent, int textIndent)
    {
        switch (node)
        {
            case JsonObject { Count: > 0 } or JsonArray { Count: > 0 }:
                text.Append('\n');
                Block(text, node, blockIndent);
                break;
            case JsonObject:
                text.Append(" {}\n");
                break;
            case JsonArray:
                text.Append(" []\n");
                break;
            case JsonValue value when value.GetValueKind() is JsonValueKind.String && Literal(value.GetValue<string>()) is { } lines:
                text.Append(value.GetValue<string>().EndsWith('\n') ? " |\n" : " |-\n");
                foreach (var line in lines)
                    (line.Length == 0 ? text : Indent(text, textIndent).Append(line)).Append('\n');
                break;
            case JsonValue value when value.GetValueKind() is JsonValueKind.String:
                text.Append(' ').Append(Scalar(value.GetValue<string>())).Append('\n');
                break;
            default:
                text.Append(' ').Append(node?.ToJsonString() ?? "null").Append('\n');
                break;
        }
    }

    private static StringBuilder Indent(StringBuilder text, int indent) => text.Append(' ', 2 * indent);

    /// <summary>The lines of a text that a literal block keeps as it is; null for a text of one line, and for what needs escapes.</summary>
    private static string[]? Literal(string text)
    {
        if (!text.TrimEnd('\n').Contains('\n') || text.EndsWith("\n\n", StringComparison.Ordinal) || text[0] is ' ' or '\n' || text.Any(c => char.IsControl(c) && c != '\n'))
            return null;
        return (text.EndsWith('\n') ? text[..^1] : text).Split('\n');
    }

    /// <summary>Plain where no reader can take it for anything but this text, else in double quotes, which have JSON's escapes.</summary>
    private static string Scalar(string text) => Plain().IsMatch(text) && !Reserved().IsMatch(text) && !double.TryParse(text, CultureInfo.InvariantCulture, out _)
        ? text
        : JsonSerializer.Serialize(text, Quoting);

    // No blank, colon at the end or character that begins a number: dates, base 60 and hexadecimal of YAML 1.1 are quoted.
    [GeneratedRegex(@"^[A-Za-z_/][A-Za-z0-9_./:$()@+*%=~-]*(?<!:)$")]
    private static partial Regex Plain();

    [GeneratedRegex("^(y|n|yes|no|true|false|on|off|null|nan|inf)$", RegexOptions.IgnoreCase)]
    private static partial Regex Reserved();
}
