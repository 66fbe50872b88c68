using System.Globalization;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace ChatPlatform.ServiceDefaults.Authentication;

/// <summary>Who calls: access tokens as the only way in.</summary>
public static class ChatAuthentication
{
    /// <summary>The authentication scheme, and the default one.</summary>
    public const string Scheme = "Bearer";

    /// <summary>The policy for calls that only other services may make.</summary>
    public const string ServicePolicy = "service";

    /// <summary>The policy for calls that only users may make: a service's token is refused.</summary>
    public const string UserPolicy = "user";

    internal const string RefusedFromProperty = "refused_from";

    /// <summary>Adds authentication by access token, the policies <see cref="UserPolicy"/> and <see cref="ServicePolicy"/>, and <see cref="AccessTokens"/>. Options are checked at start.</summary>
    public static TBuilder AddChatAuthentication<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        builder.AddAccessTokens();
        builder.Services.AddAuthentication(Scheme).AddScheme<AuthenticationSchemeOptions, AccessTokenHandler>(Scheme, null);
        builder.Services.AddAuthorizationBuilder()
            .AddPolicy(UserPolicy, policy => policy.RequireAuthenticatedUser()
                .RequireAssertion(context => !context.User.HasClaim(AccessTokens.ScopeClaim, AccessTokens.ServiceScope)))
            .AddPolicy(ServicePolicy, policy => policy.RequireClaim(AccessTokens.ScopeClaim, AccessTokens.ServiceScope));
        return builder;
    }

    /// <summary>
    /// Adds <see cref="AccessTokens"/> alone, for a service that checks them itself. What ASP.NET Core keeps of an authenticated request would stay as long as a WebSocket does:
    /// some 10 kB. Options are checked at start.
    /// </summary>
    public static TBuilder AddAccessTokens<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<IValidateOptions<JwtOptions>, JwtOptionsValidator>();
        builder.Services.AddOptions<JwtOptions>().BindConfiguration(JwtOptions.Section).ValidateOnStart();
        builder.Services.AddSingleton<PublishedKeys>();
        builder.Services.AddSingleton<AccessTokens>();
        return builder;
    }

    /// <summary>The caller's user id (or service's name): the token's <c>sub</c>.</summary>
    /// <exception cref="InvalidOperationException">The call is not authenticated; its route lacks a policy.</exception>
    public static string CallerId(this HttpContext context) =>
        context.User.Identity?.Name ?? throw new InvalidOperationException("The caller is not authenticated.");

    /// <summary>The token as the caller sent it, to pass on in the caller's name; null without one. A secret.</summary>
    public static string? CallerToken(this HttpContext context) => AccessTokenHandler.Read(context.Request);

    /// <summary>The instant from which the caller's token is refused.</summary>
    public static async Task<DateTimeOffset> TokenRefusedFromAsync(this HttpContext context)
    {
        var result = await context.AuthenticateAsync(Scheme);
        return result.Properties?.GetString(RefusedFromProperty) is { } text
            ? DateTimeOffset.Parse(text, CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind)
            : DateTimeOffset.MinValue;
    }
}
