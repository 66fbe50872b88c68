using System.Text.Json;
using System.Text.RegularExpressions;
using ChatPlatform.LambdaEmulator.Protocol;

namespace ChatPlatform.LambdaEmulator.Destinations;

/// <summary>
/// DestinationConfig.OnFailure (https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html): a bucket as <c>arn:aws:s3:::NAME</c> or a Kafka topic as
/// <c>kafka://TOPIC</c>. AWS takes queues and topics (SQS, SNS) too, which do not exist here, and Kafka topics for Kafka sources only.
/// </summary>
internal static partial class FailureDestination
{
    public const string BucketPrefix = "arn:aws:s3:::";
    public const string TopicPrefix = "kafka://";

    /// <summary>The destination of a <c>DestinationConfig</c> parameter; null when it names none.</summary>
    /// <exception cref="LambdaException">It is none that is honoured here.</exception>
    public static string? Read(JsonElement config, bool kafka)
    {
        const string Shape = "DestinationConfig must be {\"OnFailure\":{\"Destination\":\"…\"}}";
        if (config.ValueKind != JsonValueKind.Object)
            throw LambdaException.Invalid($"{Shape}.");
        foreach (var member in config.EnumerateObject())
        {
            if (member.Name == "OnSuccess" && member.Value is { ValueKind: JsonValueKind.Object } success && success.EnumerateObject().Any())
                throw LambdaException.Invalid("DestinationConfig.OnSuccess is not supported for a DynamoDB stream.");
            if (member.Name is not ("OnFailure" or "OnSuccess"))
                throw LambdaException.Invalid($"DestinationConfig.{member.Name} is no parameter of an event source mapping.");
        }

        if (!config.TryGetProperty("OnFailure", out var failure) || failure.ValueKind == JsonValueKind.Null)
            return null;
        if (failure.ValueKind != JsonValueKind.Object || failure.EnumerateObject().Any(m => m.Name != "Destination"))
            throw LambdaException.Invalid($"{Shape}.");
        if (!failure.TryGetProperty("Destination", out var destination) || destination.ValueKind == JsonValueKind.Null)
            return null;
        if (destination.ValueKind != JsonValueKind.String)
            throw LambdaException.Invalid($"{Shape}.");
        return destination.GetString()! switch
        {
            "" => null,
            var text when Bucket().IsMatch(text) => text,
            var text when Topic().IsMatch(text) => kafka
                ? text
                : throw LambdaException.Invalid($"DestinationConfig.OnFailure.Destination is '{text}', and this emulator has no broker: set ConnectionStrings:kafka."),
            var text when text.StartsWith("arn:aws:sqs:", StringComparison.Ordinal) || text.StartsWith("arn:aws:sns:", StringComparison.Ordinal) =>
                throw LambdaException.Invalid($"DestinationConfig.OnFailure.Destination '{text}' is not supported by this emulator; name a bucket ({BucketPrefix}NAME) or a Kafka topic ({TopicPrefix}TOPIC)."),
            var text => throw LambdaException.Invalid($"DestinationConfig.OnFailure.Destination is '{text}'; it must be {BucketPrefix}NAME or {TopicPrefix}TOPIC."),
        };
    }

    [GeneratedRegex(@"\Aarn:aws:s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\z")]
    private static partial Regex Bucket();

    [GeneratedRegex(@"\Akafka://[a-zA-Z0-9._-]{1,249}\z")]
    private static partial Regex Topic();
}
