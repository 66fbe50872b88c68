using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json;

namespace ChatPlatform.Notifier.Push;

/// <summary>
/// OAuth 2.0 for servers: a JWT signed with the service account's key is exchanged for an access token
/// (https://developers.google.com/identity/protocols/oauth2/service-account#httprest, RFC 7523). The token is kept and renewed before its time is over. Thread-safe; one exchange at a time.
/// </summary>
internal sealed partial class ServiceAccountToken(ServiceAccount account, HttpClient http, TimeProvider time, ILogger<ServiceAccountToken> logger) : IAccessTokenSource, IDisposable
{
    private const string Scope = "https://www.googleapis.com/auth/firebase.messaging";
    private const string GrantType = "urn:ietf:params:oauth:grant-type:jwt-bearer";

    /// <summary>The longest that Google allows an assertion to live.</summary>
    private static readonly TimeSpan AssertionTime = TimeSpan.FromHours(1);

    /// <summary>The last part of a token's life in which it is not used any more: what is sent with it must arrive with it valid.</summary>
    private static readonly TimeSpan Margin = TimeSpan.FromMinutes(5);

    private readonly SemaphoreSlim _one = new(1);
    private volatile Token? _token;

    private sealed record Token(string Value, DateTimeOffset RenewAt);

    public async ValueTask<string> GetAsync(CancellationToken cancellationToken)
    {
        if (_token is { } token && time.GetUtcNow() < token.RenewAt)
            return token.Value;
        await _one.WaitAsync(cancellationToken);
        try
        {
            if (_token is { } meanwhile && time.GetUtcNow() < meanwhile.RenewAt)
                return meanwhile.Value;
            var fresh = await ExchangeAsync(cancellationToken);
            _token = fresh;
            return fresh.Value;
        }
        finally
        {
            _one.Release();
        }
    }

    public void Refused(string token)
    {
        if (_token is { } current && current.Value == token)
            _token = null;
    }

    public void Dispose() => _one.Dispose();

    private async Task<Token> ExchangeAsync(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        using var form = new FormUrlEncodedContent([new("grant_type", GrantType), new("assertion", Assertion(now))]);
        using var answer = await http.PostAsync(account.TokenUri, form, cancellationToken);
        var body = await answer.Content.ReadAsByteArrayAsync(cancellationToken);
        if (answer.StatusCode != HttpStatusCode.OK)
            throw new HttpRequestException($"{account.TokenUri.Host} gave no access token: {(int)answer.StatusCode}", null, answer.StatusCode);
        try
        {
            using var json = JsonDocument.Parse(body);
            var life = TimeSpan.FromSeconds(json.RootElement.GetProperty("expires_in").GetInt32());
            LogRenewed(logger, account.ClientEmail, life.TotalSeconds);
            return new Token(json.RootElement.GetProperty("access_token").GetString()!, now + (life > Margin * 2 ? life - Margin : life / 2));
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new HttpRequestException($"{account.TokenUri.Host} answered with something that is no access token", error);
        }
    }

    private string Assertion(DateTimeOffset now)
    {
        var head = JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, string> { ["alg"] = "RS256", ["typ"] = "JWT", ["kid"] = account.KeyId });
        var claims = JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, object>
        {
            ["iss"] = account.ClientEmail,
            ["scope"] = Scope,
            ["aud"] = account.TokenUri.OriginalString,
            ["iat"] = now.ToUnixTimeSeconds(),
            ["exp"] = (now + AssertionTime).ToUnixTimeSeconds(),
        });
        var signed = $"{Base64Url.EncodeToString(head)}.{Base64Url.EncodeToString(claims)}";
        var signature = account.Key.SignData(System.Text.Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        return $"{signed}.{Base64Url.EncodeToString(signature)}";
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "A new access token for {Account}, good for {Seconds} s")]
    private static partial void LogRenewed(ILogger logger, string account, double seconds);
}
