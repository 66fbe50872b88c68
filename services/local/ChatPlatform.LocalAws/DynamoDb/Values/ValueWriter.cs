namespace ChatPlatform.LocalAws.DynamoDb.Values;

/// <summary>Unsigned LEB128 lengths.</summary>
internal static class VarInt
{
    /// <summary>The number at <paramref name="at"/>, which moves behind it.</summary>
    /// <exception cref="InvalidDataException">No length below 2^31 stands there: the bytes are not ours.</exception>
    public static int Read(ReadOnlySpan<byte> source, ref int at)
    {
        if ((uint)at < (uint)source.Length && source[at] < 0x80)
            return source[at++];
        var value = 0;
        for (var shift = 0; shift < 35; shift += 7)
        {
            if ((uint)at >= (uint)source.Length)
                break;
            var part = source[at++];
            value |= (part & 0x7F) << shift;
            if (part < 0x80)
            {
                if (value < 0)
                    break;
                return value;
            }
        }

        throw new InvalidDataException("A stored length is damaged.");
    }

    public static int Size(int value) => value switch { < 1 << 7 => 1, < 1 << 14 => 2, < 1 << 21 => 3, < 1 << 28 => 4, _ => 5 };

    public static int Write(Span<byte> target, int value)
    {
        var at = 0;
        for (var rest = (uint)value; ; rest >>= 7)
        {
            if (rest < 0x80)
            {
                target[at++] = (byte)rest;
                return at;
            }

            target[at++] = (byte)(rest | 0x80);
        }
    }
}

/// <summary>Builds the stored form of values and items. Not thread-safe.</summary>
internal sealed class ValueWriter(int capacity = 256)
{
    private byte[] _buffer = new byte[capacity];

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => _buffer.AsSpan(0, Length);

    public byte[] ToArray() => Written.ToArray();

    public Item ToItem() => new(ToArray());

    public void Clear() => Length = 0;

    public void WriteByte(byte value) => Reserve(1)[0] = value;

    public void WriteLength(int length) => VarInt.Write(Reserve(VarInt.Size(length)), length);

    public void WriteRaw(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Reserve(bytes.Length));

    /// <summary>Bytes with their length before them, e.g. an element of a set.</summary>
    public void WriteBlock(ReadOnlySpan<byte> bytes)
    {
        WriteLength(bytes.Length);
        WriteRaw(bytes);
    }

    public void Write(AttributeType type, ReadOnlySpan<byte> payload)
    {
        WriteByte((byte)type);
        WriteBlock(payload);
    }

    public void Write(AttributeValue value) => WriteRaw(value.Encoded.Span);

    public void WriteMember(ReadOnlySpan<byte> name, AttributeValue value)
    {
        AttributeNames.Write(this, name);
        Write(value);
    }

    /// <summary>Opens a container; give the result to <see cref="End"/>.</summary>
    public int Begin(AttributeType type)
    {
        WriteByte((byte)type);
        return BeginBlock();
    }

    /// <summary>Opens a block whose length is not known yet; give the result to <see cref="End"/>.</summary>
    public int BeginBlock()
    {
        WriteByte(0);
        return Length;
    }

    /// <summary>Closes a container or a block: its length is known now; the payload moves when the length needs more than the one byte kept for it.</summary>
    public void End(int start)
    {
        var length = Length - start;
        var extra = VarInt.Size(length) - 1;
        if (extra > 0)
        {
            Reserve(extra);
            _buffer.AsSpan(start, length).CopyTo(_buffer.AsSpan(start + extra));
        }

        VarInt.Write(_buffer.AsSpan(start - 1), length);
    }

    private Span<byte> Reserve(int count)
    {
        if (_buffer.Length - Length < count)
            Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, Length + count));
        var span = _buffer.AsSpan(Length, count);
        Length += count;
        return span;
    }
}
