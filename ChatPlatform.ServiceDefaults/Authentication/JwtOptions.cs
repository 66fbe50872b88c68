using System.Buffers.Text;
using Microsoft.Extensions.Options;

namespace ChatPlatform.ServiceDefaults.Authentication;

/// <summary>The section <c>Jwt</c>: how access tokens are signed and checked. Wrong values stop the service at start.</summary>
public sealed class JwtOptions
{
    /// <summary>The section's name.</summary>
    public const string Section = "Jwt";

    /// <summary>The HS256 key in base64, at least 32 bytes (RFC 7518 §3.2). A secret: never logged.</summary>
    public string SigningKey { get; set; } = "";

    /// <summary>The <c>iss</c> that a token must have.</summary>
    public string Issuer { get; set; } = "";

    /// <summary>The <c>aud</c> that a token must have.</summary>
    public string Audience { get; set; } = "";
}

internal sealed class JwtOptionsValidator : IValidateOptions<JwtOptions>
{
    private const int MinimumKeyBytes = 32;

    public ValidateOptionsResult Validate(string? name, JwtOptions options)
    {
        List<string> failures = [];
        // The key itself is a secret and is not repeated in the message.
        if (!Base64.IsValid(options.SigningKey, out var bytes))
            failures.Add($"Jwt:SigningKey (not shown) is no base64; it must be at least {MinimumKeyBytes} bytes in base64.");
        else if (bytes < MinimumKeyBytes)
            failures.Add($"Jwt:SigningKey (not shown) holds {bytes} bytes; it must hold at least {MinimumKeyBytes}, in base64.");
        if (string.IsNullOrWhiteSpace(options.Issuer))
            failures.Add($"Jwt:Issuer is '{options.Issuer}'; it must be the token's issuer, e.g. https://chat.local.");
        if (string.IsNullOrWhiteSpace(options.Audience))
            failures.Add($"Jwt:Audience is '{options.Audience}'; it must be the token's audience, e.g. chat.");
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }
}
