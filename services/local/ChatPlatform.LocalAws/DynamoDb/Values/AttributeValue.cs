using System.Text;

namespace ChatPlatform.LocalAws.DynamoDb.Values;

/// <summary>The ten types of an attribute. The numbers are part of the stored form.</summary>
internal enum AttributeType : byte
{
    S = 1,
    N = 2,
    B = 3,
    BOOL = 4,
    NULL = 5,
    SS = 6,
    NS = 7,
    BS = 8,
    L = 9,
    M = 10,
}

/// <summary>
/// One value in its stored form: a type byte, the payload's length as a varint, the payload. S is UTF-8, N is <see cref="DynamoNumber"/>'s form, BOOL one byte;
/// a set is its elements, each with a varint length, in memcmp order; L is values one after another; M is names (<see cref="AttributeNames"/>) each followed by its value, in the order they were given.
/// Immutable: the bytes behind it never change.
/// </summary>
internal readonly struct AttributeValue(ReadOnlyMemory<byte> encoded)
{
    public ReadOnlyMemory<byte> Encoded { get; } = encoded;

    public AttributeType Type => (AttributeType)Encoded.Span[0];

    public ReadOnlyMemory<byte> Payload
    {
        get
        {
            var span = Encoded.Span;
            var at = 1;
            var length = VarInt.Read(span, ref at);
            return Encoded.Slice(at, length);
        }
    }

    public ReadOnlySpan<byte> PayloadSpan => Payload.Span;

    public bool IsSet => Type is AttributeType.SS or AttributeType.NS or AttributeType.BS;

    /// <summary>Text of an S.</summary>
    public string Text => Encoding.UTF8.GetString(PayloadSpan);

    public static AttributeValue Create(AttributeType type, ReadOnlySpan<byte> payload)
    {
        var writer = new ValueWriter();
        writer.Write(type, payload);
        return new AttributeValue(writer.ToArray());
    }

    /// <summary>The elements of an L.</summary>
    public List<AttributeValue> Elements()
    {
        var payload = Payload;
        var list = new List<AttributeValue>();
        for (var at = 0; at < payload.Length;)
            list.Add(Next(payload, ref at));
        return list;
    }

    /// <summary>The elements of a set, without type bytes.</summary>
    public List<ReadOnlyMemory<byte>> SetElements()
    {
        var payload = Payload;
        var list = new List<ReadOnlyMemory<byte>>();
        for (var at = 0; at < payload.Length;)
        {
            var length = VarInt.Read(payload.Span, ref at);
            list.Add(payload.Slice(at, length));
            at += length;
        }

        return list;
    }

    /// <summary>The members of an M.</summary>
    public Item Members() => new(Payload);

    /// <summary>The value that starts at <paramref name="at"/>, which moves behind it.</summary>
    public static AttributeValue Next(ReadOnlyMemory<byte> payload, ref int at)
    {
        var start = at++;
        var length = VarInt.Read(payload.Span, ref at);
        at += length;
        return new AttributeValue(payload[start..at]);
    }

    /// <summary>DynamoDB's equality: same type, same value; the order of a map's members does not matter.</summary>
    public bool ValueEquals(AttributeValue other)
    {
        if (Encoded.Span.SequenceEqual(other.Encoded.Span))
            return true;
        if (Type != other.Type)
            return false;
        switch (Type)
        {
            case AttributeType.L:
                var (mine, theirs) = (Elements(), other.Elements());
                return mine.Count == theirs.Count && mine.Zip(theirs).All(pair => pair.First.ValueEquals(pair.Second));
            case AttributeType.M:
                return Members().ValueEquals(other.Members());
            default:
                return false;
        }
    }

    /// <summary>The bytes a value counts for against item size and capacity (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html).</summary>
    public int BilledSize()
    {
        var payload = Payload;
        switch (Type)
        {
            case AttributeType.N:
                return DynamoNumber.BilledSize(payload.Span);
            case AttributeType.BOOL or AttributeType.NULL:
                return 1;
            case AttributeType.SS or AttributeType.BS:
                return SetElements().Sum(e => e.Length);
            case AttributeType.NS:
                return SetElements().Sum(e => DynamoNumber.BilledSize(e.Span));
            case AttributeType.L:
                var size = 3;
                for (var at = 0; at < payload.Length;)
                    size += 1 + Next(payload, ref at).BilledSize();
                return size;
            case AttributeType.M:
                return 3 + Members().BilledSize(perMember: 1);
            default:
                return payload.Length;
        }
    }
}

/// <summary>Members of a map, or a whole item: <see cref="AttributeType.M"/>'s payload. Immutable.</summary>
internal readonly struct Item(ReadOnlyMemory<byte> encoded)
{
    public static Item Empty => new(ReadOnlyMemory<byte>.Empty);

    public ReadOnlyMemory<byte> Encoded { get; } = encoded;

    public bool IsEmpty => Encoded.IsEmpty;

    public Enumerator GetEnumerator() => new(Encoded);

    public bool TryGet(ReadOnlySpan<byte> name, out AttributeValue value)
    {
        var found = TryFind(Encoded.Span, name, out var range);
        value = found ? new AttributeValue(Encoded[range]) : default;
        return found;
    }

    /// <summary>The payload of an attribute in an item's stored bytes; empty when the item has none of that name.</summary>
    public static ReadOnlySpan<byte> Payload(ReadOnlySpan<byte> encoded, ReadOnlySpan<byte> name)
    {
        if (!TryFind(encoded, name, out var range))
            return [];
        var value = encoded[range];
        var at = 1;
        var length = VarInt.Read(value, ref at);
        return value.Slice(at, length);
    }

    public int Count()
    {
        var count = 0;
        foreach (var _ in this)
            count++;
        return count;
    }

    public bool ValueEquals(Item other)
    {
        if (Encoded.Span.SequenceEqual(other.Encoded.Span))
            return true;
        if (Count() != other.Count())
            return false;
        foreach (var (name, value) in this)
        {
            if (!other.TryGet(name.Span, out var theirs) || !value.ValueEquals(theirs))
                return false;
        }

        return true;
    }

    /// <summary>Names and values together, as AWS counts them.</summary>
    public int BilledSize(int perMember = 0)
    {
        var size = 0;
        foreach (var (name, value) in this)
            size += perMember + name.Length + value.BilledSize();
        return size;
    }

    private static bool TryFind(ReadOnlySpan<byte> encoded, ReadOnlySpan<byte> name, out Range value)
    {
        for (var at = 0; at < encoded.Length;)
        {
            var isIt = AttributeNames.Read(encoded, ref at).SequenceEqual(name);
            var start = at++;
            var length = VarInt.Read(encoded, ref at);
            at += length;
            if (!isIt)
                continue;
            value = start..at;
            return true;
        }

        value = default;
        return false;
    }

    public struct Enumerator(ReadOnlyMemory<byte> encoded)
    {
        private int _at;

        public (ReadOnlyMemory<byte> Name, AttributeValue Value) Current { get; private set; }

        public bool MoveNext()
        {
            if (_at >= encoded.Length)
                return false;
            var name = AttributeNames.Read(encoded, ref _at);
            Current = (name, AttributeValue.Next(encoded, ref _at));
            return true;
        }
    }
}
