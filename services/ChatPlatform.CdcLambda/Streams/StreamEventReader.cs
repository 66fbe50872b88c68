using System.Buffers.Binary;
using System.Numerics;
using System.Text.Json;

namespace ChatPlatform.CdcLambda.Streams;

/// <summary>
/// Reads a DynamoDB stream event (https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html) in one pass over its UTF-8 and unwraps every NewImage to a flat
/// JSON line. Nothing is allocated per record or attribute. Not thread-safe only through the buffers it is given.
/// </summary>
/// <param name="dropFields">UTF-8 names of top-level attributes that leave no trace.</param>
/// <param name="kindField">UTF-8 name of the top-level string attribute that tells the item's kind: its value up to the first <c>#</c>.</param>
/// <param name="dropKinds">UTF-8 kinds whose items leave no line.</param>
internal sealed class StreamEventReader(byte[][] dropFields, byte[] kindField, byte[][] dropKinds)
{
    /// <summary>Appends a line to <paramref name="lines"/> and an entry to <paramref name="records"/> for every record, in the event's order.</summary>
    /// <exception cref="FormatException">No JSON, no <c>Records</c> array, or a record without a sequence number.</exception>
    public void Read(ReadOnlySpan<byte> source, LineBuffer lines, List<StreamRecord> records)
    {
        var scanner = new JsonScanner(source);
        if (!scanner.TryOpen((byte)'{'))
            throw new FormatException("The event is no JSON object.");
        var found = false;
        for (var first = true; scanner.TakesNext((byte)'}', ref first);)
        {
            var name = scanner.TakeName(out _);
            if (!name.SequenceEqual("Records"u8))
            {
                scanner.Skip();
                continue;
            }

            found = true;
            if (!scanner.TryOpen((byte)'['))
                throw new FormatException("The event's Records is no array.");
            for (var firstRecord = true; scanner.TakesNext((byte)']', ref firstRecord);)
            {
                if (scanner.Next() != '{')
                    throw new FormatException("The event's Records holds something that is no object.");
                records.Add(ReadRecord(source, ref scanner, lines));
            }
        }

        if (!found)
            throw new FormatException("The event has no Records: it is not from a DynamoDB stream.");
    }

    private StreamRecord ReadRecord(ReadOnlySpan<byte> source, ref JsonScanner scanner, LineBuffer lines)
    {
        var (beginning, start) = (scanner.Mark, lines.Length);
        try
        {
            return ReadRecord(source, ref scanner, lines, unwrap: true);
        }
        catch (Exception error) when (error is MalformedItemException or InvalidOperationException)
        {
            // InvalidOperationException is the word for an escape that is no text. The record is read again for its sequence number alone, which may come last.
            lines.CutBack(start);
            scanner.Rewind(beginning);
            var problem = error is MalformedItemException ? error.Message : "a name is no sound Unicode";
            return ReadRecord(source, ref scanner, lines, unwrap: false) with { Problem = problem };
        }
    }

    private StreamRecord ReadRecord(ReadOnlySpan<byte> source, ref JsonScanner scanner, LineBuffer lines, bool unwrap)
    {
        var start = lines.Length;
        var (sequenceStart, sequenceLength, item) = (0, 0, 0UL);
        scanner.TryOpen((byte)'{');
        for (var first = true; scanner.TakesNext((byte)'}', ref first);)
        {
            if (!scanner.TakeName(out _).SequenceEqual("dynamodb"u8) || !scanner.TryOpen((byte)'{'))
            {
                scanner.Skip();
                continue;
            }

            for (var firstMember = true; scanner.TakesNext((byte)'}', ref firstMember);)
            {
                var member = scanner.TakeName(out _);
                var next = scanner.Next();
                if (unwrap && member.SequenceEqual("NewImage"u8) && next != 'n')
                {
                    WriteImage(ref scanner, lines);
                }
                else if (next == '"' && member.SequenceEqual("SequenceNumber"u8))
                {
                    sequenceStart = scanner.Position + 1;
                    sequenceLength = scanner.TakeText(out _).Length;
                }
                else if (next == '{' && member.SequenceEqual("Keys"u8))
                {
                    item = HashKeys(source, ref scanner);
                }
                else
                {
                    scanner.Skip();
                }
            }
        }

        if (sequenceLength == 0)
            throw new FormatException("A record of the event has no SequenceNumber.");
        return new StreamRecord(start, lines.Length - start, sequenceStart, sequenceLength, item, null);
    }

    // Names and values of each key, added up so that their order does not count. Raw bytes: one writer escapes a value the same way every time.
    private static ulong HashKeys(ReadOnlySpan<byte> source, ref JsonScanner scanner)
    {
        scanner.TryOpen((byte)'{');
        var sum = 0UL;
        for (var first = true; scanner.TakesNext((byte)'}', ref first);)
        {
            var start = scanner.Position;
            scanner.TakeName(out _);
            scanner.Skip();
            sum += Hash(source[start..scanner.Position]);
        }

        return sum == 0 ? 1 : sum;
    }

    // FNV-1a over words of eight bytes, turned so that every bit reaches the others.
    private static ulong Hash(ReadOnlySpan<byte> bytes)
    {
        const ulong Offset = 14695981039346656037, Prime = 1099511628211;
        var hash = Offset ^ (ulong)bytes.Length;
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
            hash = BitOperations.RotateLeft((hash ^ BinaryPrimitives.ReadUInt64LittleEndian(bytes)) * Prime, 27);
        foreach (var b in bytes)
            hash = (hash ^ b) * Prime;
        return hash;
    }

    private void WriteImage(ref JsonScanner scanner, LineBuffer lines)
    {
        if (!scanner.TryOpen((byte)'{'))
            throw new MalformedItemException("NewImage is no object");
        var start = lines.Length;
        var (comma, drop) = (false, false);
        lines.Write((byte)'{');
        for (var first = true; scanner.TakesNext((byte)'}', ref first);)
        {
            var mark = lines.Length;
            var name = scanner.TakeName(out var escaped);
            var dropped = IsAny(name, escaped, dropFields);
            var isKind = dropKinds.Length > 0 && JsonScanner.Says(name, escaped, kindField);
            if (comma)
                lines.Write((byte)',');
            AttributeUnwrapper.WriteName(name, lines);
            var value = lines.Length;
            AttributeUnwrapper.WriteValue(ref scanner, lines);
            if (isKind && IsDroppedKind(lines.Span[value..]))
                drop = true;
            if (dropped)
                lines.CutBack(mark);
            else
                comma = true;
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

    private static bool IsAny(ReadOnlySpan<byte> name, bool escaped, byte[][] names)
    {
        foreach (var one in names)
        {
            if (JsonScanner.Says(name, escaped, one))
                return true;
        }

        return false;
    }
}
