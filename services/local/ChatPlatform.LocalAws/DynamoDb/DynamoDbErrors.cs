using System.Text.Json;
using ChatPlatform.LocalAws.DynamoDb.Values;
using ChatPlatform.LocalAws.Protocol;

namespace ChatPlatform.LocalAws.DynamoDb;

/// <summary>DynamoDB's errors (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html).</summary>
internal static class DynamoDbErrors
{
    public const string Namespace = "com.amazonaws.dynamodb.v20120810";

    /// <summary>The begin of the message for a value that breaks a rule of the data model.</summary>
    public const string InvalidParameter = "One or more parameter values were invalid: ";

    public static AwsException Validation(string message) => new("ValidationException", message) { Namespace = "com.amazon.coral.validate" };

    public static AwsException InvalidValue(string detail) => Validation(InvalidParameter + detail);

    /// <summary>A key attribute's value is empty; <paramref name="where"/> names the key.</summary>
    public static AwsException EmptyKey(AttributeType type, string where) => Validation("One or more parameter values are not valid. "
        + $"The AttributeValue for a key attribute cannot contain an empty {(type == AttributeType.B ? "binary" : "string")} value. {where}");

    /// <summary>A member of the model that this program does not honour, or that the model does not have.</summary>
    public static AwsException NotHonoured(string operation, string parameter) =>
        Validation($"The parameter {parameter} of {operation} is not supported here.");

    public static AwsException ResourceNotFound(string message = "Requested resource not found") => Error("ResourceNotFoundException", message);

    public static AwsException TableNotFound(string table) => ResourceNotFound($"Requested resource not found: Table: {table} not found");

    public static AwsException ResourceInUse(string message) => Error("ResourceInUseException", message);

    public static AwsException IdempotentParameterMismatch() =>
        Error("IdempotentParameterMismatchException", "The request uses the same client token as a previous, but non-identical request.");

    /// <summary>Operations on tables come too often; also what DynamoDB Streams answers where it names no error of its own.</summary>
    public static AwsException Throttling() =>
        new("ThrottlingException", "Rate exceeded") { Namespace = AwsException.FrameworkNamespace };

    /// <summary>DynamoDB itself is at fault; the request may or may not have taken effect.</summary>
    public static AwsException InternalError(string message) => new("InternalServerError", message, 500) { Namespace = Namespace };

    public static AwsException Error(string type, string message) => new(type, message) { Namespace = Namespace };
}

/// <summary>A condition did not hold. Carries the item as it was when <c>ReturnValuesOnConditionCheckFailure</c> is <c>ALL_OLD</c> and there is one.</summary>
internal sealed class ConditionalCheckFailedException : AwsException
{
    private readonly Item? _item;

    public ConditionalCheckFailedException(Item? item)
        : base("ConditionalCheckFailedException", "The conditional request failed")
    {
        Namespace = DynamoDbErrors.Namespace;
        _item = item;
    }

    public override void WriteMembers(Utf8JsonWriter json)
    {
        if (_item is { } item)
        {
            json.WritePropertyName("Item");
            AttributeJson.Write(json, item);
        }
    }
}

/// <summary>Why one action of a transaction did not go through; <see cref="Code"/> is <c>None</c> for one that would have.</summary>
internal readonly record struct CancellationReason(string Code, string? Message = null, Item? Item = null)
{
    public static CancellationReason None => new("None");

    public static CancellationReason ConditionalCheckFailed(Item? item) => new("ConditionalCheckFailed", "The conditional request failed", item);

    public static CancellationReason ValidationError(string message) => new("ValidationError", message);
}

/// <summary>A transaction did nothing; one reason per action, in the request's order.</summary>
internal sealed class TransactionCanceledException : AwsException
{
    private readonly IReadOnlyList<CancellationReason> _reasons;

    public TransactionCanceledException(IReadOnlyList<CancellationReason> reasons)
        : base("TransactionCanceledException",
            $"Transaction cancelled, please refer cancellation reasons for specific reasons [{string.Join(", ", reasons.Select(r => r.Code))}]")
    {
        Namespace = DynamoDbErrors.Namespace;
        _reasons = reasons;
    }

    public override void WriteMembers(Utf8JsonWriter json)
    {
        json.WriteStartArray("CancellationReasons");
        foreach (var reason in _reasons)
        {
            json.WriteStartObject();
            json.WriteString("Code", reason.Code);
            if (reason.Message is not null)
                json.WriteString("Message", reason.Message);
            if (reason.Item is { } item)
            {
                json.WritePropertyName("Item");
                AttributeJson.Write(json, item);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
