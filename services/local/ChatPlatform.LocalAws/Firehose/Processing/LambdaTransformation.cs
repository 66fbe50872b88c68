using System.Net;
using System.Text.Json;

namespace ChatPlatform.LocalAws.Firehose.Processing;

/// <summary>What a function made of one record.</summary>
/// <param name="Data">The new data; null when the record is dropped.</param>
/// <param name="PartitionKeys">From <c>metadata.partitionKeys</c>.</param>
internal sealed record Transformed(byte[]? Data, IReadOnlyDictionary<string, string> PartitionKeys, string? ErrorCode, string? ErrorMessage, int Attempts);

/// <summary>
/// Invokes the transforming function over Lambda's Invoke API (https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html). An invocation that fails is tried again as
/// often as the processor says; after that its records have failed. Thread-safe.
/// </summary>
/// <param name="endpoint">Where Lambda is.</param>
internal sealed class LambdaTransformation(HttpClient http, Uri endpoint, TimeProvider time)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);

    /// <summary>The outcome of every record, in order.</summary>
    public async Task<IReadOnlyList<Transformed>> RunAsync(LambdaProcessor processor, string streamArn, string region, IReadOnlyList<DeliveredRecord> records, CancellationToken cancellationToken)
    {
        var results = new List<Transformed>(records.Count);
        for (var from = 0; from < records.Count;)
        {
            var (end, bytes) = (from, 0L);
            while (end < records.Count && (end == from || bytes + records[end].Data.Length <= processor.BatchBytes))
                bytes += records[end++].Data.Length;
            results.AddRange(await InvokeAsync(processor, streamArn, region, records, from, end, cancellationToken));
            from = end;
        }

        return results;
    }

    private async Task<IEnumerable<Transformed>> InvokeAsync(
        LambdaProcessor processor, string streamArn, string region, IReadOnlyList<DeliveredRecord> records, int from, int end, CancellationToken cancellationToken)
    {
        var body = WriteEvent(streamArn, region, records, from, end);
        for (var attempt = 1; ; attempt++)
        {
            string problem;
            try
            {
                using var content = new ByteArrayContent(body);
                using var answer = await http.PostAsync(new Uri(endpoint, $"/2015-03-31/functions/{Uri.EscapeDataString(processor.Function)}/invocations"), content, cancellationToken);
                var payload = await answer.Content.ReadAsByteArrayAsync(cancellationToken);
                if (answer.StatusCode == HttpStatusCode.OK && !answer.Headers.Contains("X-Amz-Function-Error"))
                    return Read(payload, end - from, attempt);
                problem = answer.StatusCode == HttpStatusCode.OK ? "Lambda.FunctionError" : answer.StatusCode == HttpStatusCode.NotFound ? "Lambda.ResourceNotFound" : "Lambda.InvokeFailed";
            }
            catch (HttpRequestException)
            {
                problem = "Lambda.InvokeFailed";
            }

            if (attempt > processor.Retries)
                return Enumerable.Repeat(Failed(problem, $"The function {processor.Function} could not transform the batch in {attempt} attempts.", attempt), end - from);
            await Task.Delay(FirstPause * Math.Min(attempt, 50), time, cancellationToken);
        }
    }

    private static byte[] WriteEvent(string streamArn, string region, IReadOnlyList<DeliveredRecord> records, int from, int end)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            json.WriteString("invocationId", Guid.NewGuid().ToString());
            json.WriteString("deliveryStreamArn", streamArn);
            json.WriteString("region", region);
            json.WriteStartArray("records");
            for (var i = from; i < end; i++)
            {
                json.WriteStartObject();
                json.WriteString("recordId", IdOf(i - from));
                json.WriteNumber("approximateArrivalTimestamp", records[i].Arrival.ToUnixTimeMilliseconds());
                json.WriteBase64String("data", records[i].Data.Span);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return bytes.ToArray();
    }

    // "recordId: … If there is a mismatch, the record is treated as a data transformation failure."
    private static IEnumerable<Transformed> Read(byte[] payload, int count, int attempts)
    {
        var results = new Transformed?[count];
        try
        {
            using var document = JsonDocument.Parse(payload);
            foreach (var record in document.RootElement.GetProperty("records").EnumerateArray())
            {
                var id = record.GetProperty("recordId").GetString();
                var index = id is { Length: 8 } && int.TryParse(id, out var number) && number < count ? number : -1;
                if (index >= 0)
                    results[index] = results[index] is null ? One(record, attempts) : Failed("Lambda.DuplicatedRecordId", "The function answered this record id more than once.", attempts);
            }
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return Enumerable.Repeat(Failed("Lambda.JsonProcessingException", "The function's answer is not of the documented shape.", attempts), count);
        }

        return results.Select(r => r ?? Failed("Lambda.MissingRecordId", "The function did not answer this record id.", attempts));
    }

    private static Transformed One(JsonElement record, int attempts)
    {
        switch (record.GetProperty("result").GetString())
        {
            case "Ok":
                var keys = new Dictionary<string, string>(StringComparer.Ordinal);
                if (record.TryGetProperty("metadata", out var metadata) && metadata.ValueKind == JsonValueKind.Object && metadata.TryGetProperty("partitionKeys", out var given))
                {
                    foreach (var key in given.EnumerateObject())
                        keys[$"partitionKeyFromLambda:{key.Name}"] = key.Value.ValueKind == JsonValueKind.String ? key.Value.GetString()! : key.Value.GetRawText();
                }

                return new Transformed(record.GetProperty("data").GetBytesFromBase64(), keys, null, null, attempts);
            case "Dropped":
                return new Transformed(null, new Dictionary<string, string>(), null, null, attempts);
            case "ProcessingFailed":
                return Failed("Lambda.ProcessingFailedStatus", "The function answered ProcessingFailed for this record.", attempts);
            default:
                return Failed("Lambda.InvalidResult", "The record's result must be Ok, Dropped or ProcessingFailed.", attempts);
        }
    }

    private static Transformed Failed(string code, string message, int attempts) => new(null, new Dictionary<string, string>(), code, message, attempts);

    private static string IdOf(int index) => index.ToString("D8", System.Globalization.CultureInfo.InvariantCulture);
}
