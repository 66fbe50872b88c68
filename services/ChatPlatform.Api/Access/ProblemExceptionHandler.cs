using System.Text.Json;
using System.Text.Json.Serialization;
using Amazon.Runtime;
using ChatPlatform.Api.Events;
using IExceptionHandler = Microsoft.AspNetCore.Diagnostics.IExceptionHandler;

namespace ChatPlatform.Api.Access;

/// <summary>The body of every error (RFC 9457) with the stable <c>code</c>.</summary>
internal sealed record Problem(string Title, int Status, string Code);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(Problem))]
internal sealed partial class ProblemJson : JsonSerializerContext;

/// <summary>Turns exceptions into problem+json. What is not a refusal is a 500 that names nothing of the inside; the middleware logs it.</summary>
internal sealed class ProblemExceptionHandler : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (httpContext.RequestAborted.IsCancellationRequested)
            return true;
        await WriteAsync(httpContext, ToRefusal(exception));
        return true;
    }

    public static Task WriteAsync(HttpContext context, ChatException refusal)
    {
        context.Response.StatusCode = refusal.Status;
        if (refusal.RetryAfter is { } wait)
            context.Response.Headers.RetryAfter = ((int)Math.Ceiling(wait.TotalSeconds)).ToString(System.Globalization.CultureInfo.InvariantCulture);
        return context.Response.WriteAsJsonAsync(
            new Problem(refusal.Message, refusal.Status, refusal.Code), ProblemJson.Default.Problem, "application/problem+json");
    }

    public static ChatException ToRefusal(Exception exception) => exception switch
    {
        ChatException refusal => refusal,
        BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } => new(413, "body_too_large", "A body is at most 64 KiB."),
        // JsonException's path names the field; its message could repeat what the client sent.
        BadHttpRequestException { InnerException: JsonException json } => new(400, "invalid_body", $"The body is not what the call takes, at {json.Path ?? "$"}."),
        BadHttpRequestException bad => new(bad.StatusCode, bad.StatusCode == 415 ? "not_json" : "invalid_request", "The request is not what the call takes."),
        EventSpoolFullException => Refusals.EventsFull(),
        AmazonServiceException or AmazonClientException or HttpRequestException => Refusals.Unavailable(),
        _ => new(500, "internal", "Something went wrong here."),
    };
}
