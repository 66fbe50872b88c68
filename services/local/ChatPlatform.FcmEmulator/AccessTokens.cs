using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace ChatPlatform.FcmEmulator;

/// <summary>
/// The one service account of the emulator. With <c>FCM_SERVICE_ACCOUNT_FILE</c> set, its key file is written there at the start (once; a file that is there is read) and only access
/// tokens that were exchanged for its assertions are accepted. Without it any bearer token is. <c>FCM_TOKEN_SECONDS</c> is their life, 3600 by default. Thread-safe.
/// </summary>
internal sealed class AccessTokens : IDisposable
{
    private const int MostTokens = 1_000;
    private const string Email = "chat-notifier@chat-local.iam.gserviceaccount.com";
    private const string Scope = "https://www.googleapis.com/auth/firebase.messaging";
    private static readonly TimeSpan LongestAssertion = TimeSpan.FromHours(1);
    private static readonly TimeSpan Skew = TimeSpan.FromMinutes(5);
    private readonly string? _file;
    private readonly string _tokenUri;
    private readonly TimeProvider _time;
    private readonly TimeSpan _life;
    private readonly RSA _key = RSA.Create(2048);
    private readonly ConcurrentDictionary<string, DateTimeOffset> _issued = new();

    /// <exception cref="InvalidOperationException">A setting is wrong.</exception>
    public AccessTokens(IConfiguration configuration, TimeProvider time)
    {
        _file = configuration["FCM_SERVICE_ACCOUNT_FILE"];
        _tokenUri = $"{configuration["ASPNETCORE_URLS"]?.Split(';')[0].TrimEnd('/')}/token";
        _time = time;
        var seconds = configuration["FCM_TOKEN_SECONDS"] ?? "3600";
        _life = int.TryParse(seconds, out var life) && life is >= 1 and <= 3_600
            ? TimeSpan.FromSeconds(life)
            : throw new InvalidOperationException($"FCM_TOKEN_SECONDS is '{seconds}'; it must be a number from 1 to 3600.");
    }

    public void WriteKeyFile()
    {
        if (string.IsNullOrEmpty(_file))
            return;
        if (File.Exists(_file))
        {
            using var known = JsonDocument.Parse(File.ReadAllBytes(_file));
            _key.ImportFromPem(known.RootElement.GetProperty("private_key").GetString());
        }

        // Written anew with the same key: the port may be another than last time.
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(_file))!);
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using var file = new FileStream(_file, options);
        JsonSerializer.Serialize(file, new Dictionary<string, string>
        {
            ["type"] = "service_account",
            ["project_id"] = "chat-local",
            ["private_key_id"] = "local",
            ["private_key"] = _key.ExportPkcs8PrivateKeyPem(),
            ["client_email"] = Email,
            ["token_uri"] = _tokenUri,
        });
    }

    /// <param name="authorization">The header.</param>
    public bool Accepts(string authorization)
    {
        if (!authorization.StartsWith("Bearer ", StringComparison.Ordinal) || authorization.Length <= "Bearer ".Length)
            return false;
        return string.IsNullOrEmpty(_file) || (_issued.TryGetValue(authorization["Bearer ".Length..], out var until) && _time.GetUtcNow() < until);
    }

    public void Revoke() => _issued.Clear();

    /// <returns>A token, or what is wrong with the assertion.</returns>
    public (string? Token, TimeSpan Life, string? Error) Exchange(string assertion)
    {
        if (Check(assertion) is { } wrong)
            return (null, default, wrong);
        var now = _time.GetUtcNow();
        foreach (var (old, until) in _issued)
        {
            if (until < now || _issued.Count >= MostTokens)
                _issued.TryRemove(old, out _);
        }

        var token = "ya29.local-" + Convert.ToHexString(RandomNumberGenerator.GetBytes(24));
        _issued[token] = now + _life;
        return (token, _life, null);
    }

    public void Dispose() => _key.Dispose();

    /// <summary>The checks and words of Google's endpoint.</summary>
    private string? Check(string assertion)
    {
        if (assertion.Split('.') is not [var head, var claims, var signature])
            return "Invalid JWT: expected three parts.";
        try
        {
            if (!_key.VerifyData(Encoding.ASCII.GetBytes($"{head}.{claims}"), Base64Url.DecodeFromChars(signature), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1))
                return "Invalid JWT Signature.";
            using var header = JsonDocument.Parse(Base64Url.DecodeFromChars(head));
            using var body = JsonDocument.Parse(Base64Url.DecodeFromChars(claims));
            if (header.RootElement.GetProperty("alg").GetString() != "RS256")
                return "Invalid JWT: the algorithm must be RS256.";
            var (issued, expires) = (At(body, "iat"), At(body, "exp"));
            var now = _time.GetUtcNow();
            if (body.RootElement.GetProperty("iss").GetString() != Email)
                return "Invalid issuer: Not a valid email or user ID.";
            if (body.RootElement.GetProperty("aud").GetString() != _tokenUri)
                return "Invalid JWT: Failed audience check. The right audience is " + _tokenUri;
            if (body.RootElement.GetProperty("scope").GetString() is not { } scopes || !scopes.Split(' ').Contains(Scope))
                return "Invalid OAuth scope or ID token audience provided.";
            return issued > now + Skew || expires < now - Skew || expires - issued > LongestAssertion
                ? "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim."
                : null;
        }
        catch (Exception error) when (error is FormatException or JsonException or KeyNotFoundException or InvalidOperationException or ArgumentException)
        {
            return "Invalid JWT: it cannot be read.";
        }
    }

    private static DateTimeOffset At(JsonDocument claims, string name) => DateTimeOffset.FromUnixTimeSeconds(claims.RootElement.GetProperty(name).GetInt64());
}
