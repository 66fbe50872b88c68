using System.Text;

namespace ChatPlatform.Smoke.Checks;

/// <summary>Compares two texts by their UTF-8 bytes.</summary>
public static class TextDifference
{
    private const int Shown = 8;

    /// <summary>
    /// Null when the bytes are the same, else where they first differ and what stands there, e.g.
    /// <c>byte 12 of 40: expected EC 95 88, found 3F; 40 bytes expected, 38 found</c>. Shows bytes, never the text.
    /// </summary>
    public static string? Find(string expected, string? actual)
    {
        if (actual is null)
            return "no text at all";
        var want = Encoding.UTF8.GetBytes(expected);
        var got = Encoding.UTF8.GetBytes(actual);
        var same = want.AsSpan().CommonPrefixLength(got);
        // Lone surrogates all become the same three bytes, so equal bytes do not prove equal texts.
        if (same == want.Length && same == got.Length)
            return string.Equals(expected, actual, StringComparison.Ordinal) ? null : "the bytes agree, the UTF-16 units do not: a lone surrogate";
        return $"byte {same} of {want.Length}: expected {Bytes(want, same)}, found {Bytes(got, same)}; {want.Length} bytes expected, {got.Length} found";
    }

    private static string Bytes(byte[] text, int from) =>
        from == text.Length ? "the end" : string.Join(' ', text.Skip(from).Take(Shown).Select(b => b.ToString("X2")));
}
