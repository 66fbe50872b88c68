using System.Text.Json;

namespace ChatPlatform.FcmEmulator;

/// <summary>The HTTP surface: FCM's own, and <c>/_fcm</c> for tests and the curious.</summary>
internal static class FcmEndpoints
{
    /// <summary><c>POST /v1/projects/{project}/messages:send</c> (https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send).</summary>
    public static void MapSend(this IEndpointRouteBuilder app) => app.MapPost(
        "/v1/projects/{project}/messages:send",
        async (string project, HttpRequest request, AccessTokens tokens, Faults faults, ReceivedMessages received, TimeProvider time) =>
        {
            if (!tokens.Accepts(request.Headers.Authorization.ToString()))
                return FcmError.Unauthenticated;
            JsonElement body;
            try
            {
                body = await JsonSerializer.DeserializeAsync<JsonElement>(request.Body, cancellationToken: request.HttpContext.RequestAborted);
            }
            catch (JsonException)
            {
                return new FcmError(400, "INVALID_ARGUMENT", null, "Invalid JSON payload received.");
            }

            var (token, validateOnly, error) = MessageRules.Check(body);
            if (error is not null)
                return error;
            if (faults.Take(token!) is { } fault)
                return fault;
            if (received.IsUnregistered(token!))
                return FcmError.Unregistered;
            var name = $"projects/{project}/messages/{(validateOnly ? "fake_message_id" : Guid.NewGuid().ToString("N"))}";
            if (!validateOnly)
                received.Add(token!, new ReceivedMessage(name, time.GetUtcNow(), body.GetProperty("message")));
            return Results.Json(new { name });
        });

    /// <summary><c>POST /token</c>: Google's token endpoint, for the JWT bearer grant (RFC 7523, https://developers.google.com/identity/protocols/oauth2/service-account#httprest).</summary>
    public static void MapToken(this IEndpointRouteBuilder app) => app.MapPost("/token", async (HttpRequest request, AccessTokens tokens) =>
    {
        if (!request.HasFormContentType)
            return Refused("invalid_request", "The body must be a form.");
        var form = await request.ReadFormAsync(request.HttpContext.RequestAborted);
        if (form["grant_type"] != "urn:ietf:params:oauth:grant-type:jwt-bearer")
            return Refused("unsupported_grant_type", $"Invalid grant_type: {form["grant_type"]}");
        var (token, life, error) = tokens.Exchange(form["assertion"].ToString());
        return token is null ? Refused("invalid_grant", error!) : Results.Json(new { access_token = token, expires_in = (int)life.TotalSeconds, token_type = "Bearer" });
    });

    private static IResult Refused(string error, string description) => Results.Json(new { error, error_description = description }, statusCode: 400);

    /// <summary>
    /// <c>GET /_fcm/devices/{token}</c> lists what the device received, oldest first. <c>PUT /_fcm/devices/{token}</c> <c>{"unregistered":true}</c> uninstalls the app.
    /// <c>POST /_fcm/faults</c> <c>{"error":"401|429|500|503|UNREGISTERED|SENDER_ID_MISMATCH","count":2,"retryAfterSeconds":1,"token":"…"}</c> makes the next sends fail; <c>DELETE</c> forgets them.
    /// <c>DELETE /_fcm/tokens</c> makes every access token invalid, as a revoked key does.
    /// </summary>
    public static void MapInspection(this IEndpointRouteBuilder app)
    {
        app.MapGet("/_fcm/devices/{token}", (string token, ReceivedMessages received) =>
            Results.Json(new { token, unregistered = received.IsUnregistered(token), messages = received.Of(token) }));

        app.MapPut("/_fcm/devices/{token}", (string token, DeviceState state, ReceivedMessages received) =>
        {
            received.SetUnregistered(token, state.Unregistered);
            return Results.NoContent();
        });

        app.MapPost("/_fcm/faults", (Fault fault, Faults faults) =>
        {
            var after = fault.RetryAfterSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : (TimeSpan?)null;
            var error = fault.Error switch
            {
                "401" => FcmError.Unauthenticated,
                "429" => FcmError.QuotaExceeded(after ?? TimeSpan.FromSeconds(60)),
                "500" => FcmError.Internal,
                "503" => FcmError.Unavailable(after),
                "UNREGISTERED" => FcmError.Unregistered,
                "SENDER_ID_MISMATCH" => FcmError.SenderIdMismatch,
                _ => null,
            };
            if (error is null || fault.Count is < 1 or > 1_000_000 || fault.RetryAfterSeconds is < 0 or > 86_400)
                return Results.Problem("'error' must be 401, 429, 500, 503, UNREGISTERED or SENDER_ID_MISMATCH, 'count' from 1 to 1000000, 'retryAfterSeconds' from 0 to 86400.", statusCode: 400);
            return faults.Add(fault.Token, error, fault.Count) ? Results.NoContent() : Results.Problem("Too many faults are waiting.", statusCode: 409);
        });

        app.MapDelete("/_fcm/tokens", (AccessTokens tokens) =>
        {
            tokens.Revoke();
            return Results.NoContent();
        });

        app.MapDelete("/_fcm/faults", (Faults faults) =>
        {
            faults.Clear();
            return Results.NoContent();
        });
    }

    internal sealed record DeviceState(bool Unregistered);

    internal sealed record Fault(string Error, int Count = 1, double? RetryAfterSeconds = null, string? Token = null);
}
