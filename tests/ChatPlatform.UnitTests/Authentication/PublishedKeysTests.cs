using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ChatPlatform.ServiceDefaults.Authentication;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace ChatPlatform.UnitTests.Authentication;

/// <summary>Tokens of an identity provider: key rotation, and the ways to pass a token off as signed (RFC 8725).</summary>
public sealed class PublishedKeysTests : IDisposable
{
    private static readonly RSA Rsa = RSA.Create(2_048);
    private static readonly RSA NextRsa = RSA.Create(2_048);
    private static readonly ECDsa Ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private static readonly byte[] Secret = RandomNumberGenerator.GetBytes(32);

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly Endpoint _endpoint = new();
    private PublishedKeys? _keys;

    [Theory]
    [InlineData("RS256")]
    [InlineData("RS512")]
    [InlineData("PS256")]
    [InlineData("ES256")]
    public async Task A_token_of_a_published_key_is_taken(string algorithm)
    {
        _endpoint.Publish(Public(Rsa, "r1"), Public(Ec, "e1"));

        var token = await Tokens().ValidateAsync(algorithm == "ES256" ? Sign(new ECDsaSecurityKey(Ec) { KeyId = "e1" }, algorithm) : Sign(Key(Rsa, "r1"), algorithm));

        token!.Identity.Name.ShouldBe("u1");
    }

    [Fact]
    public async Task A_new_key_is_found_by_its_id_and_a_withdrawn_one_is_dropped()
    {
        _endpoint.Publish(Public(Rsa, "r1"));
        var tokens = Tokens();
        (await tokens.ValidateAsync(Sign(Key(Rsa, "r1")))).ShouldNotBeNull();

        _endpoint.Publish(Public(NextRsa, "r2"));
        _time.Advance(TimeSpan.FromSeconds(30));
        (await tokens.ValidateAsync(Sign(Key(NextRsa, "r2")))).ShouldNotBeNull();
        (await tokens.ValidateAsync(Sign(Key(Rsa, "r1")))).ShouldBeNull();
        _endpoint.Requests.ShouldBe(2);
    }

    [Fact]
    public async Task Made_up_key_ids_ask_the_endpoint_once_per_floor()
    {
        _endpoint.Publish(Public(Rsa, "r1"));
        var tokens = Tokens();

        for (var i = 0; i < 100; i++)
            (await tokens.ValidateAsync(Sign(Key(NextRsa, $"made-up-{i}")))).ShouldBeNull();
        _endpoint.Requests.ShouldBe(1);
        _time.Advance(TimeSpan.FromSeconds(30));
        await Task.WhenAll(Enumerable.Range(0, 50).Select(i => tokens.ValidateAsync(Sign(Key(NextRsa, $"again-{i}")))));
        _endpoint.Requests.ShouldBe(2);
        (await tokens.ValidateAsync(Sign(Key(Rsa, "r1")))).ShouldNotBeNull();
    }

    [Theory]
    [InlineData("away")]
    [InlineData("500")]
    [InlineData("not json")]
    [InlineData("no keys")]
    [InlineData("only a secret")]
    public async Task The_last_good_keys_stay_in_use_while_the_endpoint_gives_none(string fault)
    {
        _endpoint.Publish(Public(Rsa, "r1"));
        var tokens = Tokens();
        (await tokens.ValidateAsync(Sign(Key(Rsa, "r1")))).ShouldNotBeNull();

        _endpoint.Fault = fault;
        for (var i = 0; i < 5; i++)
        {
            _time.Advance(TimeSpan.FromMinutes(10));
            (await tokens.ValidateAsync(Sign(Key(Rsa, "r1")))).ShouldNotBeNull();
        }

        _endpoint.Requests.ShouldBeGreaterThan(1);
    }

    [Fact]
    public async Task Keys_are_asked_for_again_when_they_are_old()
    {
        _endpoint.Publish(Public(Rsa, "r1"));
        var tokens = Tokens();
        (await tokens.ValidateAsync(Sign(Key(Rsa, "r1")))).ShouldNotBeNull();
        (await tokens.ValidateAsync(Sign(Key(Rsa, "r1")))).ShouldNotBeNull();
        _endpoint.Requests.ShouldBe(1);

        _time.Advance(TimeSpan.FromMinutes(10));
        (await tokens.ValidateAsync(Sign(Key(Rsa, "r1")))).ShouldNotBeNull();

        _endpoint.Requests.ShouldBe(2);
    }

    [Theory]
    [InlineData("none")]
    [InlineData("public key as the secret")]
    [InlineData("public key in PEM as the secret")]
    [InlineData("HS384 with the secret")]
    [InlineData("RS256 named on the EC key")]
    [InlineData("RS512 where the key says RS256")]
    [InlineData("another key under a known id")]
    [InlineData("a key for encryption")]
    [InlineData("a short key")]
    [InlineData("crit")]
    [InlineData("no id, two keys")]
    [InlineData("another issuer")]
    [InlineData("another audience")]
    [InlineData("no expiry")]
    [InlineData("expired")]
    [InlineData("not yet valid")]
    [InlineData("no subject")]
    public async Task What_only_looks_signed_is_refused(string trick)
    {
        using var small = RSA.Create(1_024);
        _endpoint.Publish(Public(Rsa, "r1"), Public(NextRsa, "r2", alg: "RS256"), Public(Ec, "e1"), Public(NextRsa, "enc", use: "enc"), Public(small, "small"));
        var tokens = Tokens();
        var key = Key(Rsa, "r1");
        var text = trick switch
        {
            "none" => $"{Base64UrlEncoder.Encode("""{"alg":"none"}""")}.{Sign(key).Split('.')[1]}.",
            "public key as the secret" => Sign(new SymmetricSecurityKey(Rsa.ExportRSAPublicKey()) { KeyId = "r1" }, "HS256"),
            "public key in PEM as the secret" => Sign(new SymmetricSecurityKey(Encoding.ASCII.GetBytes(Rsa.ExportSubjectPublicKeyInfoPem())) { KeyId = "r1" }, "HS256"),
            "HS384 with the secret" => Sign(new SymmetricSecurityKey([.. Secret, .. new byte[32]]), "HS384"),
            "RS256 named on the EC key" => Sign(Key(Rsa, "e1")),
            "RS512 where the key says RS256" => Sign(Key(NextRsa, "r2"), "RS512"),
            "another key under a known id" => Sign(Key(NextRsa, "r1")),
            "a key for encryption" => Sign(Key(NextRsa, "enc")),
            "a short key" => SignByHand(small, "small"),
            "crit" => Sign(key, header: new() { ["crit"] = new[] { "exp" } }),
            "no id, two keys" => Sign(new RsaSecurityKey(Rsa)),
            "another issuer" => Sign(key, issuer: "https://other"),
            "another audience" => Sign(key, audience: "other"),
            "no expiry" => SignByHand(Rsa, "r1"),
            "expired" => Sign(key, from: -3_600, until: -30),
            "not yet valid" => Sign(key, from: 31, until: 3_600),
            _ => Sign(key, subject: null),
        };

        (await tokens.ValidateAsync(text)).ShouldBeNull();
        (await tokens.ValidateAsync(Sign(key))).ShouldNotBeNull();
    }

    [Fact]
    public async Task Clocks_may_differ_by_the_skew()
    {
        _endpoint.Publish(Public(Rsa, "r1"));

        (await Tokens().ValidateAsync(Sign(Key(Rsa, "r1"), from: 30, until: 3_600))).ShouldNotBeNull();
        (await Tokens().ValidateAsync(Sign(Key(Rsa, "r1"), from: -3_600, until: -29))).ShouldNotBeNull();
    }

    [Fact]
    public async Task A_replaced_secret_is_taken_until_it_is_withdrawn()
    {
        var (old, young) = (Convert.ToBase64String(Secret), Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)));
        AccessTokens With(string key, params string[] previous) =>
            new(Options.Create(new JwtOptions { SigningKey = key, PreviousSigningKeys = previous, Issuer = "https://id.test", Audience = "chat" }), _time);
        var issued = With(old).Issue("u1", null, TimeSpan.FromHours(1)).Token;

        (await With(young, old).ValidateAsync(issued)).ShouldNotBeNull();
        (await With(young).ValidateAsync(issued)).ShouldBeNull();
        (await With(old).ValidateAsync(With(young, old).Issue("u1", null, TimeSpan.FromHours(1)).Token)).ShouldBeNull();
    }

    [Theory]
    [InlineData("http://id.example/keys", "Jwt:JwksUrl")]
    [InlineData("ftp://id.example/keys", "Jwt:JwksUrl")]
    public void Keys_come_over_https_only(string url, string expected) =>
        new JwtOptionsValidator().Validate(null, new JwtOptions { JwksUrl = new Uri(url), Issuer = "i", Audience = "a" }).FailureMessage!.ShouldContain(expected);

    public void Dispose()
    {
        _keys?.Dispose();
        _endpoint.Dispose();
    }

    private AccessTokens Tokens()
    {
        var options = Options.Create(new JwtOptions
        {
            SigningKey = Convert.ToBase64String(Secret),
            JwksUrl = new Uri("https://id.test/keys"),
            Issuer = "https://id.test",
            Audience = "chat",
        });
        _keys ??= new PublishedKeys(options, _time, NullLogger<PublishedKeys>.Instance, _endpoint);
        return new AccessTokens(options, _time, _keys);
    }

    private static RsaSecurityKey Key(RSA rsa, string id) => new(rsa) { KeyId = id };

    private string Sign(
        SecurityKey key,
        string algorithm = "RS256",
        string issuer = "https://id.test",
        string audience = "chat",
        int from = 0,
        int until = 3_600,
        string? subject = "u1",
        Dictionary<string, object>? header = null)
    {
        var now = _time.GetUtcNow().UtcDateTime;
        return new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(new SecurityTokenDescriptor
        {
            Issuer = issuer,
            Audience = audience,
            NotBefore = now.AddSeconds(from),
            Expires = now.AddSeconds(until),
            Claims = subject is null ? new Dictionary<string, object>() : new() { ["sub"] = subject },
            SigningCredentials = new SigningCredentials(key, algorithm),
            AdditionalHeaderClaims = header,
        });
    }

    /// <summary>Without an expiry, and with keys that the library would not sign with.</summary>
    private static string SignByHand(RSA rsa, string id)
    {
        var text = Base64UrlEncoder.Encode($$"""{"alg":"RS256","kid":"{{id}}"}""") + "." + Base64UrlEncoder.Encode("""{"sub":"u1","iss":"https://id.test","aud":"chat"}""");
        return text + "." + Base64UrlEncoder.Encode(rsa.SignData(Encoding.ASCII.GetBytes(text), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
    }

    private static object Public(RSA rsa, string id, string use = "sig", string? alg = null)
    {
        var key = rsa.ExportParameters(false);
        return new { kty = "RSA", kid = id, use, alg, n = Base64UrlEncoder.Encode(key.Modulus), e = Base64UrlEncoder.Encode(key.Exponent) };
    }

    private static object Public(ECDsa ec, string id)
    {
        var key = ec.ExportParameters(false);
        return new { kty = "EC", kid = id, use = "sig", crv = "P-256", x = Base64UrlEncoder.Encode(key.Q.X), y = Base64UrlEncoder.Encode(key.Q.Y) };
    }

    private sealed class Endpoint : HttpMessageHandler
    {
        private string _document = "";

        public string? Fault { get; set; }

        public int Requests { get; private set; }

        public void Publish(params object[] keys) => _document = JsonSerializer.Serialize(new { keys });

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Requests++;
            var body = Fault switch
            {
                null => _document,
                "not json" => "<html>",
                "only a secret" => """{"keys":[{"kty":"oct","kid":"r1","k":"AAAA"}]}""",
                _ => """{"keys":[]}""",
            };
            return Fault == "away"
                ? Task.FromException<HttpResponseMessage>(new HttpRequestException("away"))
                : Task.FromResult(new HttpResponseMessage(Fault == "500" ? HttpStatusCode.InternalServerError : HttpStatusCode.OK) { Content = new StringContent(body) });
        }
    }
}
