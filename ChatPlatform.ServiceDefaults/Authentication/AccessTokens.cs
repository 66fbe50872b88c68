using System.Security.Claims;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace ChatPlatform.ServiceDefaults.Authentication;

/// <summary>Makes and checks access tokens (JWT, HS256, RFC 7519). Thread-safe.</summary>
public sealed class AccessTokens
{
    /// <summary>How far clocks may differ when <c>nbf</c> and <c>exp</c> are checked.</summary>
    public static readonly TimeSpan ClockSkew = TimeSpan.FromSeconds(30);

    /// <summary>The claim that another service's token has, with value <see cref="ServiceScope"/>, and a user's never has.</summary>
    public const string ScopeClaim = "scope";

    /// <summary>The scope of tokens that services use among themselves.</summary>
    public const string ServiceScope = "chat.internal";

    private readonly JsonWebTokenHandler _handler = new() { MapInboundClaims = false };
    private readonly TokenValidationParameters _parameters;
    private readonly SigningCredentials _credentials;
    private readonly JwtOptions _options;
    private readonly TimeProvider _time;

    public AccessTokens(IOptions<JwtOptions> options, TimeProvider time)
    {
        _options = options.Value;
        _time = time;
        var key = new SymmetricSecurityKey(Convert.FromBase64String(_options.SigningKey));
        _credentials = new SigningCredentials(key, SecurityAlgorithms.HmacSha256);
        _parameters = new TokenValidationParameters
        {
            IssuerSigningKey = key,
            ValidIssuer = _options.Issuer,
            ValidAudience = _options.Audience,
            ValidAlgorithms = [SecurityAlgorithms.HmacSha256],
            RequireExpirationTime = true,
            RequireSignedTokens = true,
            NameClaimType = JwtRegisteredClaimNames.Sub,
            LifetimeValidator = IsAlive,
        };
    }

    /// <summary>The token's claims and the instant from which it is refused (<c>exp</c> and the skew), or null when it is not a valid token.</summary>
    public async Task<AccessToken?> ValidateAsync(string token)
    {
        var result = await _handler.ValidateTokenAsync(token, _parameters);
        if (!result.IsValid || result.ClaimsIdentity.FindFirst(JwtRegisteredClaimNames.Sub) is not { Value.Length: > 0 })
            return null;
        return new AccessToken(result.ClaimsIdentity, new DateTimeOffset(result.SecurityToken.ValidTo, TimeSpan.Zero) + ClockSkew);
    }

    /// <summary>Issues a token for <paramref name="subject"/>; <paramref name="scope"/> is given to services only.</summary>
    public (string Token, DateTimeOffset ExpiresAt) Issue(string subject, string? name, TimeSpan lifetime, string? scope = null)
    {
        var now = _time.GetUtcNow();
        var claims = new Dictionary<string, object> { [JwtRegisteredClaimNames.Sub] = subject };
        if (name is not null)
            claims[JwtRegisteredClaimNames.Name] = name;
        if (scope is not null)
            claims[ScopeClaim] = scope;
        var token = _handler.CreateToken(new SecurityTokenDescriptor
        {
            Issuer = _options.Issuer,
            Audience = _options.Audience,
            IssuedAt = now.UtcDateTime,
            NotBefore = now.UtcDateTime,
            Expires = (now + lifetime).UtcDateTime,
            Claims = claims,
            SigningCredentials = _credentials,
        });
        return (token, now + lifetime);
    }

    private bool IsAlive(DateTime? notBefore, DateTime? expires, SecurityToken token, TokenValidationParameters parameters)
    {
        var now = _time.GetUtcNow().UtcDateTime;
        return expires is { } end && now < end + ClockSkew && (notBefore is not { } start || now >= start - ClockSkew);
    }
}

/// <summary>A token that was found valid.</summary>
/// <param name="Identity">Its claims; <c>sub</c> is the name.</param>
/// <param name="RefusedFrom">The instant from which the same token is refused.</param>
public sealed record AccessToken(ClaimsIdentity Identity, DateTimeOffset RefusedFrom);
