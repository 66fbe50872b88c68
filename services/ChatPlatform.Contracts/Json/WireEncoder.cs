using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Unicode;

namespace ChatPlatform.Contracts.Json;

/// <summary>
/// Escapes only what JSON demands (RFC 8259 §7: quotation mark, reverse solidus, control characters) and writes every other character as its UTF-8, emoji too; the encoders of the
/// platform write those above U+FFFF as two <c>\u</c> escapes. For answers that are never embedded in HTML. Half a surrogate pair, which is no character, becomes U+FFFD. Thread-safe.
/// </summary>
public sealed unsafe class WireEncoder : JavaScriptEncoder
{
    private static readonly SearchValues<char> ToEscape = SearchValues.Create(
        [.. Enumerable.Range(0, 0x20).Select(c => (char)c), '"', '\\', '\u007f', .. Enumerable.Range(0xD800, 0x800).Select(c => (char)c)]);

    private static readonly SearchValues<byte> BytesToEscape = SearchValues.Create([.. Enumerable.Range(0, 0x20).Select(c => (byte)c), (byte)'"', (byte)'\\', 0x7f]);

    private WireEncoder()
    {
    }

    /// <summary>The only instance.</summary>
    public static WireEncoder Instance { get; } = new();

    public override int MaxOutputCharactersPerInputCharacter => 6;

    public override bool WillEncode(int unicodeScalar) => unicodeScalar is < 0x20 or '"' or '\\' or 0x7f;

    public override int FindFirstCharacterToEncode(char* text, int textLength)
    {
        var all = new ReadOnlySpan<char>(text, textLength);
        for (var at = 0; at < all.Length;)
        {
            var found = all[at..].IndexOfAny(ToEscape);
            if (found < 0)
                return -1;
            at += found;
            // A surrogate pair stays; what else was found is to be escaped or replaced.
            if (at + 1 == all.Length || !char.IsSurrogatePair(all[at], all[at + 1]))
                return at;
            at += 2;
        }

        return -1;
    }

    public override int FindFirstCharacterToEncodeUtf8(ReadOnlySpan<byte> utf8Text) =>
        Utf8.IsValid(utf8Text) ? utf8Text.IndexOfAny(BytesToEscape) : base.FindFirstCharacterToEncodeUtf8(utf8Text);

    public override bool TryEncodeUnicodeScalar(int unicodeScalar, char* buffer, int bufferLength, out int numberOfCharactersWritten)
    {
        var target = new Span<char>(buffer, bufferLength);
        if (!WillEncode(unicodeScalar))
            return new Rune(unicodeScalar).TryEncodeToUtf16(target, out numberOfCharactersWritten);
        var escape = unicodeScalar switch
        {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\b' => "\\b",
            '\f' => "\\f",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            _ => $"\\u{unicodeScalar:X4}",
        };
        numberOfCharactersWritten = 0;
        if (!escape.TryCopyTo(target))
            return false;
        numberOfCharactersWritten = escape.Length;
        return true;
    }
}
