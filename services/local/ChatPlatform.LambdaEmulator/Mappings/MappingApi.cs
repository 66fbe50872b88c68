using System.Text.Json;
using ChatPlatform.LambdaEmulator.Mappings;
using ChatPlatform.LambdaEmulator.Protocol;

namespace ChatPlatform.LambdaEmulator;

/// <summary>
/// Create-, Get-, List-, Update- and DeleteEventSourceMapping (https://docs.aws.amazon.com/lambda/latest/api/API_Operations.html). Beside them <c>GET …/{uuid}/_shards</c>, which AWS
/// does not have: how far each shard is.
/// </summary>
internal static class MappingApi
{
    private const string Root = "/2015-03-31/event-source-mappings";

    public static void MapEventSourceMappingApi(this WebApplication app)
    {
        // SDKs differ in the slash; routing takes both.
        app.MapPost(Root, async (HttpContext context, EventSourceMappings mappings) =>
        {
            using var body = await ReadAsync(context);
            await WriteAsync(context, 202, await mappings.CreateAsync(body.RootElement, context.RequestAborted));
        });
        app.MapGet(Root, (HttpContext context, EventSourceMappings mappings) =>
        {
            var query = context.Request.Query;
            var size = query["MaxItems"].ToString() is { Length: > 0 } text
                ? int.TryParse(text, out var number) && number is >= 1 and <= 10_000 ? Math.Min(number, 100) : throw LambdaException.Invalid($"MaxItems is '{text}'; it must be from 1 to 10000.")
                : 100;
            var (page, next) = mappings.List(query["EventSourceArn"], query["FunctionName"], query["Marker"], size);
            return WriteAsync(context, 200, json =>
            {
                json.WriteStartObject();
                if (next is not null)
                    json.WriteString("NextMarker", next);
                json.WriteStartArray("EventSourceMappings");
                foreach (var mapping in page)
                    Write(json, mapping);
                json.WriteEndArray();
                json.WriteEndObject();
            });
        });
        app.MapGet(Root + "/{uuid}", (string uuid, HttpContext context, EventSourceMappings mappings) => WriteAsync(context, 200, mappings.Get(uuid)));
        app.MapPut(Root + "/{uuid}", async (string uuid, HttpContext context, EventSourceMappings mappings) =>
        {
            using var body = await ReadAsync(context);
            await WriteAsync(context, 202, await mappings.UpdateAsync(uuid, body.RootElement));
        });
        app.MapDelete(Root + "/{uuid}", async (string uuid, HttpContext context, EventSourceMappings mappings) =>
            await WriteAsync(context, 202, await mappings.DeleteAsync(uuid)));
        app.MapGet(Root + "/{uuid}/_shards", (string uuid, HttpContext context, EventSourceMappings mappings) =>
        {
            var checkpoints = mappings.Checkpoints(uuid);
            return WriteAsync(context, 200, json => JsonSerializer.Serialize(json, checkpoints));
        });
    }

    private static async Task<JsonDocument> ReadAsync(HttpContext context)
    {
        try
        {
            return await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted);
        }
        catch (JsonException error)
        {
            throw new LambdaException("InvalidRequestContentException", $"Could not parse request body into json: {error.Message}");
        }
    }

    private static Task WriteAsync(HttpContext context, int status, MappingState mapping) => WriteAsync(context, status, json => Write(json, mapping));

    private static async Task WriteAsync(HttpContext context, int status, Action<Utf8JsonWriter> write)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        write(json);
        await json.FlushAsync(context.RequestAborted);
    }

    private static void Write(Utf8JsonWriter json, MappingState state)
    {
        var mapping = state.Mapping;
        json.WriteStartObject();
        json.WriteString("UUID", mapping.Uuid);
        json.WriteString("StartingPosition", mapping.StartingPosition);
        json.WriteNumber("BatchSize", mapping.BatchSize);
        json.WriteNumber("MaximumBatchingWindowInSeconds", mapping.MaximumBatchingWindowInSeconds);
        json.WriteNumber("ParallelizationFactor", mapping.ParallelizationFactor);
        json.WriteString("EventSourceArn", mapping.EventSourceArn);
        json.WriteString("EventSourceMappingArn", $"{mapping.FunctionArn[..mapping.FunctionArn.IndexOf(":function:", StringComparison.Ordinal)]}:event-source-mapping:{mapping.Uuid}");
        json.WriteString("FunctionArn", mapping.FunctionArn);
        json.WriteNumber("LastModified", mapping.LastModified.ToUnixTimeMilliseconds() / 1000.0);
        json.WriteString("LastProcessingResult", state.LastProcessingResult);
        json.WriteString("State", state.State);
        json.WriteString("StateTransitionReason", "User action");
        json.WriteStartObject("DestinationConfig");
        json.WriteStartObject("OnFailure");
        if (mapping.OnFailure is not null)
            json.WriteString("Destination", mapping.OnFailure);
        json.WriteEndObject();
        json.WriteEndObject();
        if (mapping.Filters.Count > 0)
        {
            json.WriteStartObject("FilterCriteria");
            json.WriteStartArray("Filters");
            foreach (var pattern in mapping.Filters)
            {
                json.WriteStartObject();
                json.WriteString("Pattern", pattern);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteNumber("MaximumRecordAgeInSeconds", mapping.MaximumRecordAgeInSeconds);
        json.WriteBoolean("BisectBatchOnFunctionError", mapping.BisectBatchOnFunctionError);
        json.WriteNumber("MaximumRetryAttempts", mapping.MaximumRetryAttempts);
        json.WriteNumber("TumblingWindowInSeconds", 0);
        json.WriteStartArray("FunctionResponseTypes");
        if (mapping.ReportBatchItemFailures)
            json.WriteStringValue("ReportBatchItemFailures");
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
