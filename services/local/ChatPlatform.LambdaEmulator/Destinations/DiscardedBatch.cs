using System.Globalization;
using System.Text;
using System.Text.Json;
using ChatPlatform.Contracts.Json;
using ChatPlatform.LambdaEmulator.Mappings;
using ChatPlatform.LambdaEmulator.Streams;

namespace ChatPlatform.LambdaEmulator.Destinations;

/// <summary>Records that a mapping gives up, and what became of their last invocation.</summary>
/// <param name="Condition"><c>RetryAttemptsExhausted</c> or <c>MaximumRecordAgeExceeded</c>.</param>
/// <param name="InvokeCount">How often they, in this batch, were handed to the function.</param>
/// <param name="RequestId">Of the last invocation; null when there was none.</param>
/// <param name="FunctionError">Of the last invocation; null when the function did not fail but named records, or when there was none.</param>
internal sealed record DiscardedBatch(
    string ShardId, string Condition, IReadOnlyList<StreamRecord> Records, int From, int End, int InvokeCount, string? RequestId, string? FunctionError)
{
    private static readonly JsonWriterOptions Options = new() { Encoder = WireEncoder.Instance };

    /// <summary>Where the record lies in a bucket: <c>aws/lambda/UUID/SHARD/yyyy/MM/dd/yyyy-MM-ddTHH.mm.ss-RANDOM</c>.</summary>
    public string ObjectKey(Guid mapping, DateTimeOffset now, Guid random) =>
        string.Create(CultureInfo.InvariantCulture, $"aws/lambda/{mapping}/{ShardId}/{now.UtcDateTime:yyyy'/'MM'/'dd'/'yyyy-MM-dd'T'HH'.'mm'.'ss}-{random}");

    /// <summary>The invocation record with the whole event as <c>payload</c> (https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html).</summary>
    public byte[] ToJson(EventSourceMapping mapping, DateTimeOffset now)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, Options))
        {
            json.WriteStartObject();
            json.WriteStartObject("requestContext");
            json.WriteString("requestId", RequestId ?? Guid.NewGuid().ToString());
            json.WriteString("functionArn", mapping.FunctionArn);
            json.WriteString("condition", Condition);
            json.WriteNumber("approximateInvokeCount", InvokeCount);
            json.WriteEndObject();
            if (RequestId is not null)
            {
                json.WriteStartObject("responseContext");
                json.WriteNumber("statusCode", 200);
                json.WriteString("executedVersion", "$LATEST");
                json.WriteString("functionError", FunctionError);
                json.WriteEndObject();
            }

            json.WriteString("version", "1.0");
            json.WriteString("timestamp", now.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
            json.WriteStartObject("DDBStreamBatchInfo");
            json.WriteString("shardId", ShardId);
            json.WriteString("startSequenceNumber", Records[From].SequenceNumber);
            json.WriteString("endSequenceNumber", Records[End - 1].SequenceNumber);
            json.WriteString("approximateArrivalOfFirstRecord", Seconds(Records[From].Created));
            json.WriteString("approximateArrivalOfLastRecord", Seconds(Records[End - 1].Created));
            json.WriteNumber("batchSize", End - From);
            json.WriteString("streamArn", mapping.EventSourceArn);
            json.WriteEndObject();
            json.WriteString("payload", Encoding.UTF8.GetString(StreamEventWriter.Join(Records, From, End)));
            json.WriteEndObject();
        }

        return bytes.ToArray();
    }

    private static string Seconds(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
