using System.Buffers;
using System.Text.Json;

namespace ChatPlatform.CdcLambda.Streams;

/// <summary>
/// Turns DynamoDB's typed JSON (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html) into plain JSON, byte for byte where it can be:
/// a string keeps its escapes, a number its digits, a binary its base64. Thread-safe.
/// </summary>
internal static class AttributeUnwrapper
{
    private static readonly SearchValues<byte> Digits = SearchValues.Create("0123456789"u8);

    /// <summary>Writes the name the reader stands on and a colon.</summary>
    public static void WriteName(ref Utf8JsonReader reader, LineBuffer output)
    {
        WriteString(ref reader, output);
        output.Write((byte)':');
    }

    /// <summary>Writes one attribute value; the reader stands on its opening brace and is left on its closing one.</summary>
    /// <exception cref="MalformedItemException">Not one of DynamoDB's types, or not with a value of that type.</exception>
    public static void WriteValue(ref Utf8JsonReader reader, LineBuffer output)
    {
        if (reader.TokenType != JsonTokenType.StartObject || !reader.Read() || reader.TokenType != JsonTokenType.PropertyName)
            throw new MalformedItemException("an attribute value is no object with one type");

        var type = reader.HasValueSequence || reader.ValueIsEscaped ? default : reader.ValueSpan;
        if (type.SequenceEqual("S"u8) || type.SequenceEqual("B"u8))
        {
            Expect(ref reader, JsonTokenType.String, "S or B is no string");
            WriteString(ref reader, output);
        }
        else if (type.SequenceEqual("N"u8))
        {
            Expect(ref reader, JsonTokenType.String, "N is no string");
            WriteNumber(ref reader, output);
        }
        else if (type.SequenceEqual("M"u8))
        {
            Expect(ref reader, JsonTokenType.StartObject, "M is no object");
            WriteMap(ref reader, output);
        }
        else if (type.SequenceEqual("L"u8))
        {
            Expect(ref reader, JsonTokenType.StartArray, "L is no array");
            WriteList(ref reader, output);
        }
        else if (type.SequenceEqual("BOOL"u8))
        {
            reader.Read();
            if (reader.TokenType is not (JsonTokenType.True or JsonTokenType.False))
                throw new MalformedItemException("BOOL is neither true nor false");
            output.Write(reader.ValueSpan);
        }
        else if (type.SequenceEqual("NULL"u8))
        {
            Expect(ref reader, JsonTokenType.True, "NULL is not true");
            output.Write("null"u8);
        }
        else if (type.SequenceEqual("SS"u8) || type.SequenceEqual("BS"u8))
        {
            Expect(ref reader, JsonTokenType.StartArray, "SS or BS is no array");
            WriteSet(ref reader, output, numbers: false);
        }
        else if (type.SequenceEqual("NS"u8))
        {
            Expect(ref reader, JsonTokenType.StartArray, "NS is no array");
            WriteSet(ref reader, output, numbers: true);
        }
        else
        {
            throw new MalformedItemException("an attribute value has a type that DynamoDB does not know");
        }

        if (!reader.Read() || reader.TokenType != JsonTokenType.EndObject)
            throw new MalformedItemException("an attribute value has more than one type");
    }

    private static void WriteMap(ref Utf8JsonReader reader, LineBuffer output)
    {
        output.Write((byte)'{');
        for (var first = true; reader.Read() && reader.TokenType == JsonTokenType.PropertyName; first = false)
        {
            if (!first)
                output.Write((byte)',');
            WriteName(ref reader, output);
            reader.Read();
            WriteValue(ref reader, output);
        }

        output.Write((byte)'}');
    }

    private static void WriteList(ref Utf8JsonReader reader, LineBuffer output)
    {
        output.Write((byte)'[');
        for (var first = true; reader.Read() && reader.TokenType != JsonTokenType.EndArray; first = false)
        {
            if (!first)
                output.Write((byte)',');
            WriteValue(ref reader, output);
        }

        output.Write((byte)']');
    }

    private static void WriteSet(ref Utf8JsonReader reader, LineBuffer output, bool numbers)
    {
        output.Write((byte)'[');
        for (var first = true; reader.Read() && reader.TokenType != JsonTokenType.EndArray; first = false)
        {
            if (reader.TokenType != JsonTokenType.String)
                throw new MalformedItemException("a set holds something that is no string");
            if (!first)
                output.Write((byte)',');
            if (numbers)
                WriteNumber(ref reader, output);
            else
                WriteString(ref reader, output);
        }

        output.Write((byte)']');
    }

    private static void WriteString(ref Utf8JsonReader reader, LineBuffer output)
    {
        var raw = reader.ValueSpan;
        var target = output.Reserve(raw.Length + 2);
        target[0] = (byte)'"';
        raw.CopyTo(target[1..]);
        target[raw.Length + 1] = (byte)'"';
        output.Advance(raw.Length + 2);
    }

    private static void WriteNumber(ref Utf8JsonReader reader, LineBuffer output)
    {
        if (!IsJsonNumber(reader.ValueSpan))
            throw new MalformedItemException("N is no number");
        output.Write(reader.ValueSpan);
    }

    /// <summary>RFC 8259 section 6: <c>-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?</c>. What DynamoDB returns always is (it normalises numbers when they are written).</summary>
    internal static bool IsJsonNumber(ReadOnlySpan<byte> text)
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

    private static ReadOnlySpan<byte> TakeDigits(ref ReadOnlySpan<byte> text)
    {
        var end = text.IndexOfAnyExcept(Digits);
        var digits = end < 0 ? text : text[..end];
        text = text[digits.Length..];
        return digits;
    }

    private static void Expect(ref Utf8JsonReader reader, JsonTokenType type, string otherwise)
    {
        reader.Read();
        if (reader.TokenType != type)
            throw new MalformedItemException(otherwise);
    }
}
