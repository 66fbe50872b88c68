using System.Text.Encodings.Web;
using System.Text.Json;

namespace ChatPlatform.LocalAws.DynamoDb.Values;

/// <summary>
/// The JSON of whole items, straight from their stored bytes: what a Query answers is hundreds of values, and a JSON writer's care for each of them costs more than
/// everything else. The text is the same as <see cref="AttributeJson.Write(Utf8JsonWriter, AttributeValue)"/> gives.
/// </summary>
internal static class AttributeText
{
    private const int LargestKept = 64 * 1024;
    private static readonly JavaScriptEncoder Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    [ThreadStatic]
    private static ValueWriter? t_text;

    public static void Write(Utf8JsonWriter json, Item item)
    {
        var text = t_text ??= new ValueWriter(4096);
        text.Clear();
        WriteMembers(text, item.Encoded.Span);
        json.WriteRawValue(text.Written, skipInputValidation: true);
        if (text.Length > LargestKept)
            t_text = null;
    }

    private static void WriteMembers(ValueWriter text, ReadOnlySpan<byte> members)
    {
        text.WriteByte((byte)'{');
        for (var at = 0; at < members.Length;)
        {
            if (at > 0)
                text.WriteByte((byte)',');
            WriteString(text, AttributeNames.Read(members, ref at));
            text.WriteByte((byte)':');
            WriteValue(text, members, ref at);
        }

        text.WriteByte((byte)'}');
    }

    private static void WriteValue(ValueWriter text, ReadOnlySpan<byte> encoded, ref int at)
    {
        var type = (AttributeType)encoded[at++];
        var payload = Block(encoded, ref at);
        text.WriteRaw(Open(type));
        switch (type)
        {
            case AttributeType.S:
                WriteString(text, payload);
                break;
            case AttributeType.N:
                WriteNumber(text, payload);
                break;
            case AttributeType.B:
                WriteBase64(text, payload);
                break;
            case AttributeType.BOOL:
                text.WriteRaw(payload[0] != 0 ? "true"u8 : "false"u8);
                break;
            case AttributeType.NULL:
                text.WriteRaw("true"u8);
                break;
            case AttributeType.M:
                WriteMembers(text, payload);
                break;
            default:
                text.WriteByte((byte)'[');
                for (var element = 0; element < payload.Length;)
                {
                    if (element > 0)
                        text.WriteByte((byte)',');
                    if (type == AttributeType.L)
                        WriteValue(text, payload, ref element);
                    else if (type == AttributeType.SS)
                        WriteString(text, Block(payload, ref element));
                    else if (type == AttributeType.NS)
                        WriteNumber(text, Block(payload, ref element));
                    else
                        WriteBase64(text, Block(payload, ref element));
                }

                text.WriteByte((byte)']');
                break;
        }

        text.WriteByte((byte)'}');
    }

    private static ReadOnlySpan<byte> Open(AttributeType type) => type switch
    {
        AttributeType.S => "{\"S\":"u8,
        AttributeType.N => "{\"N\":"u8,
        AttributeType.B => "{\"B\":"u8,
        AttributeType.BOOL => "{\"BOOL\":"u8,
        AttributeType.NULL => "{\"NULL\":"u8,
        AttributeType.SS => "{\"SS\":"u8,
        AttributeType.NS => "{\"NS\":"u8,
        AttributeType.BS => "{\"BS\":"u8,
        AttributeType.L => "{\"L\":"u8,
        AttributeType.M => "{\"M\":"u8,
        _ => throw new InvalidDataException($"A stored value has the type {(byte)type}."),
    };

    /// <summary>Bytes with their length before them.</summary>
    private static ReadOnlySpan<byte> Block(ReadOnlySpan<byte> encoded, ref int at)
    {
        var length = VarInt.Read(encoded, ref at);
        var block = encoded.Slice(at, length);
        at += length;
        return block;
    }

    private static void WriteString(ValueWriter text, ReadOnlySpan<byte> utf8)
    {
        text.WriteByte((byte)'"');
        if (Encoder.FindFirstCharacterToEncodeUtf8(utf8) < 0)
        {
            text.WriteRaw(utf8);
        }
        else
        {
            Span<byte> escaped = stackalloc byte[512];
            while (utf8.Length > 0)
            {
                Encoder.EncodeUtf8(utf8, escaped, out var consumed, out var written);
                text.WriteRaw(escaped[..written]);
                utf8 = utf8[consumed..];
            }
        }

        text.WriteByte((byte)'"');
    }

    private static void WriteNumber(ValueWriter text, ReadOnlySpan<byte> number)
    {
        Span<byte> digits = stackalloc byte[DynamoNumber.MaxTextLength];
        text.WriteByte((byte)'"');
        text.WriteRaw(digits[..DynamoNumber.Format(number, digits)]);
        text.WriteByte((byte)'"');
    }

    private static void WriteBase64(ValueWriter text, ReadOnlySpan<byte> bytes)
    {
        text.WriteByte((byte)'"');
        // Whole groups of three bytes at a time, so that padding comes at the end only.
        Span<byte> coded = stackalloc byte[512];
        for (; bytes.Length > 0; bytes = bytes[Math.Min(bytes.Length, 384)..])
        {
            System.Buffers.Text.Base64.EncodeToUtf8(bytes[..Math.Min(bytes.Length, 384)], coded, out _, out var written);
            text.WriteRaw(coded[..written]);
        }

        text.WriteByte((byte)'"');
    }
}
