namespace ChatPlatform.LocalAws.DynamoDb.Values;

/// <summary>Items as the log and snapshots have them: the form in memory, but every name is spelled out after its length, so that another process can read it.</summary>
internal static class PlainForm
{
    /// <summary>Writes an item's members, names spelled out.</summary>
    public static void Write(ValueWriter writer, ReadOnlySpan<byte> item) => Members(item, writer, toPlain: true);

    /// <summary>The item in memory for one that <see cref="Write"/> wrote.</summary>
    /// <exception cref="InvalidDataException">The bytes are no item.</exception>
    public static byte[] Read(ReadOnlySpan<byte> plain, ValueWriter scratch)
    {
        scratch.Clear();
        Members(plain, scratch, toPlain: false);
        return scratch.ToArray();
    }

    private static void Members(ReadOnlySpan<byte> source, ValueWriter target, bool toPlain)
    {
        for (var at = 0; at < source.Length;)
        {
            if (toPlain)
            {
                target.WriteBlock(AttributeNames.Read(source, ref at));
            }
            else
            {
                var length = VarInt.Read(source, ref at);
                AttributeNames.Write(target, source.Slice(at, length));
                at += length;
            }

            Value(source, ref at, target, toPlain);
        }
    }

    private static void Value(ReadOnlySpan<byte> source, ref int at, ValueWriter target, bool toPlain)
    {
        var start = at;
        var type = (AttributeType)source[at++];
        var length = VarInt.Read(source, ref at);
        var payload = source.Slice(at, length);
        at += length;
        if (type is not (AttributeType.M or AttributeType.L))
        {
            target.WriteRaw(source[start..at]);
            return;
        }

        // Only what holds names has another length in the other form.
        var container = target.Begin(type);
        if (type == AttributeType.M)
        {
            Members(payload, target, toPlain);
        }
        else
        {
            for (var element = 0; element < payload.Length;)
                Value(payload, ref element, target, toPlain);
        }

        target.End(container);
    }
}
