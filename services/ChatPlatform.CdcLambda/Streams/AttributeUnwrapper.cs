namespace ChatPlatform.CdcLambda.Streams;

/// <summary>
/// Turns DynamoDB's typed JSON (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html) into plain JSON, byte for byte where it
/// can be: a string keeps its escapes, a number its digits, a binary its base64. Thread-safe.
/// </summary>
internal static class AttributeUnwrapper
{
    /// <summary>Writes one attribute value.</summary>
    /// <exception cref="MalformedItemException">Not one of DynamoDB's types, or not with a value of that type.</exception>
    /// <exception cref="FormatException">No sound JSON.</exception>
    public static void WriteValue(ref JsonScanner source, LineBuffer output)
    {
        if (source.TryOpenOneLetter(out var letter))
        {
            WriteOne(ref source, letter, output);
        }
        else
        {
            if (!source.TryOpen((byte)'{') || source.Next() != '"')
                throw new MalformedItemException("an attribute value is no object with one type");
            var type = source.TakeName(out _);
            if (type is [var spaced])
                WriteOne(ref source, spaced, output);
            else
                WriteOne(ref source, type, output);
        }

        var first = false;
        if (source.Next() != '}')
            throw new MalformedItemException("an attribute value has more than one type");
        source.TakesNext((byte)'}', ref first);
    }

    /// <summary>Writes a name as it stands, and a colon.</summary>
    public static void WriteName(ReadOnlySpan<byte> name, LineBuffer output)
    {
        var target = output.Reserve(name.Length + 3);
        target[0] = (byte)'"';
        name.CopyTo(target[1..]);
        target[name.Length + 1] = (byte)'"';
        target[name.Length + 2] = (byte)':';
        output.Advance(name.Length + 3);
    }

    private static void WriteOne(ref JsonScanner source, byte type, LineBuffer output)
    {
        switch (type)
        {
            case (byte)'S' or (byte)'B':
                Expect(ref source, (byte)'"', "S or B is no string");
                WriteText(ref source, output);
                break;
            case (byte)'N':
                Expect(ref source, (byte)'"', "N is no string");
                WriteNumber(ref source, output);
                break;
            case (byte)'M':
                Expect(ref source, (byte)'{', "M is no object");
                WriteMap(ref source, output);
                break;
            case (byte)'L':
                Expect(ref source, (byte)'[', "L is no array");
                WriteList(ref source, output);
                break;
            default:
                throw UnknownType();
        }
    }

    private static void WriteOne(ref JsonScanner source, ReadOnlySpan<byte> type, LineBuffer output)
    {
        if (type.SequenceEqual("BOOL"u8))
        {
            if (source.TryTake("true"u8))
                output.Write("true"u8);
            else if (source.TryTake("false"u8))
                output.Write("false"u8);
            else
                throw new MalformedItemException("BOOL is neither true nor false");
        }
        else if (type.SequenceEqual("NULL"u8))
        {
            if (!source.TryTake("true"u8))
                throw new MalformedItemException("NULL is not true");
            output.Write("null"u8);
        }
        else if (type.SequenceEqual("SS"u8) || type.SequenceEqual("BS"u8))
        {
            Expect(ref source, (byte)'[', "SS or BS is no array");
            WriteSet(ref source, output, numbers: false);
        }
        else if (type.SequenceEqual("NS"u8))
        {
            Expect(ref source, (byte)'[', "NS is no array");
            WriteSet(ref source, output, numbers: true);
        }
        else
        {
            throw UnknownType();
        }
    }

    private static void WriteMap(ref JsonScanner source, LineBuffer output)
    {
        source.TryOpen((byte)'{');
        output.Write((byte)'{');
        for (var first = true; ;)
        {
            var comma = !first;
            if (!source.TakesNext((byte)'}', ref first))
                break;
            if (comma)
                output.Write((byte)',');
            WriteName(source.TakeName(out _), output);
            WriteValue(ref source, output);
        }

        output.Write((byte)'}');
    }

    private static void WriteList(ref JsonScanner source, LineBuffer output)
    {
        source.TryOpen((byte)'[');
        output.Write((byte)'[');
        for (var first = true; ;)
        {
            var comma = !first;
            if (!source.TakesNext((byte)']', ref first))
                break;
            if (comma)
                output.Write((byte)',');
            WriteValue(ref source, output);
        }

        output.Write((byte)']');
    }

    private static void WriteSet(ref JsonScanner source, LineBuffer output, bool numbers)
    {
        source.TryOpen((byte)'[');
        output.Write((byte)'[');
        for (var first = true; ;)
        {
            var comma = !first;
            if (!source.TakesNext((byte)']', ref first))
                break;
            Expect(ref source, (byte)'"', "a set holds something that is no string");
            if (comma)
                output.Write((byte)',');
            if (numbers)
                WriteNumber(ref source, output);
            else
                WriteText(ref source, output);
        }

        output.Write((byte)']');
    }

    private static void WriteText(ref JsonScanner source, LineBuffer output)
    {
        var text = source.TakeText(out _);
        var target = output.Reserve(text.Length + 2);
        target[0] = (byte)'"';
        text.CopyTo(target[1..]);
        target[text.Length + 1] = (byte)'"';
        output.Advance(text.Length + 2);
    }

    // What DynamoDB returns always is a JSON number: it normalises numbers when they are written.
    private static void WriteNumber(ref JsonScanner source, LineBuffer output)
    {
        var number = source.TakeText(out _);
        if (!JsonScanner.IsNumber(number))
            throw new MalformedItemException("N is no number");
        output.Write(number);
    }

    private static void Expect(ref JsonScanner source, byte next, string otherwise)
    {
        if (source.Next() != next)
            throw new MalformedItemException(otherwise);
    }

    private static MalformedItemException UnknownType() => new("an attribute value has a type that DynamoDB does not know");
}
