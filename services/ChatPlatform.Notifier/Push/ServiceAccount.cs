using System.Security.Cryptography;
using System.Text.Json;

namespace ChatPlatform.Notifier.Push;

/// <summary>A Google service account's key file, as the console hands it out (https://cloud.google.com/iam/docs/keys-create-delete).</summary>
/// <param name="ClientEmail">The issuer of its assertions.</param>
/// <param name="KeyId">Names the key in the assertion's header.</param>
/// <param name="TokenUri">Where an assertion is exchanged for an access token.</param>
/// <param name="Key">Signs; never logged.</param>
internal sealed record ServiceAccount(string ClientEmail, string KeyId, Uri TokenUri, RSA Key)
{
    /// <exception cref="FormatException">It is no such file; the message names the field, never its value.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static ServiceAccount Load(string path)
    {
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            string Text(string name) => json.RootElement.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } text
                ? text
                : throw new FormatException($"it has no '{name}'");
            if (Text("type") != "service_account")
                throw new FormatException("its 'type' is not 'service_account'");
            if (!Uri.TryCreate(Text("token_uri"), UriKind.Absolute, out var token) || !(token.Scheme == "https" || token is { Scheme: "http", IsLoopback: true }))
                throw new FormatException("its 'token_uri' must be an https url");
            var key = RSA.Create();
            key.ImportFromPem(Text("private_key"));
            return new ServiceAccount(Text("client_email"), Text("private_key_id"), token, key);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or ArgumentException or CryptographicException)
        {
            throw new FormatException("it is no service account's key file in JSON", error);
        }
    }
}
