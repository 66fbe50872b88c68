using System.Globalization;
using System.Text.Json.Nodes;

namespace ChatPlatform.FcmEmulator;

/// <summary>
/// An error of the HTTP v1 API (https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode): Google's error object, with an <c>FcmError</c> detail where FCM itself refused.
/// </summary>
/// <param name="Code">The HTTP status.</param>
/// <param name="Status">The canonical gRPC code in words.</param>
/// <param name="ErrorCode">FCM's own code; null where the request never reached it.</param>
/// <param name="Message">For a person.</param>
/// <param name="Field">The path of the field at fault.</param>
/// <param name="RetryAfter">Becomes the header.</param>
internal sealed record FcmError(int Code, string Status, string? ErrorCode, string Message, string? Field = null, TimeSpan? RetryAfter = null) : IResult
{
    public static FcmError Invalid(string message, string? field = null) => new(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", message, field);

    public static FcmError Unauthenticated { get; } = new(
        401,
        "UNAUTHENTICATED",
        null,
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.");

    public static FcmError Unregistered { get; } = new(404, "NOT_FOUND", "UNREGISTERED", "Requested entity was not found.");

    public static FcmError SenderIdMismatch { get; } = new(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH", "SenderId mismatch");

    public static FcmError QuotaExceeded(TimeSpan retryAfter) => new(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", "Resource has been exhausted (e.g. check quota).", null, retryAfter);

    public static FcmError Unavailable(TimeSpan? retryAfter) => new(503, "UNAVAILABLE", "UNAVAILABLE", "The service is currently unavailable.", null, retryAfter);

    public static FcmError Internal { get; } = new(500, "INTERNAL", "INTERNAL", "Internal error encountered.");

    public async Task ExecuteAsync(HttpContext context)
    {
        var details = new JsonArray();
        if (ErrorCode is not null)
            details.Add(new JsonObject { ["@type"] = "type.googleapis.com/google.firebase.fcm.v1.FcmError", ["errorCode"] = ErrorCode });
        if (Field is not null)
        {
            details.Add(new JsonObject
            {
                ["@type"] = "type.googleapis.com/google.rpc.BadRequest",
                ["fieldViolations"] = new JsonArray(new JsonObject { ["field"] = Field, ["description"] = Message }),
            });
        }

        var error = new JsonObject { ["code"] = Code, ["message"] = Message, ["status"] = Status };
        if (details.Count > 0)
            error["details"] = details;
        if (RetryAfter is { } after)
            context.Response.Headers.RetryAfter = Math.Ceiling(after.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        context.Response.StatusCode = Code;
        context.Response.ContentType = "application/json; charset=UTF-8";
        await context.Response.WriteAsync(new JsonObject { ["error"] = error }.ToJsonString(), context.RequestAborted);
    }
}
