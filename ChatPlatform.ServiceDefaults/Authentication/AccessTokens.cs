using System.Diagnostics.CodeAnalysis;
using System.Security.Claims;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace ChatPlatform.ServiceDefaults.Authentication;

/// <summary>
/// Makes and checks access tokens (JWT, RFC 7519). A key checks only what its kind of algorithm signed (RFC 8725 §3.1): the configured secrets HS256, the published keys the RSA and ECDSA
/// algorithms, so that no public key is ever taken for a secret. Thread-safe.
/// </summary>
public sealed class AccessTokens
{
    /// <summary>The claim that another service's token has, with value <see cref="ServiceScope"/>, and a user's never has.</summary>
    public const string ScopeClaim = "scope";

    /// <summary>The scope of tokens that services use among themselves.</summary>
    public const string ServiceScope = "chat.internal";

    private readonly JsonWebTokenHandler _handler = new() { MapInboundClaims = false };
    private readonly SecurityKey[] _secrets;
    private readonly SigningCredentials? _credentials;
    private readonly PublishedKeys? _published;
    private readonly JwtOptions _options;
    private readonly TimeProvider _time;

    /// <param name="options">Checked by their validator.</param>
    /// <param name="time">The clock of <c>nbf</c> and <c>exp</c>.</param>
    /// <param name="published">An identity provider's keys; null where there is none.</param>
    public AccessTokens(IOptions<JwtOptions> options, TimeProvider time, PublishedKeys? published = null)
    {
        _options = options.Value;
        _time = time;
        _published = published;
        _secrets = [.. _options.PreviousSigningKeys.Prepend(_options.SigningKey).Where(key => key.Length > 0).Select(key => new SymmetricSecurityKey(Convert.FromBase64String(key)))];
        _credentials = _options.SigningKey.Length > 0 ? new SigningCredentials(_secrets[0], SecurityAlgorithms.HmacSha256) : null;
    }

    /// <summary>True when there is a key to sign with: tokens of an identity provider can only be checked.</summary>
    public bool CanIssue => _credentials is not null;

    /// <summary>The token's claims and the instant from which it is refused (<c>exp</c> and the skew), or null when it is not a valid token.</summary>
    public async Task<AccessToken?> ValidateAsync(string token)
    {
        if (!TryRead(token, out var read))
            return null;
        // Critical extensions that are not understood make a token invalid (RFC 7515 §4.1.11); none is understood here.
        if (read.TryGetHeaderValue<object>("crit", out _))
            return null;
        IEnumerable<SecurityKey> keys = read.Alg == SecurityAlgorithms.HmacSha256
            ? _secrets
            : _published is not null && await _published.FindAsync(read.Kid, read.Alg) is { } key ? [key] : [];
        if (!keys.Any())
            return null;

        var result = await _handler.ValidateTokenAsync(read, new TokenValidationParameters
        {
            IssuerSigningKeys = keys,
            ValidIssuer = _options.Issuer,
            ValidAudience = _options.Audience,
            ValidAlgorithms = [read.Alg],
            RequireExpirationTime = true,
            RequireSignedTokens = true,
            NameClaimType = JwtRegisteredClaimNames.Sub,
            LifetimeValidator = IsAlive,
        });
        if (!result.IsValid || result.ClaimsIdentity.FindFirst(JwtRegisteredClaimNames.Sub) is not { Value.Length: > 0 })
            return null;
        return new AccessToken(result.ClaimsIdentity, new DateTimeOffset(result.SecurityToken.ValidTo, TimeSpan.Zero) + _options.ClockSkew);
    }

    /// <summary>Issues a token for <paramref name="subject"/>; <paramref name="scope"/> is given to services only.</summary>
    /// <exception cref="InvalidOperationException">There is no key to sign with, see <see cref="CanIssue"/>.</exception>
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
            SigningCredentials = _credentials ?? throw new InvalidOperationException("Jwt:SigningKey is not set; nothing can be signed."),
        });
        return (token, now + lifetime);
    }

    private bool TryRead(string text, [NotNullWhen(true)] out JsonWebToken? token)
    {
        token = null;
        if (!_handler.CanReadToken(text))
            return false;
        try
        {
            token = _handler.ReadJsonWebToken(text);
            return true;
        }
        catch (Exception error) when (error is ArgumentException or SecurityTokenException)
        {
            return false;
        }
    }

    private bool IsAlive(DateTime? notBefore, DateTime? expires, SecurityToken token, TokenValidationParameters parameters)
    {
        var now = _time.GetUtcNow().UtcDateTime;
        return expires is { } end && now < end + _options.ClockSkew && (notBefore is not { } start || now >= start - _options.ClockSkew);
    }
}

/// <summary>A token that was found valid.</summary>
/// <param name="Identity">Its claims; <c>sub</c> is the name.</param>
/// <param name="RefusedFrom">The instant from which the same token is refused.</param>
public sealed record AccessToken(ClaimsIdentity Identity, DateTimeOffset RefusedFrom);
