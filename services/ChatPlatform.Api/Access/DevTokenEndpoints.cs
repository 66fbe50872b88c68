using ChatPlatform.ServiceDefaults.Authentication;

namespace ChatPlatform.Api.Access;

/// <param name="UserId">Who the token is for.</param>
/// <param name="Name">A display name, or null.</param>
/// <param name="Scope"><c>chat.internal</c> for a service's token, else null.</param>
internal sealed record DevTokenRequest(string? UserId, string? Name, string? Scope);

internal sealed record DevToken(string AccessToken, DateTimeOffset ExpiresAt);

/// <summary>Tokens for whoever asks. Mapped in the Development environment only.</summary>
internal static class DevTokenEndpoints
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromHours(24);

    public static void MapDevTokens(this WebApplication app)
    {
        if (!app.Environment.IsDevelopment() || !app.Services.GetRequiredService<AccessTokens>().CanIssue)
            return;
        app.MapPost("/dev/token", (DevTokenRequest request, AccessTokens tokens) =>
        {
            var userId = Checks.UserId(request.UserId, "userId");
            if (request.Scope is not (null or AccessTokens.ServiceScope))
                throw Refusals.Invalid("scope", $"{AccessTokens.ServiceScope}, or left out");
            var (token, expiresAt) = tokens.Issue(userId, request.Name, Lifetime, request.Scope);
            return TypedResults.Ok(new DevToken(token, expiresAt));
        }).AllowAnonymous();
    }
}
