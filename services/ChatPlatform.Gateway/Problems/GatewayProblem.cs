using System.Text.Json;

namespace ChatPlatform.Gateway.Problems;

/// <summary>An RFC 9457 answer of the gateway's own: <c>{"title","status","code"}</c> as <c>application/problem+json</c>.</summary>
internal sealed record GatewayProblem(int Status, string Code, string Title)
{
    public static readonly GatewayProblem NotFound = new(StatusCodes.Status404NotFound, "not_found", "There is nothing at this address.");
    public static readonly GatewayProblem BodyTooLarge = new(StatusCodes.Status413PayloadTooLarge, "body_too_large", "The body is larger than allowed.");
    public static readonly GatewayProblem BadRequest = new(StatusCodes.Status400BadRequest, "bad_request", "The request could not be read.");
    public static readonly GatewayProblem Timeout = new(StatusCodes.Status504GatewayTimeout, "upstream_timeout", "The service took too long. Retrying is safe with the same clientMessageId.");

    /// <summary>502 when a destination failed, 503 when there was none to try.</summary>
    public static GatewayProblem Unavailable(int status) => new(status, "upstream_unavailable", "The service cannot be reached just now. Retry shortly.");

    /// <summary>Replaces whatever the response held; it must not have started.</summary>
    public async Task WriteAsync(HttpContext context)
    {
        var response = context.Response;
        response.StatusCode = Status;
        response.ContentType = "application/problem+json";
        response.ContentLength = null;
        if (Status is StatusCodes.Status502BadGateway or StatusCodes.Status503ServiceUnavailable)
            response.Headers.RetryAfter = "1";
        await using var json = new Utf8JsonWriter(response.BodyWriter);
        json.WriteStartObject();
        json.WriteString("title", Title);
        json.WriteNumber("status", Status);
        json.WriteString("code", Code);
        json.WriteEndObject();
        await json.FlushAsync(context.RequestAborted);
    }
}
