using System.Text.Json;

namespace ChatPlatform.CdcLambda.Streams;

/// <summary>
/// Reads a DynamoDB stream event (https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html) in one pass over its UTF-8 and unwraps every NewImage to a flat JSON line.
/// Nothing is allocated per record or attribute. Not thread-safe only through the buffers it is given.
/// </summary>
/// <param name="dropFields">UTF-8 names of top-level attributes that leave no trace.</param>
/// <param name="kindField">UTF-8 name of the top-level string attribute that tells the item's kind: its value up to the first <c>#</c>.</param>
/// <param name="dropKinds">UTF-8 kinds whose items leave no line.</param>
internal sealed class StreamEventReader(byte[][] dropFields, byte[] kindField, byte[][] dropKinds)
{
    // Items nest to 32 levels (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html), each of them two levels of typed JSON, under four of the event.
    private static readonly JsonReaderOptions Options = new() { MaxDepth = 128 };

    /// <summary>Appends a line to <paramref name="lines"/> and an entry to <paramref name="records"/> for every record, in the event's order.</summary>
    /// <exception cref="FormatException">No JSON, no <c>Records</c> array, or a record without a sequence number.</exception>
    public void Read(ReadOnlySpan<byte> source, LineBuffer lines, List<StreamRecord> records)
    {
        try
        {
            var reader = new Utf8JsonReader(source, Options);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                throw new FormatException("The event is no JSON object.");
            var found = false;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (!reader.ValueTextEquals("Records"u8))
                {
                    reader.Skip();
                    continue;
                }

                found = true;
                reader.Read();
                if (reader.TokenType != JsonTokenType.StartArray)
                    throw new FormatException("The event's Records is no array.");
                while (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
                    records.Add(ReadRecord(ref reader, lines));
                if (reader.TokenType != JsonTokenType.EndArray)
                    throw new FormatException("The event's Records holds something that is no object.");
            }

            if (!found)
                throw new FormatException("The event has no Records: it is not from a DynamoDB stream.");
        }
        catch (JsonException error)
        {
            throw new FormatException($"The event is no sound JSON: line {error.LineNumber}, byte {error.BytePositionInLine}.");
        }
    }

    private StreamRecord ReadRecord(ref Utf8JsonReader reader, LineBuffer lines)
    {
        var beginning = reader;
        var start = lines.Length;
        try
        {
            return ReadRecord(ref reader, lines, unwrap: true);
        }
        catch (Exception error) when (error is MalformedItemException or InvalidOperationException)
        {
            // InvalidOperationException is the reader's word for an escape that is no text. The record is read again for its sequence number alone, which may come last.
            lines.CutBack(start);
            reader = beginning;
            var problem = error is MalformedItemException ? error.Message : "a name is no sound Unicode";
            return ReadRecord(ref reader, lines, unwrap: false) with { Problem = problem };
        }
    }

    private StreamRecord ReadRecord(ref Utf8JsonReader reader, LineBuffer lines, bool unwrap)
    {
        var start = lines.Length;
        var (sequenceStart, sequenceLength, item) = (0, 0, 0UL);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isChange = reader.ValueTextEquals("dynamodb"u8);
            reader.Read();
            if (!isChange || reader.TokenType != JsonTokenType.StartObject)
            {
                reader.Skip();
                continue;
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isImage = unwrap && reader.ValueTextEquals("NewImage"u8);
                var isSequence = !isImage && reader.ValueTextEquals("SequenceNumber"u8);
                var isKeys = !isImage && !isSequence && reader.ValueTextEquals("Keys"u8);
                reader.Read();
                if (isImage && reader.TokenType != JsonTokenType.Null)
                {
                    WriteImage(ref reader, lines);
                }
                else if (isSequence && reader.TokenType == JsonTokenType.String)
                {
                    // The token starts at its quote.
                    sequenceStart = checked((int)reader.TokenStartIndex) + 1;
                    sequenceLength = reader.ValueSpan.Length;
                }
                else if (isKeys && reader.TokenType == JsonTokenType.StartObject)
                {
                    item = HashKeys(ref reader);
                }
                else
                {
                    reader.Skip();
                }
            }
        }

        if (sequenceLength == 0)
            throw new FormatException("A record of the event has no SequenceNumber.");
        return new StreamRecord(start, lines.Length - start, sequenceStart, sequenceLength, item, null);
    }

    // FNV-1a over name and value of each key, added up so that their order does not count. Raw bytes: one writer escapes a value the same way every time.
    private static ulong HashKeys(ref Utf8JsonReader reader)
    {
        const ulong Offset = 14695981039346656037, Prime = 1099511628211;
        var sum = 0UL;
        var depth = reader.CurrentDepth;
        var hash = Offset;
        while (reader.Read() && reader.CurrentDepth > depth)
        {
            if (reader.TokenType is JsonTokenType.PropertyName or JsonTokenType.String)
            {
                foreach (var b in reader.ValueSpan)
                    hash = (hash ^ b) * Prime;
                hash = (hash ^ 0xFF) * Prime;
            }
            else if (reader.TokenType == JsonTokenType.EndObject)
            {
                sum += hash;
                hash = Offset;
            }
        }

        return sum == 0 ? 1 : sum;
    }

    private void WriteImage(ref Utf8JsonReader reader, LineBuffer lines)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw new MalformedItemException("NewImage is no object");
        var start = lines.Length;
        var (first, drop) = (true, false);
        lines.Write((byte)'{');
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var mark = lines.Length;
            var dropped = IsAny(ref reader, dropFields);
            var isKind = dropKinds.Length > 0 && reader.ValueTextEquals(kindField);
            if (!first)
                lines.Write((byte)',');
            AttributeUnwrapper.WriteName(ref reader, lines);
            reader.Read();
            var value = lines.Length;
            AttributeUnwrapper.WriteValue(ref reader, lines);
            if (isKind && IsDroppedKind(lines.Span[value..]))
                drop = true;
            if (dropped)
                lines.CutBack(mark);
            else
                first = false;
        }

        lines.Write("}\n"u8);
        if (drop)
            lines.CutBack(start);
    }

    private bool IsDroppedKind(ReadOnlySpan<byte> value)
    {
        if (value[0] != '"')
            return false;
        var text = value[1..^1];
        if (text.Contains((byte)'\\'))
        {
            var reader = new Utf8JsonReader(value);
            reader.Read();
            text = System.Text.Encoding.UTF8.GetBytes(reader.GetString()!);
        }

        var end = text.IndexOf((byte)'#');
        var kind = end < 0 ? text : text[..end];
        foreach (var dropped in dropKinds)
        {
            if (kind.SequenceEqual(dropped))
                return true;
        }

        return false;
    }

    private static bool IsAny(ref Utf8JsonReader reader, byte[][] names)
    {
        foreach (var name in names)
        {
            if (reader.ValueTextEquals(name))
                return true;
        }

        return false;
    }
}
