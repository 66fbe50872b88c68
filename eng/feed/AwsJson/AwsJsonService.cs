using System.Text.Json;
using Amazon.Runtime;
using Amazon.Runtime.Internal;

namespace ChatPlatform.Feed.AwsJson;

/// <summary>What all operations of one AWS JSON service share. Immutable; one instance serves every client of the service.</summary>
/// <param name="RequestNamespace">The name the SDK's log and metrics know the service by, such as <c>Amazon.DynamoDBStreams</c>.</param>
/// <param name="TargetPrefix">What stands before the dot in <c>X-Amz-Target</c>.</param>
/// <param name="ContentType"><c>application/x-amz-json-1.0</c> or <c>-1.1</c>, as the service's model says.</param>
/// <param name="ApiVersion">The model's date, sent as <c>x-amz-api-version</c>.</param>
/// <param name="ToException">Makes the service's own exception of an error reply; must not return null.</param>
internal sealed record AwsJsonService(
    string RequestNamespace,
    string TargetPrefix,
    string ContentType,
    string ApiVersion,
    Func<ErrorResponse, AmazonServiceException> ToException)
{
    /// <summary>Describes one operation: its name, how its request is written and how its reply is read.</summary>
    /// <param name="name">As in <c>X-Amz-Target</c>, after the dot.</param>
    /// <param name="write">Writes the members of the request's object; the braces are already written.</param>
    /// <param name="read">Fills the response from the reply's object.</param>
    public AwsJsonOperation<TRequest, TResponse> Operation<TRequest, TResponse>(
        string name, Action<Utf8JsonWriter, TRequest> write, Action<JsonElement, TResponse> read)
        where TRequest : AmazonWebServiceRequest
        where TResponse : AmazonWebServiceResponse, new() =>
        new(new AwsJsonRequestMarshaller<TRequest>(this, name, write), new AwsJsonReplyUnmarshaller<TResponse>(this, read));
}

/// <summary>The two halves of an operation as the SDK's pipeline takes them. Thread-safe: both halves hold no state.</summary>
internal sealed class AwsJsonOperation<TRequest, TResponse>(AwsJsonRequestMarshaller<TRequest> marshaller, AwsJsonReplyUnmarshaller<TResponse> unmarshaller)
    where TRequest : AmazonWebServiceRequest
    where TResponse : AmazonWebServiceResponse, new()
{
    /// <summary>Options for one call. A new object each time, because the pipeline may write to it.</summary>
    public InvokeOptions Options() => new() { RequestMarshaller = marshaller, ResponseUnmarshaller = unmarshaller };
}
