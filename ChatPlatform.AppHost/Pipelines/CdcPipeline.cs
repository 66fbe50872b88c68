using System.Text.Json.Nodes;
using ChatPlatform.Contracts.Tables;

namespace ChatPlatform.AppHost.Pipelines;

/// <summary>
/// Change data capture for one table as data: what the laptop runs and what a stack makes on AWS are both read from here. The objects are
/// <c>NAME/year=…/month=…/day=…/hour=…/…gz</c>, GZIP of JSON lines; records that can never be delivered lie under <c>aws/lambda/</c> in the same bucket.
/// </summary>
/// <param name="Name">Also the prefix in the lake.</param>
/// <param name="Table">The table whose stream is followed.</param>
/// <param name="BufferSeconds">How long Firehose collects before it writes an object, 0 to 900.</param>
internal sealed record CdcPipeline(string Name, TableSchema Table, int BufferSeconds)
{
    /// <summary>The bucket that all pipelines write to unless a stack is told another one, each under its own prefix.</summary>
    public const string Bucket = "chat-lake";

    public const string Runtime = "provided.al2023";
    public const string Handler = "bootstrap";
    public const int TimeoutSeconds = 60;

    /// <summary>In MB; AWS gives CPU in proportion.</summary>
    public const int MemorySize = 512;

    /// <summary>Firehose's largest buffer, counted before compression.</summary>
    public const int BufferMegabytes = 128;

    public const string Compression = "GZIP";

    public string FunctionName => $"{Name}-cdc";

    public string DeliveryStreamName => $"{Name}-stream";

    public string Prefix => Name + "/year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/";

    public string ErrorPrefix => "errors/!{firehose:error-output-type}/" + Name + "/";

    /// <summary>What the function is told, without <c>DELIVERY_STREAM</c>.</summary>
    public IReadOnlyDictionary<string, string> FunctionSettings { get; } = new Dictionary<string, string> { ["KIND_FIELD"] = "type" };

    /// <summary>
    /// The mapping: the body of CreateEventSourceMapping (https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html), and in the same
    /// words the properties of <c>AWS::Lambda::EventSourceMapping</c>.
    /// </summary>
    /// <param name="onFailure">The ARN of the bucket for what can never be delivered.</param>
    public JsonObject Mapping(JsonNode streamArn, JsonNode function, JsonNode onFailure) => new()
    {
        ["EventSourceArn"] = streamArn,
        ["FunctionName"] = function,
        ["StartingPosition"] = "TRIM_HORIZON",
        ["BatchSize"] = 1000,
        ["BisectBatchOnFunctionError"] = true,
        // About an hour with the emulator's pauses. A record that can never be delivered is then alone, thanks to bisecting, and lies in the bucket instead of blocking its shard.
        ["MaximumRetryAttempts"] = 120,
        ["DestinationConfig"] = new JsonObject { ["OnFailure"] = new JsonObject { ["Destination"] = onFailure } },
        ["FunctionResponseTypes"] = new JsonArray("ReportBatchItemFailures"),
    };
}
