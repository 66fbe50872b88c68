using System.Globalization;
using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ChatPlatform.ServiceDefaults.Authentication;

/// <summary>
/// Reads <c>Authorization: Bearer</c> (RFC 6750 §2.1) and, for WebSocket handshakes, which browsers send without that header, <c>?access_token=</c> (§2.3).
/// A missing or wrong token is answered with 401 and problem+json whose <c>code</c> is <c>unauthenticated</c>; a refused one with 403 and <c>forbidden</c>.
/// </summary>
internal sealed class AccessTokenHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder, AccessTokens tokens)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    private const string Prefix = "Bearer ";

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (Read(Request) is not { } text)
            return AuthenticateResult.NoResult();
        if (await tokens.ValidateAsync(text) is not { } token)
            return AuthenticateResult.Fail("The access token is not valid.");

        var properties = new AuthenticationProperties();
        properties.SetString(ChatAuthentication.RefusedFromProperty, token.RefusedFrom.ToString("O", CultureInfo.InvariantCulture));
        return AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(token.Identity), properties, Scheme.Name));
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        Response.Headers.WWWAuthenticate = "Bearer";
        return WriteAsync(StatusCodes.Status401Unauthorized, "unauthenticated", "A valid access token is needed.");
    }

    protected override Task HandleForbiddenAsync(AuthenticationProperties properties) =>
        WriteAsync(StatusCodes.Status403Forbidden, "forbidden", "This token may not do that.");

    internal static string? Read(HttpRequest request)
    {
        var header = request.Headers.Authorization.ToString();
        if (header.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
            return header[Prefix.Length..].Trim();
        var isWebSocket = request.HttpContext.WebSockets.IsWebSocketRequest;
        return isWebSocket && request.Query["access_token"].ToString() is { Length: > 0 } text ? text : null;
    }

    private Task WriteAsync(int status, string code, string title)
    {
        // gRPC reads the status from the HTTP status code when there are no trailers.
        Response.StatusCode = status;
        if (Request.ContentType?.StartsWith("application/grpc", StringComparison.Ordinal) == true)
            return Task.CompletedTask;
        Response.ContentType = "application/problem+json";
        return Response.WriteAsync($$"""{"title":"{{title}}","status":{{status}},"code":"{{code}}"}""");
    }
}
