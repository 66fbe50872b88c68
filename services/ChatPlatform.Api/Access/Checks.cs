using System.Globalization;
using System.Text;

namespace ChatPlatform.Api.Access;

/// <summary>Limits on what callers may send (contracts §1).</summary>
internal static class Checks
{
    /// <summary>In Unicode code points: an emoji outside the BMP counts once, a family emoji as often as it has code points.</summary>
    public const int MaxTextLength = 5_000;

    /// <summary>In UTF-16 code units.</summary>
    public const int MaxIdLength = 128;

    public const int MaxTitleLength = 100;

    /// <summary>A user id: 1 to 128 characters, no white space, control characters or <c>#</c>, which separates the parts of table keys.</summary>
    public static string UserId(string? value, string field)
    {
        if (value is not { Length: > 0 and <= MaxIdLength } || value.AsSpan().ContainsAny('#', '/', ',') || value.Any(c => char.IsWhiteSpace(c) || char.IsControl(c)))
            throw Refusals.Invalid(field, "a user id: 1 to 128 characters without white space, control characters, '#', '/' or ','");
        return value;
    }

    /// <summary>An id the client chose.</summary>
    public static string Id(string? value, string field)
    {
        if (value is not { Length: > 0 and <= MaxIdLength } || value.Any(char.IsControl))
            throw Refusals.Invalid(field, "1 to 128 characters without control characters");
        return value;
    }

    public static string Title(string? value)
    {
        if (string.IsNullOrWhiteSpace(value) || CodePoints(value) > MaxTitleLength)
            throw Refusals.Invalid("title", $"1 to {MaxTitleLength} characters");
        return value;
    }

    public static void Text(string? value)
    {
        // A code point is at most two code units, so that a short text needs no count.
        if (value is { Length: > MaxTextLength } && CodePoints(value) > MaxTextLength)
            throw Refusals.TextTooLong(MaxTextLength);
    }

    /// <summary>One emoji as a reader sees it: one grapheme of at most 16 code units that is no letter, digit, space or control character alone.</summary>
    public static string Emoji(string value)
    {
        if (value is not { Length: > 0 and <= 16 } || StringInfo.GetNextTextElementLength(value) != value.Length || (value.Length == 1 && value[0] < 0x80))
            throw Refusals.Invalid("emoji", "one emoji");
        return value;
    }

    public static int Limit(int? value, int standard, int most)
    {
        if (value is < 1 || value > most)
            throw Refusals.Invalid("limit", $"from 1 to {most}");
        return value ?? standard;
    }

    private static int CodePoints(string value)
    {
        var count = 0;
        foreach (var _ in value.EnumerateRunes())
            count++;
        return count;
    }
}
