using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using ChatPlatform.Forwarder.Forward;
using MessagePack;

namespace ChatPlatform.Forwarder.Outputs;

/// <summary>Records as JSON. Binary values become base64, extensions base64 of their data, keys that are no strings their JSON text. Depth is bounded by what <see cref="MessageFramer"/> let in.</summary>
internal static class RecordJson
{
    public static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The record's own fields after <paramref name="first"/>, which may write fields before them.</summary>
    public static byte[] Write(Record record, Action<Utf8JsonWriter, Record>? first = null)
    {
        var buffer = new ArrayBufferWriter<byte>(record.Body.Length * 2);
        using var json = new Utf8JsonWriter(buffer, Options);
        var reader = new MessagePackReader(record.Body);
        WriteMap(json, ref reader, first is null ? null : () => first(json, record));
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteMap(Utf8JsonWriter json, ref MessagePackReader reader, Action? first)
    {
        json.WriteStartObject();
        first?.Invoke();
        for (var left = reader.ReadMapHeader(); left > 0; left--)
        {
            if (reader.NextMessagePackType == MessagePackType.String)
                json.WritePropertyName(reader.ReadString()!);
            else
                json.WritePropertyName(KeyText(ref reader));
            WriteValue(json, ref reader);
        }

        json.WriteEndObject();
    }

    private static string KeyText(ref MessagePackReader reader)
    {
        using var text = new MemoryStream();
        using (var inner = new Utf8JsonWriter(text, Options))
            WriteValue(inner, ref reader);
        return System.Text.Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length);
    }

    private static void WriteValue(Utf8JsonWriter json, ref MessagePackReader reader)
    {
        switch (reader.NextMessagePackType)
        {
            case MessagePackType.Map:
                WriteMap(json, ref reader, null);
                return;
            case MessagePackType.Array:
                json.WriteStartArray();
                for (var left = reader.ReadArrayHeader(); left > 0; left--)
                    WriteValue(json, ref reader);
                json.WriteEndArray();
                return;
            case MessagePackType.String:
                json.WriteStringValue(reader.ReadString());
                return;
            case MessagePackType.Integer when reader.NextCode == MessagePackCode.UInt64:
                json.WriteNumberValue(reader.ReadUInt64());
                return;
            case MessagePackType.Integer:
                json.WriteNumberValue(reader.ReadInt64());
                return;
            case MessagePackType.Float:
                var number = reader.ReadDouble();
                if (double.IsFinite(number))
                    json.WriteNumberValue(number);
                else
                    json.WriteNullValue();
                return;
            case MessagePackType.Boolean:
                json.WriteBooleanValue(reader.ReadBoolean());
                return;
            case MessagePackType.Binary:
                json.WriteBase64StringValue(reader.ReadBytes()!.Value.ToArray());
                return;
            case MessagePackType.Extension:
                json.WriteBase64StringValue(reader.ReadExtensionFormat().Data.ToArray());
                return;
            default:
                reader.Skip();
                json.WriteNullValue();
                return;
        }
    }
}
