using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;

namespace ChatPlatform.ServiceTests.Chat;

/// <summary>Access tokens made by hand (JWT, HS256, RFC 7519), good ones and bad ones.</summary>
public static class SignedToken
{
    /// <summary>A token signed with a key in base64.</summary>
    public static string Create(
        string signingKey, string subject, TimeSpan? lifetime = null, string issuer = "https://chat.test", string audience = "chat", string algorithm = "HS256", string? scope = null)
    {
        var now = DateTimeOffset.UtcNow;
        var claims = new Dictionary<string, object>
        {
            ["sub"] = subject,
            ["name"] = subject,
            ["iss"] = issuer,
            ["aud"] = audience,
            ["iat"] = now.ToUnixTimeSeconds(),
            ["nbf"] = now.AddHours(-2).ToUnixTimeSeconds(),
            ["exp"] = (now + (lifetime ?? TimeSpan.FromHours(1))).ToUnixTimeSeconds(),
        };
        if (scope is not null)
            claims["scope"] = scope;
        var text = $"{Encode(new { alg = algorithm, typ = "JWT" })}.{Encode(claims)}";
        var signature = algorithm == "none" ? [] : HMACSHA256.HashData(Convert.FromBase64String(signingKey), System.Text.Encoding.ASCII.GetBytes(text));
        return $"{text}.{Base64Url.EncodeToString(signature)}";
    }

    private static string Encode<T>(T value) => Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(value));
}
