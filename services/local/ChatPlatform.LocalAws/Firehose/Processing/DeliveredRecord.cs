using System.Text.Json;

namespace ChatPlatform.LocalAws.Firehose.Processing;

/// <summary>A buffered record on its way through the processors.</summary>
/// <param name="Arrival">When it was put.</param>
/// <param name="Data">What is delivered, so far.</param>
/// <param name="Raw">What was put: what the error output holds if it fails.</param>
/// <param name="PartitionKeys">From the query (<c>partitionKeyFromQuery:NAME</c>) and from the function (<c>partitionKeyFromLambda:NAME</c>).</param>
internal sealed record DeliveredRecord(DateTimeOffset Arrival, ReadOnlyMemory<byte> Data, ReadOnlyMemory<byte> Raw, IReadOnlyDictionary<string, string> PartitionKeys);

/// <summary>A record that goes to the error output instead (https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html).</summary>
/// <param name="OutputType"><c>processing-failed</c> or <c>format-conversion-failed</c>: what <c>!{firehose:error-output-type}</c> becomes.</param>
/// <param name="Function">The transforming function's ARN, where it was that.</param>
/// <param name="Table">The table whose schema was asked for, where it was the conversion.</param>
internal sealed record FailedRecord(
    string OutputType, DateTimeOffset Arrival, ReadOnlyMemory<byte> Raw, string ErrorCode, string ErrorMessage, int Attempts = 1, string? Function = null, GlueTableName? Table = null)
{
    public const string Processing = "processing-failed";
    public const string Conversion = "format-conversion-failed";

    /// <summary>One line of the error object.</summary>
    public byte[] ToLine(DateTimeOffset now)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            json.WriteNumber("attemptsMade", Attempts);
            json.WriteNumber("arrivalTimestamp", Arrival.ToUnixTimeMilliseconds());
            json.WriteString("errorCode", ErrorCode);
            json.WriteString("errorMessage", ErrorMessage);
            json.WriteNumber("attemptEndingTimestamp", now.ToUnixTimeMilliseconds());
            json.WriteBase64String("rawData", Raw.Span);
            if (Function is not null)
                json.WriteString("lambdaArn", Function);
            if (Table is not null)
            {
                json.WriteStartObject("dataCatalogTable");
                json.WriteString("databaseName", Table.Database);
                json.WriteString("tableName", Table.Table);
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        bytes.WriteByte((byte)'\n');
        return bytes.ToArray();
    }
}

/// <summary>A table of the data catalogue.</summary>
internal sealed record GlueTableName(string Database, string Table);
