using System.Text.Json;
using ChatPlatform.LocalAws.Firehose.Processing;
using Parquet;
using Parquet.Schema;

namespace ChatPlatform.LocalAws.Firehose.Formats;

/// <summary>
/// Writes JSON records as one Parquet file: a key that is no column is left out, a column without a key is null
/// (https://docs.aws.amazon.com/firehose/latest/dev/enable-record-format-conversion.html).
/// </summary>
internal static class ParquetObject
{
    public const string Extension = ".parquet";

    /// <summary>Rows that are held in memory before they become a row group.</summary>
    private const int RowsInGroup = 50_000;

    /// <summary>Writes the records that fit, and gives the others to <paramref name="failed"/> with the reason. Gives the number of rows: with none, the file is not worth keeping.</summary>
    /// <param name="to">Seekable.</param>
    public static async Task<int> WriteAsync(
        FormatConversion conversion, IReadOnlyList<TableColumn> columns, IEnumerable<DeliveredRecord> records, Stream to, Action<DeliveredRecord, string> failed, CancellationToken cancellationToken)
    {
        var keys = new KeyRule(conversion.IgnoresCase, conversion.DotsToUnderscores);
        var tops = columns.Select(c => (Key: conversion.JsonKeys.GetValueOrDefault(c.Name) ?? c.Name, Columns: ParquetColumns.Of(c.Name, HiveType.Parse(c.Type), keys))).ToArray();
        var schema = new ParquetSchema([.. tops.Select(t => t.Columns.Field)]);
        var options = new ParquetOptions
        {
            CompressionMethod = conversion.Compression switch { "GZIP" => CompressionMethod.Gzip, "UNCOMPRESSED" => CompressionMethod.None, _ => CompressionMethod.Snappy },
        };
        await using var writer = await ParquetWriter.CreateAsync(schema, to, options, cancellationToken: cancellationToken);
        var (rows, written) = (0, 0);
        foreach (var record in records)
        {
            if (Problem(record, keys, tops) is { } problem)
                failed(record, problem);
            else if (++rows - written == RowsInGroup)
                await FlushAsync();
        }

        if (rows > written)
            await FlushAsync();
        return rows;

        async Task FlushAsync()
        {
            using var group = writer.CreateRowGroup();
            foreach (var (_, top) in tops)
                await top.FlushAsync(group, cancellationToken);
            written = rows;
        }
    }

    // Null when the record is in the columns.
    private static string? Problem(DeliveredRecord record, KeyRule keys, (string Key, ParquetColumns Columns)[] tops)
    {
        foreach (var (_, columns) in tops)
            columns.Mark();
        try
        {
            using var document = JsonDocument.Parse(record.Data);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                return "The record is no JSON object.";
            var members = keys.MembersOf(document.RootElement);
            foreach (var (key, columns) in tops)
                columns.Add(members.TryGetValue(key, out var value) ? value : null, 0, 0);
            return null;
        }
        catch (Exception misfit) when (misfit is JsonException or FormatException)
        {
            foreach (var (_, columns) in tops)
                columns.CutBack();
            return misfit is JsonException ? "The record is not valid JSON." : misfit.Message;
        }
    }
}
