using System.Globalization;
using System.Numerics;
using System.Text;

namespace ChatPlatform.LocalAws.DynamoDb.Values;

/// <summary>
/// DynamoDB's numbers: up to 38 significant decimal digits, magnitude from 1E-130 to 9.9…E+125, exact
/// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html#HowItWorks.DataTypes.Number).
/// They are kept in a canonical byte form whose <c>memcmp</c> order is the numeric order, so that a key, an index and an equality test need no decoding:
/// zero is <c>80</c>; a positive number is <c>C0</c>, its decimal exponent + 130, and its digits two a byte, each pair + 1;
/// a negative one is <c>40</c>, the complement of the same, and <c>FF</c>.
/// </summary>
internal static class DynamoNumber
{
    public const int MaxDigits = 38;
    public const int MaxEncodedLength = 2 + MaxDigits / 2 + 1;

    /// <summary>A sign, <c>0.</c>, and every decimal position from <see cref="MaxExponent"/> or down to below <see cref="MinExponent"/>.</summary>
    public const int MaxTextLength = 3 - MinExponent + MaxDigits;
    private const int MaxExponent = 125;
    private const int MinExponent = -130;
    private const byte Zero = 0x80;
    private const byte Positive = 0xC0;
    private const byte Negative = 0x40;

    /// <summary>Encodes decimal text such as <c>-12.50e3</c>; gives the bytes written into <paramref name="target"/> (at most <see cref="MaxEncodedLength"/>).</summary>
    /// <exception cref="Protocol.AwsException">ValidationException: no number, too many digits, or out of range, worded as DynamoDB does.</exception>
    public static int Encode(ReadOnlySpan<char> text, Span<byte> target)
    {
        var at = 0;
        var negative = false;
        if (at < text.Length && text[at] is '+' or '-')
            negative = text[at++] == '-';

        Span<byte> digits = stackalloc byte[MaxDigits];
        var (count, seen, exponent, point, excess) = (0, false, 0L, false, false);
        var pendingZeros = 0L;
        for (; at < text.Length && text[at] is (>= '0' and <= '9') or '.'; at++)
        {
            if (text[at] == '.')
            {
                if (point)
                    throw NotNumeric(text);
                point = true;
                continue;
            }

            seen = true;
            var digit = (byte)(text[at] - '0');
            if (point)
                exponent--;
            if (digit == 0)
            {
                if (count > 0)
                    pendingZeros++;
                continue;
            }

            // Zeros count only when a digit follows them: leading and trailing ones are trimmed.
            if (count + pendingZeros >= MaxDigits)
            {
                excess = true;
            }
            else
            {
                digits.Slice(count, (int)pendingZeros).Clear();
                count += (int)pendingZeros;
                digits[count++] = digit;
            }

            pendingZeros = 0;
        }

        if (!seen)
            throw NotNumeric(text);
        if (at < text.Length && text[at] is 'e' or 'E')
        {
            if (!int.TryParse(text[(at + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var power))
                throw NotNumeric(text);
            exponent += power;
            at = text.Length;
        }

        if (at < text.Length)
            throw NotNumeric(text);
        if (excess)
            throw TooManyDigits();
        if (count == 0)
        {
            target[0] = Zero;
            return 1;
        }

        // exponent is that of the last digit read; the trimmed zeros belong to it.
        return Encode(negative, digits[..count], exponent + pendingZeros + count - 1, target);
    }

    /// <summary>Encodes an integer of this program's own, e.g. a clock.</summary>
    public static byte[] Encode(long value)
    {
        Span<byte> target = stackalloc byte[MaxEncodedLength];
        var length = Encode(value.ToString(CultureInfo.InvariantCulture), target);
        return target[..length].ToArray();
    }

    /// <summary>The plain decimal text that DynamoDB answers: no exponent, no needless zeros.</summary>
    public static string Format(ReadOnlySpan<byte> encoded)
    {
        Span<byte> text = stackalloc byte[MaxTextLength];
        return Encoding.ASCII.GetString(text[..Format(encoded, text)]);
    }

    /// <summary>The same as ASCII; gives the bytes written into <paramref name="target"/> (at most <see cref="MaxTextLength"/>).</summary>
    public static int Format(ReadOnlySpan<byte> encoded, Span<byte> target)
    {
        if (encoded[0] == Zero)
        {
            target[0] = (byte)'0';
            return 1;
        }

        Span<byte> digits = stackalloc byte[MaxDigits + 2];
        var (negative, count, exponent) = Decode(encoded, digits);
        var length = 0;
        if (negative)
            target[length++] = (byte)'-';
        // The digits' positions run from the exponent down; those without a digit are zeros, those below 0 are fractions.
        for (var position = Math.Max(exponent, 0); position >= Math.Min(exponent - count + 1, 0); position--)
        {
            if (position == -1)
                target[length++] = (byte)'.';
            var at = exponent - position;
            target[length++] = (byte)('0' + (at >= 0 && at < count ? digits[at] : 0));
        }

        return length;
    }

    /// <summary>Exact sum, or difference when <paramref name="subtract"/>.</summary>
    /// <exception cref="Protocol.AwsException">ValidationException: the result has more than 38 digits or is out of range.</exception>
    public static byte[] Add(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right, bool subtract)
    {
        var (a, scaleA) = ToInteger(left);
        var (b, scaleB) = ToInteger(right);
        var scale = Math.Min(scaleA, scaleB);
        a *= BigInteger.Pow(10, scaleA - scale);
        b *= BigInteger.Pow(10, scaleB - scale);
        var sum = subtract ? a - b : a + b;
        Span<byte> target = stackalloc byte[MaxEncodedLength];
        var length = Encode($"{sum.ToString(CultureInfo.InvariantCulture)}E{scale}", target);
        return target[..length].ToArray();
    }

    /// <summary>The whole part when it fits, for clocks and counters.</summary>
    public static bool TryToInt64(ReadOnlySpan<byte> encoded, out long value)
    {
        var (integer, scale) = ToInteger(encoded);
        integer = scale >= 0 ? integer * BigInteger.Pow(10, scale) : BigInteger.Divide(integer, BigInteger.Pow(10, -scale));
        var fits = integer >= long.MinValue && integer <= long.MaxValue;
        value = fits ? (long)integer : 0;
        return fits;
    }

    /// <summary>
    /// The bytes a number counts for: one per two significant digits, plus one, plus one more when negative
    /// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html).
    /// </summary>
    public static int BilledSize(ReadOnlySpan<byte> encoded) => encoded[0] switch
    {
        Zero => 1,
        Positive => encoded.Length - 2 + 1,
        _ => encoded.Length - 3 + 2,
    };

    private static int Encode(bool negative, ReadOnlySpan<byte> digits, long exponent, Span<byte> target)
    {
        if (exponent > MaxExponent)
            throw DynamoDbErrors.Validation("Number overflow. Attempting to store a number with magnitude larger than supported range");
        if (exponent < MinExponent)
            throw DynamoDbErrors.Validation("Number underflow. Attempting to store a number with magnitude smaller than supported range");
        var length = 0;
        target[length++] = negative ? Negative : Positive;
        var flip = negative ? (byte)0xFF : (byte)0;
        target[length++] = (byte)((byte)(exponent - MinExponent) ^ flip);
        for (var i = 0; i < digits.Length; i += 2)
        {
            var pair = digits[i] * 10 + (i + 1 < digits.Length ? digits[i + 1] : 0);
            target[length++] = (byte)((byte)(pair + 1) ^ flip);
        }

        if (negative)
            target[length++] = 0xFF;
        return length;
    }

    private static (bool Negative, int Count, int Exponent) Decode(ReadOnlySpan<byte> encoded, Span<byte> digits)
    {
        var negative = encoded[0] == Negative;
        var flip = negative ? (byte)0xFF : (byte)0;
        var pairs = negative ? encoded[2..^1] : encoded[2..];
        var count = 0;
        foreach (var packed in pairs)
        {
            var pair = (packed ^ flip) - 1;
            digits[count++] = (byte)(pair / 10);
            digits[count++] = (byte)(pair % 10);
        }

        if (digits[count - 1] == 0)
            count--;
        return (negative, count, (encoded[1] ^ flip) + MinExponent);
    }

    /// <summary>The number as integer × 10^scale.</summary>
    private static (BigInteger Integer, int Scale) ToInteger(ReadOnlySpan<byte> encoded)
    {
        if (encoded[0] == Zero)
            return (BigInteger.Zero, 0);
        Span<byte> digits = stackalloc byte[MaxDigits + 2];
        var (negative, count, exponent) = Decode(encoded, digits);
        var integer = BigInteger.Zero;
        foreach (var digit in digits[..count])
            integer = integer * 10 + digit;
        return (negative ? -integer : integer, exponent - count + 1);
    }

    private static Protocol.AwsException NotNumeric(ReadOnlySpan<char> text) =>
        DynamoDbErrors.Validation("The parameter cannot be converted to a numeric value" + (text.IsEmpty ? "" : $": {text}"));

    private static Protocol.AwsException TooManyDigits() =>
        DynamoDbErrors.Validation("Attempting to store more than 38 significant digits in a Number");
}
