using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Text.Json;

namespace ChatPlatform.CdcLambda.Streams;

/// <summary>
/// Goes through UTF-8 JSON (RFC 8259) once, where the caller knows what may come next: <see cref="Utf8JsonReader"/> keeps for every token what it was and
/// where, which is half of the time that an event takes. Text is handed out as it stands between its quotes. Refuses what is no sound JSON with a
/// <see cref="FormatException"/>, and nesting beyond 128 levels: items nest to 32
/// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html), each of them two levels of typed JSON, under four of the event.
/// </summary>
internal ref struct JsonScanner(ReadOnlySpan<byte> source)
{
    private const int MaximumDepth = 128;
    private static readonly SearchValues<byte> TextEnds = SearchValues.Create([.. Enumerable.Range(0, 0x20).Select(c => (byte)c), (byte)'"', (byte)'\\']);
    private static readonly SearchValues<byte> Digits = SearchValues.Create("0123456789"u8);
    private static readonly SearchValues<byte> NumberParts = SearchValues.Create("0123456789+-.eE"u8);

    private readonly ReadOnlySpan<byte> _source = source;
    private int _depth;

    /// <summary>The index of the next byte.</summary>
    public int Position { get; private set; }

    /// <summary>A place to go back to.</summary>
    public readonly (int Position, int Depth) Mark => (Position, _depth);

    public void Rewind((int Position, int Depth) mark) => (Position, _depth) = mark;

    /// <summary>The next byte that is no white space, not taken; 0 at the end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte Next()
    {
        var at = Position;
        return (uint)at < (uint)_source.Length && _source[at] > ' ' ? _source[at] : NextAfterSpace();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTake(byte expected)
    {
        if (Next() != expected)
            return false;
        Position++;
        return true;
    }

    public void Take(byte expected)
    {
        if (!TryTake(expected))
            throw Unsound();
    }

    public bool TryTake(ReadOnlySpan<byte> word)
    {
        Next();
        if (!_source[Position..].StartsWith(word))
            return false;
        Position += word.Length;
        return true;
    }

    /// <summary>Takes the bracket that opens an object or array.</summary>
    public bool TryOpen(byte bracket)
    {
        if (!TryTake(bracket))
            return false;
        _depth++;
        return _depth <= MaximumDepth ? true : throw Unsound();
    }

    /// <summary>Takes <c>{"X":</c>, the way an attribute value begins when its type has one letter and there is no space in it; takes nothing otherwise.</summary>
    public bool TryOpenOneLetter(out byte letter)
    {
        if (_source[Position..] is not [(byte)'{', (byte)'"', var one, (byte)'"', (byte)':', ..] || _depth == MaximumDepth)
        {
            letter = 0;
            return false;
        }

        letter = one;
        Position += 5;
        _depth++;
        return true;
    }

    /// <summary>For each member of an open object or element of an open array: false, with its bracket taken, when there are no more.</summary>
    /// <param name="first">True before the first one.</param>
    public bool TakesNext(byte closing, ref bool first)
    {
        if (TryTake(closing))
        {
            _depth--;
            return false;
        }

        if (!first)
            Take((byte)',');
        first = false;
        return true;
    }

    /// <summary>A member's name, and the colon after it.</summary>
    public ReadOnlySpan<byte> TakeName(out bool escaped)
    {
        var name = TakeText(out escaped);
        Take((byte)':');
        return name;
    }

    /// <summary>A string without its quotes, escapes as they stand.</summary>
    public ReadOnlySpan<byte> TakeText(out bool escaped)
    {
        Take((byte)'"');
        var start = Position;
        escaped = false;
        while (true)
        {
            Position += TextLength();
            switch (_source[Position++])
            {
                case (byte)'"':
                    return _source[start..(Position - 1)];
                case (byte)'\\':
                    escaped = true;
                    TakeEscape();
                    break;
                default:
                    throw Unsound();
            }
        }
    }

    /// <summary>Takes any value.</summary>
    public void Skip()
    {
        var first = true;
        switch (Next())
        {
            case (byte)'"':
                TakeText(out _);
                break;
            case (byte)'{':
                TryOpen((byte)'{');
                while (TakesNext((byte)'}', ref first))
                {
                    TakeName(out _);
                    Skip();
                }

                break;
            case (byte)'[':
                TryOpen((byte)'[');
                while (TakesNext((byte)']', ref first))
                    Skip();
                break;
            default:
                if (!TryTake("true"u8) && !TryTake("false"u8) && !TryTake("null"u8))
                    SkipNumber();
                break;
        }
    }

    /// <summary>Whether text as <see cref="TakeText"/> gives it says <paramref name="expected"/>.</summary>
    /// <exception cref="InvalidOperationException">It has an escape that is no character: half a surrogate pair.</exception>
    public static bool Says(ReadOnlySpan<byte> text, bool escaped, ReadOnlySpan<byte> expected)
    {
        if (!escaped)
            return text.SequenceEqual(expected);
        var reader = new Utf8JsonReader([(byte)'"', .. text, (byte)'"']);
        reader.Read();
        return reader.ValueTextEquals(expected);
    }

    /// <summary>Section 6: <c>-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?</c>.</summary>
    public static bool IsNumber(ReadOnlySpan<byte> text)
    {
        if (text is [(byte)'-', ..])
            text = text[1..];
        var whole = TakeDigits(ref text);
        if (whole.IsEmpty || (whole.Length > 1 && whole[0] == '0'))
            return false;
        if (text is [(byte)'.', ..])
        {
            text = text[1..];
            if (TakeDigits(ref text).IsEmpty)
                return false;
        }

        if (text is [(byte)'e' or (byte)'E', ..])
        {
            text = text[1..];
            if (text is [(byte)'+' or (byte)'-', ..])
                text = text[1..];
            if (TakeDigits(ref text).IsEmpty)
                return false;
        }

        return text.IsEmpty;
    }

    // To the next quote, backslash or control character. Names and most values end within the first sixteen bytes, which are looked at in one step.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly int TextLength()
    {
        var rest = _source[Position..];
        if (!Vector128.IsHardwareAccelerated || rest.Length < Vector128<byte>.Count)
            return LongTextLength(rest);
        var bytes = Vector128.Create(rest);
        var ends = Vector128.Equals(bytes, Vector128.Create((byte)'"')) | Vector128.Equals(bytes, Vector128.Create((byte)'\\')) | Vector128.LessThan(bytes, Vector128.Create((byte)' '));
        return ends == Vector128<byte>.Zero ? LongTextLength(rest) : BitOperations.TrailingZeroCount(ends.ExtractMostSignificantBits());
    }

    private readonly int LongTextLength(ReadOnlySpan<byte> rest)
    {
        var length = rest.IndexOfAny(TextEnds);
        return length >= 0 ? length : throw Unsound();
    }

    private byte NextAfterSpace()
    {
        for (; Position < _source.Length; Position++)
        {
            var next = _source[Position];
            if (next > ' ')
                return next;
            if (next is not ((byte)' ' or (byte)'\t' or (byte)'\n' or (byte)'\r'))
                throw Unsound();
        }

        return 0;
    }

    private static ReadOnlySpan<byte> TakeDigits(ref ReadOnlySpan<byte> text)
    {
        var end = text.IndexOfAnyExcept(Digits);
        var digits = end < 0 ? text : text[..end];
        text = text[digits.Length..];
        return digits;
    }

    private void SkipNumber()
    {
        var rest = _source[Position..];
        var end = rest.IndexOfAnyExcept(NumberParts);
        var number = end < 0 ? rest : rest[..end];
        if (!IsNumber(number))
            throw Unsound();
        Position += number.Length;
    }

    // The backslash is taken.
    private void TakeEscape()
    {
        var rest = _source[Position..];
        switch (rest)
        {
            case [(byte)'"' or (byte)'\\' or (byte)'/' or (byte)'b' or (byte)'f' or (byte)'n' or (byte)'r' or (byte)'t', ..]:
                Position++;
                break;
            case [(byte)'u', var a, var b, var c, var d, ..] when char.IsAsciiHexDigit((char)a) && char.IsAsciiHexDigit((char)b) && char.IsAsciiHexDigit((char)c) && char.IsAsciiHexDigit((char)d):
                Position += 5;
                break;
            default:
                throw Unsound();
        }
    }

    private readonly FormatException Unsound() => new($"The event is no sound JSON: byte {Position}.");
}
