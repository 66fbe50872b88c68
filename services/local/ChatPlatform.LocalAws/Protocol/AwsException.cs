namespace ChatPlatform.LocalAws.Protocol;

/// <summary>An error that AWS documents: <paramref name="type"/> is what SDKs branch on, e.g. <c>ResourceNotFoundException</c>.</summary>
/// <param name="type">The error's name without its namespace.</param>
/// <param name="message">The text as the service words it.</param>
/// <param name="status">The HTTP status code.</param>
internal class AwsException(string type, string message, int status = 400) : Exception(message)
{
    public string Type { get; } = type;

    public int Status { get; } = status;

    /// <summary>The namespace before <c>#</c> in <c>__type</c>, e.g. <c>com.amazonaws.dynamodb.v20120810</c>; empty where the service sends none.</summary>
    public string Namespace { get; init; } = "";
}
