using ChatPlatform.Api.Access;

namespace ChatPlatform.UnitTests.Api;

public sealed class ChecksTests
{
    [Theory]
    [InlineData("👍")]
    [InlineData("👍🏽")]
    [InlineData("👨‍👩‍👧")]
    [InlineData("🇰🇷")]
    [InlineData("❤️")]
    public void An_emoji_is_one_grapheme(string emoji) => Checks.Emoji(emoji).ShouldBe(emoji);

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    [InlineData(" ")]
    [InlineData("👍👍")]
    [InlineData("hello")]
    public void Anything_else_is_no_emoji(string text) => Should.Throw<ChatException>(() => Checks.Emoji(text)).Code.ShouldBe("invalid_emoji");

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("a#b")]
    [InlineData("a/b")]
    [InlineData("a\u0000b")]
    public void A_user_id_that_would_break_a_key_is_refused(string? id) =>
        Should.Throw<ChatException>(() => Checks.UserId(id, "userId")).Code.ShouldBe("invalid_userId");

    [Fact]
    public void Text_is_counted_in_code_points()
    {
        Checks.Text(string.Concat(Enumerable.Repeat("🥕", 5_000)));
        Should.Throw<ChatException>(() => Checks.Text(string.Concat(Enumerable.Repeat("🥕", 5_001)))).Code.ShouldBe("text_too_long");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(101)]
    public void A_limit_outside_its_range_is_refused(int limit) => Should.Throw<ChatException>(() => Checks.Limit(limit, 20, 100)).Code.ShouldBe("invalid_limit");
}
