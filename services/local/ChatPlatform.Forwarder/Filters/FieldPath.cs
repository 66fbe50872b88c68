using System.Globalization;
using System.Text.RegularExpressions;
using MessagePack;

namespace ChatPlatform.Forwarder.Filters;

/// <summary>
/// Where a value lies in a record: a key, or a record accessor <c>$key['nested'][0]</c>
/// (https://docs.fluentbit.io/manual/administration/configuring-fluent-bit/classic-mode/record-accessor).
/// </summary>
internal sealed partial class FieldPath
{
    private readonly string _key;
    private readonly object[] _steps;

    private FieldPath(string key, object[] steps)
    {
        _key = key;
        _steps = steps;
    }

    /// <returns>Null when <paramref name="text"/> begins like an accessor and is none.</returns>
    public static FieldPath? Parse(string text)
    {
        if (!text.StartsWith('$'))
            return new FieldPath(text, []);
        var match = Accessor().Match(text);
        return match.Success
            ? new FieldPath(
                match.Groups["key"].Value,
                [.. match.Groups["step"].Captures.Select(step => step.Value[0] == '\'' ? (object)step.Value[1..^1] : int.Parse(step.Value, CultureInfo.InvariantCulture))])
            : null;
    }

    /// <summary>The value's MessagePack bytes; null where the record has none there.</summary>
    public ReadOnlyMemory<byte>? Find(Fields fields)
    {
        var value = fields.Value(_key);
        foreach (var step in _steps)
        {
            if (value is not { } parent)
                return null;
            value = step is int index ? Element(parent, index) : Member(parent, (string)step);
        }

        return value;
    }

    private static ReadOnlyMemory<byte>? Element(ReadOnlyMemory<byte> parent, int index)
    {
        var reader = new MessagePackReader(parent);
        if (reader.NextMessagePackType != MessagePackType.Array || reader.ReadArrayHeader() <= index)
            return null;
        for (; index > 0; index--)
            reader.Skip();
        return Next(parent, ref reader);
    }

    private static ReadOnlyMemory<byte>? Member(ReadOnlyMemory<byte> parent, string name)
    {
        var reader = new MessagePackReader(parent);
        if (reader.NextMessagePackType != MessagePackType.Map)
            return null;
        for (var left = reader.ReadMapHeader(); left > 0; left--)
        {
            var isName = reader.NextMessagePackType == MessagePackType.String;
            if (isName && reader.ReadString() == name)
                return Next(parent, ref reader);
            if (!isName)
                reader.Skip();
            reader.Skip();
        }

        return null;
    }

    private static ReadOnlyMemory<byte> Next(ReadOnlyMemory<byte> parent, ref MessagePackReader reader)
    {
        var start = (int)reader.Consumed;
        reader.Skip();
        return parent[start..(int)reader.Consumed];
    }

    [GeneratedRegex(@"^\$(?<key>[^\[\]']+)(\[(?<step>'[^']*'|[0-9]{1,6})\])*$")]
    private static partial Regex Accessor();
}
