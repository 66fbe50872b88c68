using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Parquet;
using Parquet.Schema;

namespace ChatPlatform.LocalAws.Firehose.Formats;

/// <summary>
/// A node of a Parquet schema that takes JSON values apart into its leaves' columns, with repetition and definition levels
/// (https://github.com/apache/parquet-format/blob/master/README.md#nested-encoding). Everything but a map's key is optional. Not thread-safe.
/// </summary>
internal abstract class ParquetColumns
{
    private readonly string _name;

    private ParquetColumns(string name) => _name = name;

    /// <summary>The field for the schema. Its leaves know their levels once they are part of one.</summary>
    public abstract Field Field { get; }

    /// <summary>Columns for a Hive type.</summary>
    /// <param name="depth">Repeated groups around it.</param>
    public static ParquetColumns Of(string name, HiveType type, KeyRule keys, int depth = 0) => type.Kind switch
    {
        "array" => new Repeated(name, [Of("element", type.Parts[0].Type, keys, depth + 1)], depth + 1),
        "map" => new Repeated(name, [Text("key", required: true), Of("value", type.Parts[1].Type, keys, depth + 1)], depth + 1),
        "struct" => new Struct(name, [.. type.Parts.Select(p => (p.Name, Of(p.Name, p.Type, keys, depth)))], keys),
        _ => LeafOf(name, type),
    };

    /// <summary>Adds one value.</summary>
    /// <param name="value">Null, or JSON null, for nothing from <paramref name="definition"/> on.</param>
    /// <exception cref="FormatException">It is no value of this type; the leaves then hold a part of it, until <see cref="CutBack"/>.</exception>
    public abstract void Add(JsonElement? value, int repetition, int definition);

    /// <summary>Keeps what was added so far, as the state to cut back to.</summary>
    public abstract void Mark();

    /// <summary>Takes back what was added after the last <see cref="Mark"/>.</summary>
    public abstract void CutBack();

    /// <summary>Writes the columns of a row group, in the schema's order, and empties them.</summary>
    public abstract Task FlushAsync(ParquetRowGroupWriter group, CancellationToken cancellationToken);

    private static bool IsNull(JsonElement? value) => value is null or { ValueKind: JsonValueKind.Null };

    private FormatException Misfit(JsonElement value, string kind) => new($"Column {_name}: a JSON {value.ValueKind} is no {kind}.");

    private static Leaf<ReadOnlyMemory<char>> Text(string name, bool required = false) => new(
        name, "string", new DataField(name, typeof(string), isNullable: !required), json => (json.ValueKind == JsonValueKind.String ? json.GetString()! : json.GetRawText()).AsMemory(), required);

    private static ParquetColumns LeafOf(string name, HiveType type)
    {
        switch (type.Kind)
        {
            case "string":
                return Text(name);
            case "boolean":
                return Plain<bool>(json => json.ValueKind is JsonValueKind.True or JsonValueKind.False ? json.GetBoolean() : bool.TryParse(TextOf(json), out var v) ? v : null);
            case "tinyint":
                return Plain<sbyte>(json => sbyte.TryParse(TextOf(json), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var v) ? v : null);
            case "smallint":
                return Plain<short>(json => short.TryParse(TextOf(json), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var v) ? v : null);
            case "int":
                return Plain<int>(json => int.TryParse(TextOf(json), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var v) ? v : null);
            case "bigint":
                return Plain<long>(json => long.TryParse(TextOf(json), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var v) ? v : null);
            case "float":
                return Plain<float>(json => float.TryParse(TextOf(json), NumberStyles.Float, CultureInfo.InvariantCulture, out var v) ? v : null);
            case "double":
                return Plain<double>(json => double.TryParse(TextOf(json), NumberStyles.Float, CultureInfo.InvariantCulture, out var v) ? v : null);
            case "binary":
                return new Leaf<ReadOnlyMemory<byte>>(name, type.Kind, new DataField(name, typeof(byte[]), isNullable: true), json =>
                    json.ValueKind == JsonValueKind.String && json.TryGetBytesFromBase64(out var v) ? new ReadOnlyMemory<byte>(v) : null);
            case "decimal":
                return new Leaf<decimal>(name, type.Kind, new DecimalDataField(name, type.Precision, type.Scale, isNullable: true), json => DecimalOf(TextOf(json), type));
            case "date":
                return new Leaf<DateTime>(name, type.Kind, new DateTimeDataField(name, DateTimeFormat.Date, isNullable: true), json =>
                    DateOnly.TryParseExact(TextOf(json), "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var v) ? v.ToDateTime(TimeOnly.MinValue, DateTimeKind.Utc) : null);
            default:
                // INT96, as Hive's writer has it, which Firehose uses.
                return new Leaf<DateTime>(name, type.Kind, new DateTimeDataField(name, DateTimeFormat.Impala, isNullable: true), TimeOf);
        }

        Leaf<T> Plain<T>(Func<JsonElement, T?> read)
            where T : struct => new(name, type.Kind, new DataField(name, typeof(T), isNullable: true), read);
    }

    private static string? TextOf(JsonElement json) => json.ValueKind switch { JsonValueKind.Number => json.GetRawText(), JsonValueKind.String => json.GetString(), _ => null };

    private static decimal? DecimalOf(string? text, HiveType type)
    {
        if (!decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value))
            return null;
        value = Math.Round(value, type.Scale, MidpointRounding.AwayFromZero);
        return Math.Abs(value) < (decimal)Math.Pow(10, type.Precision - type.Scale) ? value : null;
    }

    // Text with or without a zone (UTC then), or seconds or milliseconds since 1970 (https://docs.aws.amazon.com/firehose/latest/dev/enable-record-format-conversion.html).
    private static DateTime? TimeOf(JsonElement json)
    {
        if (json.ValueKind == JsonValueKind.Number && json.TryGetDecimal(out var number) && Math.Abs(number) < 1e14m)
            return DateTime.UnixEpoch.AddTicks((long)(number * (Math.Abs(number) < 100_000_000_000m ? TimeSpan.TicksPerSecond : TimeSpan.TicksPerMillisecond)));
        return json.ValueKind == JsonValueKind.String && DateTimeOffset.TryParse(json.GetString(), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time.UtcDateTime : null;
    }

    /// <summary>One column of values.</summary>
    private sealed class Leaf<T>(string name, string kind, DataField own, Func<JsonElement, T?> read, bool required = false) : ParquetColumns(name)
        where T : struct
    {
        private readonly List<T> _values = [];
        private readonly List<int> _definitions = [];
        private readonly List<int> _repetitions = [];
        private (int Values, int Levels) _mark;

        public override Field Field => own;

        public override void Add(JsonElement? value, int repetition, int definition)
        {
            if (!IsNull(value))
            {
                _values.Add(read(value!.Value) ?? throw Misfit(value.Value, kind));
                definition += required ? 0 : 1;
            }

            _definitions.Add(definition);
            _repetitions.Add(repetition);
        }

        public override void Mark() => _mark = (_values.Count, _definitions.Count);

        public override void CutBack()
        {
            CollectionsMarshal.SetCount(_values, _mark.Values);
            CollectionsMarshal.SetCount(_definitions, _mark.Levels);
            CollectionsMarshal.SetCount(_repetitions, _mark.Levels);
        }

        public override async Task FlushAsync(ParquetRowGroupWriter group, CancellationToken cancellationToken)
        {
            ReadOnlyMemory<int>? definitions = own.MaxDefinitionLevel > 0 ? _definitions.ToArray() : null;
            ReadOnlyMemory<int>? repetitions = own.MaxRepetitionLevel > 0 ? _repetitions.ToArray() : null;
            await group.WriteAllPartsAsync<T>(own, _values.ToArray(), definitions, repetitions, cancellationToken);
            _mark = default;
            CutBack();
        }
    }

    private sealed class Struct(string name, (string Name, ParquetColumns Columns)[] members, KeyRule keys) : ParquetColumns(name)
    {
        public override Field Field { get; } = new StructField(name, [.. members.Select(m => m.Columns.Field)]);

        public override void Add(JsonElement? value, int repetition, int definition)
        {
            if (!IsNull(value) && value!.Value.ValueKind != JsonValueKind.Object)
                throw Misfit(value.Value, "struct");
            var own = IsNull(value) ? null : keys.MembersOf(value!.Value);
            foreach (var (member, columns) in members)
                columns.Add(own is not null && own.TryGetValue(member, out var inner) ? inner : null, repetition, own is null ? definition : definition + 1);
        }

        public override void Mark() => Array.ForEach(members, m => m.Columns.Mark());

        public override void CutBack() => Array.ForEach(members, m => m.Columns.CutBack());

        public override async Task FlushAsync(ParquetRowGroupWriter group, CancellationToken cancellationToken)
        {
            foreach (var (_, columns) in members)
                await columns.FlushAsync(group, cancellationToken);
        }
    }

    /// <summary>A list (one inner part) or a map (key and value): an optional group around a repeated one.</summary>
    private sealed class Repeated(string name, ParquetColumns[] parts, int depth) : ParquetColumns(name)
    {
        public override Field Field { get; } = parts.Length == 1 ? new ListField(name, parts[0].Field) : new MapField(name, parts[0].Field, parts[1].Field);

        public override void Add(JsonElement? value, int repetition, int definition)
        {
            if (IsNull(value))
            {
                Array.ForEach(parts, p => p.Add(null, repetition, definition));
                return;
            }

            var json = value!.Value;
            var any = false;
            if (parts.Length == 1)
            {
                foreach (var item in json.ValueKind == JsonValueKind.Array ? json.EnumerateArray() : throw Misfit(json, "array"))
                {
                    parts[0].Add(item, any ? depth : repetition, definition + 2);
                    any = true;
                }
            }
            else
            {
                // A key that comes twice counts once, with its last value.
                foreach (var member in (json.ValueKind == JsonValueKind.Object ? json.EnumerateObject() : throw Misfit(json, "map")).GroupBy(m => m.Name).Select(m => m.Last()))
                {
                    parts[0].Add(JsonSerializer.SerializeToElement(member.Name), any ? depth : repetition, definition + 2);
                    parts[1].Add(member.Value, any ? depth : repetition, definition + 2);
                    any = true;
                }
            }

            if (!any)
                Array.ForEach(parts, p => p.Add(null, repetition, definition + 1));
        }

        public override void Mark() => Array.ForEach(parts, p => p.Mark());

        public override void CutBack() => Array.ForEach(parts, p => p.CutBack());

        public override async Task FlushAsync(ParquetRowGroupWriter group, CancellationToken cancellationToken)
        {
            foreach (var part in parts)
                await part.FlushAsync(group, cancellationToken);
        }
    }
}

/// <summary>How a column finds its JSON key.</summary>
internal sealed class KeyRule(bool ignoresCase, bool dotsToUnderscores)
{
    public Dictionary<string, JsonElement> MembersOf(JsonElement json)
    {
        var members = new Dictionary<string, JsonElement>(ignoresCase ? StringComparer.OrdinalIgnoreCase : StringComparer.Ordinal);
        foreach (var member in json.EnumerateObject())
            members[dotsToUnderscores ? member.Name.Replace('.', '_') : member.Name] = member.Value;
        return members;
    }
}
