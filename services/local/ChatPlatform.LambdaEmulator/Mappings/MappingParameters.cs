using System.Text.Json;
using System.Text.RegularExpressions;
using ChatPlatform.LambdaEmulator.Destinations;
using ChatPlatform.LambdaEmulator.Filters;
using ChatPlatform.LambdaEmulator.Protocol;

namespace ChatPlatform.LambdaEmulator.Mappings;

/// <summary>
/// Reads and checks the body of Create- and UpdateEventSourceMapping (https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html).
/// What this emulator does not honour is refused by name, never ignored; a null, an empty list or object, and a zero tumbling window ask for nothing and are taken.
/// </summary>
internal static partial class MappingParameters
{
    private static readonly string[] NotHonoured =
    [
        "AmazonManagedKafkaEventSourceConfig", "DocumentDBEventSourceConfig", "KMSKeyArn", "LoggingConfig", "MetricsConfig",
        "ProvisionedPollerConfig", "Queues", "ScalingConfig", "SelfManagedEventSource", "SelfManagedKafkaEventSourceConfig", "SourceAccessConfigurations",
        "StartingPositionTimestamp", "Tags", "Topics", "TumblingWindowInSeconds",
    ];

    private static readonly string[] CreateOnly = ["EventSourceArn", "StartingPosition"];

    /// <summary>The parameters of a new mapping, by name, checked.</summary>
    /// <param name="kafka">Whether there is a broker, so that a topic may be a destination.</param>
    public static EventSourceMapping ReadNew(JsonElement body, Func<string, (string Name, string Arn)> function, bool kafka, DateTimeOffset now)
    {
        var arn = Text(body, "EventSourceArn") ?? throw LambdaException.Invalid("EventSourceArn is missing; it must be the ARN of a DynamoDB stream.");
        if (!StreamArn().IsMatch(arn))
            throw LambdaException.Invalid($"Unrecognized event source: EventSourceArn is '{arn}'; it must be arn:aws:dynamodb:REGION:ACCOUNT:table/TABLE/stream/LABEL.");
        var name = Text(body, "FunctionName") ?? throw LambdaException.Invalid("FunctionName is missing.");
        var position = Text(body, "StartingPosition") ?? throw LambdaException.Invalid("StartingPosition is missing; a stream needs TRIM_HORIZON or LATEST.");
        if (position is not ("TRIM_HORIZON" or "LATEST"))
            throw LambdaException.Invalid($"StartingPosition is '{position}'; for a DynamoDB stream it must be TRIM_HORIZON or LATEST.");

        var target = function(name);
        return Apply(body, [.. CreateOnly, "FunctionName"], kafka, new EventSourceMapping
        {
            Uuid = Guid.NewGuid(),
            EventSourceArn = arn,
            FunctionName = target.Name,
            FunctionArn = target.Arn,
            StartingPosition = position,
            Created = now,
            LastModified = now,
        });
    }

    /// <summary>The mapping with the body's changes. Source and starting position cannot change.</summary>
    public static EventSourceMapping ReadUpdate(JsonElement body, EventSourceMapping mapping, Func<string, (string Name, string Arn)> function, bool kafka, DateTimeOffset now)
    {
        if (Text(body, "FunctionName") is { } name)
        {
            var target = function(name);
            mapping = mapping with { FunctionName = target.Name, FunctionArn = target.Arn };
        }

        return Apply(body, ["FunctionName", "UUID"], kafka, mapping with { LastModified = now });
    }

    private static EventSourceMapping Apply(JsonElement body, string[] known, bool kafka, EventSourceMapping mapping)
    {
        if (body.ValueKind != JsonValueKind.Object)
            throw new LambdaException("InvalidRequestContentException", "The body must be a JSON object.");
        foreach (var property in body.EnumerateObject())
        {
            var value = property.Value;
            mapping = property.Name switch
            {
                _ when known.Contains(property.Name) || value.ValueKind == JsonValueKind.Null => mapping,
                "BatchSize" => mapping with { BatchSize = Number(property, 1, 10_000) },
                "MaximumBatchingWindowInSeconds" => mapping with { MaximumBatchingWindowInSeconds = Number(property, 0, 300) },
                "ParallelizationFactor" => mapping with { ParallelizationFactor = Number(property, 1, 10) },
                "MaximumRetryAttempts" => mapping with { MaximumRetryAttempts = Number(property, -1, 10_000) },
                "MaximumRecordAgeInSeconds" => mapping with { MaximumRecordAgeInSeconds = RecordAge(property) },
                "BisectBatchOnFunctionError" => mapping with { BisectBatchOnFunctionError = Flag(property) },
                "FilterCriteria" => mapping with { Filters = EventFilter.Read(value) },
                "DestinationConfig" => mapping with { OnFailure = FailureDestination.Read(value, kafka) },
                "Enabled" => mapping with { Enabled = Flag(property) },
                "FunctionResponseTypes" => mapping with { ReportBatchItemFailures = ResponseTypes(property) },
                _ when NotHonoured.Contains(property.Name) => AsksForNothing(property)
                    ? mapping
                    : throw LambdaException.Invalid($"{property.Name} is not supported by this emulator for a DynamoDB stream; leave it out."),
                _ when CreateOnly.Contains(property.Name) => throw LambdaException.Invalid($"{property.Name} cannot be changed."),
                _ => throw LambdaException.Invalid($"{property.Name} is no parameter of an event source mapping."),
            };
        }

        return mapping;
    }

    private static int RecordAge(JsonProperty property)
    {
        var age = Number(property, -1, 604_800);
        // "Although values less than 60 and greater than -1 fall within the parameter's absolute range, they are not allowed."
        return age is -1 or >= 60 ? age : throw LambdaException.Invalid($"MaximumRecordAgeInSeconds is {age}; it must be -1 or a whole number from 60 to 604800.");
    }

    private static bool ResponseTypes(JsonProperty property)
    {
        if (property.Value.ValueKind != JsonValueKind.Array)
            throw LambdaException.Invalid("FunctionResponseTypes must be a list.");
        foreach (var type in property.Value.EnumerateArray())
        {
            if (type.ValueKind != JsonValueKind.String || type.GetString() != "ReportBatchItemFailures")
                throw LambdaException.Invalid($"FunctionResponseTypes holds {type.GetRawText()}; it may hold ReportBatchItemFailures only.");
        }

        return property.Value.GetArrayLength() switch
        {
            0 => false,
            1 => true,
            _ => throw LambdaException.Invalid("FunctionResponseTypes may hold one item."),
        };
    }

    private static bool AsksForNothing(JsonProperty property) => property.Value.ValueKind switch
    {
        JsonValueKind.Array => property.Value.GetArrayLength() == 0,
        JsonValueKind.Object => property.Value.EnumerateObject().All(AsksForNothing),
        JsonValueKind.Number => property.Name == "TumblingWindowInSeconds" && property.Value.TryGetInt32(out var seconds) && seconds == 0,
        JsonValueKind.Null => true,
        _ => false,
    };

    private static string? Text(JsonElement body, string name) =>
        body.ValueKind == JsonValueKind.Object && body.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
            ? value.ValueKind == JsonValueKind.String ? value.GetString() : throw LambdaException.Invalid($"{name} must be a string.")
            : null;

    private static int Number(JsonProperty property, int least, int most) =>
        property.Value.ValueKind == JsonValueKind.Number && property.Value.TryGetInt32(out var value) && value >= least && value <= most
            ? value
            : throw LambdaException.Invalid($"{property.Name} is {property.Value.GetRawText()}; it must be a whole number from {least} to {most}.");

    private static bool Flag(JsonProperty property) => property.Value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw LambdaException.Invalid($"{property.Name} is {property.Value.GetRawText()}; it must be true or false."),
    };

    [GeneratedRegex(@"^arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:\d{12}:table/[a-zA-Z0-9_.-]{3,255}/stream/.+$")]
    private static partial Regex StreamArn();
}
