using System.Security.Cryptography;
using ChatPlatform.ServiceDefaults.Authentication;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace ChatPlatform.UnitTests.Authentication;

public sealed class AccessTokensTests
{
    private static readonly string Key = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 1, 0, 0, 0, TimeSpan.Zero));

    [Fact]
    public async Task A_token_names_its_user_until_it_expires_and_the_skew_has_passed()
    {
        var tokens = Tokens();
        var (text, expiresAt) = tokens.Issue("u1", "Mina", TimeSpan.FromMinutes(5));

        var token = (await tokens.ValidateAsync(text))!;
        token.Identity.Name.ShouldBe("u1");
        token.RefusedFrom.ShouldBe(expiresAt + TimeSpan.FromSeconds(30));
        _time.Advance(TimeSpan.FromMinutes(5) + TimeSpan.FromSeconds(29));
        (await tokens.ValidateAsync(text)).ShouldNotBeNull();
        _time.Advance(TimeSpan.FromSeconds(1));
        (await tokens.ValidateAsync(text)).ShouldBeNull();
    }

    [Fact]
    public async Task A_token_of_another_issuer_audience_or_key_is_refused()
    {
        var tokens = Tokens();
        var others = new[] { Tokens(issuer: "https://other"), Tokens(audience: "other"), Tokens(key: Convert.ToBase64String(RandomNumberGenerator.GetBytes(32))) };

        foreach (var other in others)
            (await tokens.ValidateAsync(other.Issue("u1", null, TimeSpan.FromHours(1)).Token)).ShouldBeNull();
    }

    [Theory]
    [InlineData("")]
    [InlineData("a.b.c")]
    [InlineData("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1MSIsImlzcyI6Imh0dHBzOi8vY2hhdC50ZXN0IiwiYXVkIjoiY2hhdCIsImV4cCI6NDEwMjQ0NDgwMH0.")]
    public async Task What_is_no_signed_token_is_refused(string text) => (await Tokens().ValidateAsync(text)).ShouldBeNull();

    [Theory]
    [InlineData("not base64!", "Jwt:SigningKey")]
    [InlineData("c2hvcnQ=", "holds 5 bytes")]
    public void A_weak_key_stops_the_service_and_is_not_repeated(string key, string expected)
    {
        var failure = new JwtOptionsValidator().Validate(null, new JwtOptions { SigningKey = key, Issuer = "i", Audience = "a" }).FailureMessage!;

        failure.ShouldContain(expected);
        failure.ShouldNotContain(key);
    }

    private AccessTokens Tokens(string issuer = "https://chat.test", string audience = "chat", string? key = null) =>
        new(Options.Create(new JwtOptions { SigningKey = key ?? Key, Issuer = issuer, Audience = audience }), _time);
}
