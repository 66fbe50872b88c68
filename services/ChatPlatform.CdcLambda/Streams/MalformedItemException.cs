namespace ChatPlatform.CdcLambda.Streams;

/// <summary>An attribute value that DynamoDB does not make. The message says which rule it breaks and never holds the item's contents.</summary>
internal sealed class MalformedItemException(string message) : Exception(message);
