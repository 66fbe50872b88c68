using System.Text.Json;

namespace ChatPlatform.LocalAws.Protocol;

/// <summary>An error that AWS documents: <paramref name="type"/> is what SDKs branch on, e.g. <c>ResourceNotFoundException</c>.</summary>
/// <param name="type">The error's name without its namespace.</param>
/// <param name="message">The text as the service words it.</param>
/// <param name="status">The HTTP status code.</param>
internal class AwsException(string type, string message, int status = 400) : Exception(message)
{
    /// <summary>The namespace of errors that AWS's service framework itself raises, before any service has seen the request.</summary>
    public const string FrameworkNamespace = "com.amazon.coral.service";

    public string Type { get; } = type;

    public int Status { get; } = status;

    /// <summary>The namespace before <c>#</c> in <c>__type</c>, e.g. <c>com.amazonaws.dynamodb.v20120810</c>; empty where the service sends none.</summary>
    public string Namespace { get; init; } = "";

    /// <summary>Writes what the error's shape has beside its type and message, inside the object that is open already.</summary>
    public virtual void WriteMembers(Utf8JsonWriter json)
    {
    }

    /// <summary>The request's JSON is malformed, or a member has another type than the operation's model says.</summary>
    public static AwsException Serialization(string message) => new("SerializationException", message) { Namespace = FrameworkNamespace };

    /// <summary>The service has no such operation here. AWS sends no text; ours names the operation.</summary>
    public static AwsException UnknownOperation(string operation) =>
        new("UnknownOperationException", $"The operation {operation} is not implemented here.") { Namespace = FrameworkNamespace };
}
