using System.Buffers.Text;
using Microsoft.Extensions.Options;

namespace ChatPlatform.ServiceDefaults.Authentication;

/// <summary>
/// The section <c>Jwt</c>: how access tokens are signed and checked. At least one of <see cref="SigningKey"/> and <see cref="JwksUrl"/> is needed; with both, tokens of either are taken,
/// each by its own algorithms only. Wrong values stop the service at start.
/// </summary>
public sealed class JwtOptions
{
    /// <summary>The section's name.</summary>
    public const string Section = "Jwt";

    /// <summary>The HS256 key in base64, at least 32 bytes (RFC 7518 §3.2), that signs and checks. A secret: never logged.</summary>
    public string SigningKey { get; set; } = "";

    /// <summary>Keys that are still taken and no longer sign, while a new <see cref="SigningKey"/> replaces them; as it. Secrets.</summary>
    public IList<string> PreviousSigningKeys { get; set; } = [];

    /// <summary>Where an identity provider publishes its public keys (RFC 7517), over https; http on loopback only.</summary>
    public Uri? JwksUrl { get; set; }

    /// <summary>How old the published keys may get before they are asked for again.</summary>
    public TimeSpan JwksLifetime { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>The least time between two requests for the published keys, whatever key ids tokens name.</summary>
    public TimeSpan JwksFloor { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The <c>iss</c> that a token must have.</summary>
    public string Issuer { get; set; } = "";

    /// <summary>The <c>aud</c> that a token must have.</summary>
    public string Audience { get; set; } = "";

    /// <summary>How far clocks may differ when <c>nbf</c> and <c>exp</c> are checked.</summary>
    public TimeSpan ClockSkew { get; set; } = TimeSpan.FromSeconds(30);
}

internal sealed class JwtOptionsValidator : IValidateOptions<JwtOptions>
{
    private const int MinimumKeyBytes = 32;

    public ValidateOptionsResult Validate(string? name, JwtOptions options)
    {
        List<string> failures = [];
        // Keys are secrets and are not repeated in the message.
        if (options.SigningKey.Length > 0 || options.JwksUrl is null)
            CheckKey("Jwt:SigningKey", options.SigningKey);
        for (var i = 0; i < options.PreviousSigningKeys.Count; i++)
            CheckKey($"Jwt:PreviousSigningKeys:{i}", options.PreviousSigningKeys[i]);
        if (options.JwksUrl is { } url && !(url.IsAbsoluteUri && (url.Scheme == Uri.UriSchemeHttps || (url.Scheme == Uri.UriSchemeHttp && url.IsLoopback))))
            failures.Add($"Jwt:JwksUrl is '{url}'; it must be an https url, or an http url on loopback.");
        if (options.JwksLifetime < TimeSpan.FromSeconds(1) || options.JwksLifetime > TimeSpan.FromDays(1))
            failures.Add($"Jwt:JwksLifetime is {options.JwksLifetime}; it must be from 00:00:01 to 1.00:00:00.");
        if (options.JwksFloor < TimeSpan.Zero || options.JwksFloor > options.JwksLifetime)
            failures.Add($"Jwt:JwksFloor is {options.JwksFloor}; it must be from 00:00:00 to Jwt:JwksLifetime ({options.JwksLifetime}).");
        if (options.ClockSkew < TimeSpan.Zero || options.ClockSkew > TimeSpan.FromMinutes(5))
            failures.Add($"Jwt:ClockSkew is {options.ClockSkew}; it must be from 00:00:00 to 00:05:00.");
        if (string.IsNullOrWhiteSpace(options.Issuer))
            failures.Add($"Jwt:Issuer is '{options.Issuer}'; it must be the token's issuer, e.g. https://chat.local.");
        if (string.IsNullOrWhiteSpace(options.Audience))
            failures.Add($"Jwt:Audience is '{options.Audience}'; it must be the token's audience, e.g. chat.");
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);

        void CheckKey(string key, string value)
        {
            if (!Base64.IsValid(value, out var bytes))
                failures.Add($"{key} (not shown) is no base64; it must be at least {MinimumKeyBytes} bytes in base64.");
            else if (bytes < MinimumKeyBytes)
                failures.Add($"{key} (not shown) holds {bytes} bytes; it must hold at least {MinimumKeyBytes}, in base64.");
        }
    }
}
