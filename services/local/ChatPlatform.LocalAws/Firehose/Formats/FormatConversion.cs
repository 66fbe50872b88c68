using ChatPlatform.LocalAws.Firehose.Processing;

namespace ChatPlatform.LocalAws.Firehose.Formats;

/// <summary>
/// A <c>DataFormatConversionConfiguration</c> that is on: JSON in, Parquet out (https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion.html). The schema is a table of
/// the data catalogue, or stands in the request: <c>SchemaConfiguration.Columns=[{"Name","Type"}]</c>, which AWS does not have. Immutable.
/// </summary>
/// <param name="Compression"><c>SNAPPY</c> (the default), <c>GZIP</c> or <c>UNCOMPRESSED</c>: the serializer's own.</param>
/// <param name="IgnoresCase">Whether a column finds its key whatever the case; OpenX's SerDe does, unless told not to, and Hive's does.</param>
/// <param name="JsonKeys">Column to JSON key, where they differ.</param>
internal sealed record FormatConversion(
    GlueTableName? Table, IReadOnlyList<TableColumn>? Columns, string Compression, bool IgnoresCase, bool DotsToUnderscores, IReadOnlyDictionary<string, string> JsonKeys)
{
    /// <returns>Null when conversion is off.</returns>
    /// <exception cref="FirehoseException"><c>InvalidArgumentException</c>, naming what is wrong or not carried out.</exception>
    public static FormatConversion? Read(JsonInput input)
    {
        input.Allow("Enabled", "InputFormatConfiguration", "OutputFormatConfiguration", "SchemaConfiguration");
        // "Defaults to true."
        if (input.Flag("Enabled") == false)
            return null;
        var (ignoresCase, dots, keys) = ReadDeserializer(Required(Required(input, "InputFormatConfiguration"), "Deserializer"));
        var compression = ReadSerializer(Required(Required(input, "OutputFormatConfiguration"), "Serializer"));
        var schema = Required(input, "SchemaConfiguration");
        schema.Allow("RoleARN", "CatalogId", "DatabaseName", "TableName", "Region", "VersionId", "Columns");
        if (schema.List("Columns") is not { } given)
            return new FormatConversion(new GlueTableName(schema.RequiredText("DatabaseName"), schema.RequiredText("TableName")), null, compression, ignoresCase, dots, keys);

        var columns = given.Select(column =>
        {
            column.Allow("Name", "Type");
            return new TableColumn(column.RequiredText("Name"), column.RequiredText("Type"));
        }).ToArray();
        Check(columns);
        return new FormatConversion(null, columns, compression, ignoresCase, dots, keys);
    }

    /// <exception cref="FirehoseException"><c>InvalidArgumentException</c>: no columns, one twice, or a type that is none.</exception>
    public static void Check(IReadOnlyList<TableColumn> columns)
    {
        if (columns.Count == 0)
            throw FirehoseException.InvalidArgument("The schema has no columns.");
        if (columns.GroupBy(c => c.Name, StringComparer.OrdinalIgnoreCase).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw FirehoseException.InvalidArgument($"The schema has the column {twice.Key} twice.");
        foreach (var column in columns)
            HiveType.Parse(column.Type);
    }

    private static JsonInput Required(JsonInput input, string name) =>
        input.Object(name) ?? throw FirehoseException.InvalidArgument($"{input.Path}.{name} is required when data format conversion is enabled.");

    private static (bool IgnoresCase, bool Dots, IReadOnlyDictionary<string, string> Keys) ReadDeserializer(JsonInput input)
    {
        input.Allow("OpenXJsonSerDe", "HiveJsonSerDe");
        if (input.Object("HiveJsonSerDe") is { } hive)
        {
            hive.Allow("TimestampFormats");
            if (hive.Has("TimestampFormats"))
                throw FirehoseException.NotHonoured($"{hive.Path}.TimestampFormats");
            return (true, false, new Dictionary<string, string>());
        }

        if (input.Object("OpenXJsonSerDe") is not { } openX)
            throw FirehoseException.InvalidArgument($"{input.Path} needs OpenXJsonSerDe or HiveJsonSerDe.");
        openX.Allow("CaseInsensitive", "ColumnToJsonKeyMappings", "ConvertDotsInJsonKeysToUnderscores");
        return (openX.Flag("CaseInsensitive") ?? true, openX.Flag("ConvertDotsInJsonKeysToUnderscores") ?? false, openX.Object("ColumnToJsonKeyMappings")?.Texts() ?? new Dictionary<string, string>());
    }

    private static string ReadSerializer(JsonInput input)
    {
        input.Allow("ParquetSerDe", "OrcSerDe");
        if (input.Has("OrcSerDe"))
            throw FirehoseException.NotHonoured($"{input.Path}.OrcSerDe");
        if (input.Object("ParquetSerDe") is not { } parquet)
            throw FirehoseException.InvalidArgument($"{input.Path} needs ParquetSerDe or OrcSerDe.");
        parquet.Allow("Compression", "BlockSizeBytes", "EnableDictionaryCompression", "MaxPaddingBytes", "PageSizeBytes", "WriterVersion");
        AtLeast("BlockSizeBytes", 64 * 1024 * 1024);
        AtLeast("PageSizeBytes", 64 * 1024);
        if (parquet.Text("WriterVersion") is { } version && version is not ("V1" or "V2"))
            throw FirehoseException.InvalidArgument($"{parquet.Path}.WriterVersion is '{version}'; it must be V1 or V2.");
        var compression = parquet.Text("Compression") ?? "SNAPPY";
        return compression is "SNAPPY" or "GZIP" or "UNCOMPRESSED"
            ? compression
            : throw FirehoseException.InvalidArgument($"{parquet.Path}.Compression is '{compression}'; it must be one of UNCOMPRESSED, GZIP, SNAPPY.");

        void AtLeast(string name, int least)
        {
            if (parquet.Number(name) is { } value && value < least)
                throw FirehoseException.InvalidArgument($"{parquet.Path}.{name} is {value}; it must be at least {least}.");
        }
    }
}
