using System.Buffers;
using System.Text.Json;
using Amazon.DynamoDBStreams.Model;
using ChatPlatform.Contracts.Json;

namespace ChatPlatform.LambdaEmulator.Streams;

/// <summary>
/// Writes stream records in the shape that Lambda gives a function (https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html), attributes in the order in which the stream gave them.
/// Not thread-safe: one buffer is reused.
/// </summary>
internal sealed class StreamEventWriter(string streamArn)
{
    /// <summary>DynamoDB nests 32 levels, which are two each in its JSON, and the record has some of its own.</summary>
    public const int MaximumDepth = 128;

    // An event is no HTML: text stays as it is, and only what JSON must escape is escaped.
    private static readonly JsonWriterOptions Options = new() { Encoder = WireEncoder.Instance, MaxDepth = MaximumDepth };

    private readonly ArrayBufferWriter<byte> _buffer = new(4 * 1024);

    /// <summary>The bytes of an event around and between records: <c>{"Records":[</c>, commas, <c>]}</c>.</summary>
    public static int OverheadOf(int records) => "{\"Records\":[]}".Length + Math.Max(0, records - 1);

    /// <summary>The event of these records.</summary>
    public static byte[] Join(IReadOnlyList<StreamRecord> records, int from, int end)
    {
        var length = OverheadOf(end - from);
        for (var i = from; i < end; i++)
            length += records[i].Json.Length;
        var result = new byte[length];
        var rest = result.AsSpan();
        Put("{\"Records\":["u8, ref rest);
        for (var i = from; i < end; i++)
        {
            if (i > from)
                Put(","u8, ref rest);
            Put(records[i].Json, ref rest);
        }

        Put("]}"u8, ref rest);
        return result;

        static void Put(ReadOnlySpan<byte> bytes, ref Span<byte> rest)
        {
            bytes.CopyTo(rest);
            rest = rest[bytes.Length..];
        }
    }

    public StreamRecord Write(Record record)
    {
        var change = record.Dynamodb;
        var created = new DateTimeOffset(DateTime.SpecifyKind((change.ApproximateCreationDateTime ?? DateTime.UnixEpoch).ToUniversalTime(), DateTimeKind.Utc));

        var hash = WriteKeys(change.Keys);
        _buffer.ResetWrittenCount();
        using (var json = new Utf8JsonWriter(_buffer, Options))
        {
            json.WriteStartObject();
            json.WriteString("eventID", record.EventID);
            json.WriteString("eventName", record.EventName?.Value);
            json.WriteString("eventVersion", record.EventVersion ?? "1.1");
            json.WriteString("eventSource", record.EventSource ?? "aws:dynamodb");
            json.WriteString("awsRegion", record.AwsRegion);
            json.WriteStartObject("dynamodb");
            json.WriteNumber("ApproximateCreationDateTime", created.ToUnixTimeSeconds());
            WriteImage(json, "Keys", change.Keys);
            WriteImage(json, "NewImage", change.NewImage);
            WriteImage(json, "OldImage", change.OldImage);
            json.WriteString("SequenceNumber", change.SequenceNumber);
            json.WriteNumber("SizeBytes", change.SizeBytes ?? 0);
            json.WriteString("StreamViewType", change.StreamViewType?.Value);
            json.WriteEndObject();
            if (record.UserIdentity is { } identity)
            {
                // How a TTL delete is told apart (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html).
                json.WriteStartObject("userIdentity");
                json.WriteString("principalId", identity.PrincipalId);
                json.WriteString("type", identity.Type);
                json.WriteEndObject();
            }

            json.WriteString("eventSourceARN", streamArn);
            json.WriteEndObject();
        }

        return new StreamRecord(change.SequenceNumber, _buffer.WrittenSpan.ToArray(), created, hash);
    }

    /// <summary>A hash of the key that does not depend on the order in which its attributes come.</summary>
    private uint WriteKeys(Dictionary<string, AttributeValue>? keys)
    {
        var hash = 0u;
        foreach (var (name, value) in keys ?? [])
        {
            _buffer.ResetWrittenCount();
            using (var json = new Utf8JsonWriter(_buffer, Options))
            {
                json.WriteStartObject();
                json.WritePropertyName(name);
                WriteValue(json, value);
                json.WriteEndObject();
            }

            // FNV-1a: the same after a restart, which string.GetHashCode is not.
            var part = 2166136261u;
            foreach (var b in _buffer.WrittenSpan)
                part = (part ^ b) * 16777619u;
            hash += part;
        }

        return hash;
    }

    private static void WriteImage(Utf8JsonWriter json, string name, Dictionary<string, AttributeValue>? image)
    {
        // A record has only the images that its view type and its kind of change give; the SDK may hand the others as null or as empty.
        if (image is null || image.Count == 0)
            return;
        json.WritePropertyName(name);
        WriteMap(json, image);
    }

    private static void WriteMap(Utf8JsonWriter json, Dictionary<string, AttributeValue> map)
    {
        json.WriteStartObject();
        foreach (var (name, value) in map)
        {
            json.WritePropertyName(name);
            WriteValue(json, value);
        }

        json.WriteEndObject();
    }

    private static void WriteValue(Utf8JsonWriter json, AttributeValue value)
    {
        json.WriteStartObject();
        if (value.S is not null)
            json.WriteString("S", value.S);
        else if (value.N is not null)
            json.WriteString("N", value.N);
        else if (value.BOOL is { } flag)
            json.WriteBoolean("BOOL", flag);
        else if (value.NULL is { } isNull)
            json.WriteBoolean("NULL", isNull);
        else if (value.B is not null)
            json.WriteBase64String("B", Bytes(value.B));
        else if (value.M is not null)
        {
            json.WritePropertyName("M");
            WriteMap(json, value.M);
        }
        else if (value.L is not null)
        {
            json.WriteStartArray("L");
            foreach (var item in value.L)
                WriteValue(json, item);
            json.WriteEndArray();
        }
        else if (value.SS is not null)
            WriteStrings(json, "SS", value.SS);
        else if (value.NS is not null)
            WriteStrings(json, "NS", value.NS);
        else if (value.BS is not null)
        {
            json.WriteStartArray("BS");
            foreach (var item in value.BS)
                json.WriteBase64StringValue(Bytes(item));
            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    private static void WriteStrings(Utf8JsonWriter json, string name, List<string> values)
    {
        json.WriteStartArray(name);
        foreach (var value in values)
            json.WriteStringValue(value);
        json.WriteEndArray();
    }

    private static ReadOnlySpan<byte> Bytes(MemoryStream stream) => stream.TryGetBuffer(out var buffer) ? buffer : stream.ToArray();
}
