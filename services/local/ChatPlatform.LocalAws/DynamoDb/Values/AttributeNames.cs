using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.IO.Hashing;

namespace ChatPlatform.LocalAws.DynamoDb.Values;

/// <summary>
/// Names of attributes as they stand in values in memory: a table's items repeat the same few, so that an item holds a name's number in place of it, mostly one byte.
/// A varint: odd = a known name's number and a one; even = the name's length and a zero, then its UTF-8. Numbers are this process's own; what leaves it has the names
/// (<see cref="PlainForm"/>). One form a name for the process's whole life, so that equal bytes stay equal. Thread-safe.
/// </summary>
internal static class AttributeNames
{
    /// <summary>Names beyond that stay as they are: who keys maps by user has no end of them. Numbers below take two bytes at most.</summary>
    private const int MostKnown = 8192;

    /// <summary>The longest name, in bytes, that is kept.</summary>
    private const int LongestKnown = 64;

    private static readonly Lock Gate = new();
    private static readonly ConcurrentDictionary<byte[], int> Numbers = new(new BytesComparer());
    private static readonly ConcurrentDictionary<byte[], int>.AlternateLookup<ReadOnlySpan<byte>> NumbersBySpan = Numbers.GetAlternateLookup<ReadOnlySpan<byte>>();

    /// <summary>Filled under <see cref="Gate"/>; a number is given away only after its name stands here.</summary>
    private static readonly byte[]?[] Names = new byte[]?[MostKnown];

    public static void Write(ValueWriter writer, ReadOnlySpan<byte> name)
    {
        if (name.Length <= LongestKnown && (NumbersBySpan.TryGetValue(name, out var number) || TryAdd(name, out number)))
        {
            writer.WriteLength((number << 1) | 1);
            return;
        }

        writer.WriteLength(name.Length << 1);
        writer.WriteRaw(name);
    }

    /// <summary>The UTF-8 of the name at <paramref name="at"/>, which moves behind it.</summary>
    /// <exception cref="InvalidDataException">The bytes are not ours.</exception>
    public static ReadOnlySpan<byte> Read(ReadOnlySpan<byte> encoded, ref int at)
    {
        var mark = VarInt.Read(encoded, ref at);
        if ((mark & 1) != 0)
            return Known(mark >> 1);
        var name = encoded.Slice(at, mark >> 1);
        at += name.Length;
        return name;
    }

    /// <inheritdoc cref="Read(ReadOnlySpan{byte}, ref int)"/>
    public static ReadOnlyMemory<byte> Read(ReadOnlyMemory<byte> encoded, ref int at)
    {
        var mark = VarInt.Read(encoded.Span, ref at);
        if ((mark & 1) != 0)
            return Known(mark >> 1);
        var name = encoded.Slice(at, mark >> 1);
        at += name.Length;
        return name;
    }

    private static byte[] Known(int number) =>
        number < MostKnown && Names[number] is { } name ? name : throw new InvalidDataException("A stored name is damaged.");

    private static bool TryAdd(ReadOnlySpan<byte> name, out int number)
    {
        // Full for good: no lock for every further name.
        if (Volatile.Read(ref Names[MostKnown - 1]) is not null)
        {
            number = 0;
            return false;
        }

        lock (Gate)
        {
            if (NumbersBySpan.TryGetValue(name, out number))
                return true;
            number = Numbers.Count;
            if (number == MostKnown)
                return false;
            var kept = name.ToArray();
            Volatile.Write(ref Names[number], kept);
            Numbers[kept] = number;
            return true;
        }
    }

    private sealed class BytesComparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
    {
        public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode([DisallowNull] byte[] obj) => GetHashCode(obj.AsSpan());

        public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

        public int GetHashCode(ReadOnlySpan<byte> alternate) => (int)XxHash3.HashToUInt64(alternate);

        public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();
    }
}
