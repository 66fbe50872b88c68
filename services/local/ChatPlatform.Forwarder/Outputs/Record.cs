using System.Buffers;
using System.Buffers.Binary;
using ChatPlatform.Forwarder.Forward;
using MessagePack;

namespace ChatPlatform.Forwarder.Outputs;

/// <param name="Tag">The tag it came with.</param>
/// <param name="Time">UTC; to the nanosecond, of which <see cref="DateTimeOffset"/> holds hundreds.</param>
/// <param name="Body">A MessagePack map. Valid as long as the batch it came in.</param>
internal readonly record struct Record(string Tag, DateTimeOffset Time, ReadOnlyMemory<byte> Body)
{
    /// <summary>The last second of the year 9999.</summary>
    private const ulong LastSecond = 253_402_300_799;

    /// <summary>The records of a frame, in order.</summary>
    public static void Read(ReadOnlyMemory<byte> frame, TagPattern match, List<Record> into)
    {
        var (tag, entries) = ChunkFrame.Read(frame);
        if (!match.Matches(tag))
            return;
        var reader = new MessagePackReader(entries);
        while (!reader.End)
        {
            reader.ReadArrayHeader();
            var withMetadata = reader.NextMessagePackType == MessagePackType.Array;
            if (withMetadata)
                reader.ReadArrayHeader();
            var time = ReadTime(ref reader);
            if (withMetadata)
                reader.Skip();
            var start = (int)reader.Consumed;
            reader.Skip();
            into.Add(new Record(tag, time, entries[start..(int)reader.Consumed]));
        }
    }

    /// <summary>The text of a top-level field, as its UTF-8 bytes; null where the field is absent or no string.</summary>
    public ReadOnlySequence<byte>? Text(ReadOnlySpan<byte> field)
    {
        var reader = new MessagePackReader(Body);
        for (var left = reader.ReadMapHeader(); left > 0; left--)
        {
            var wanted = false;
            if (reader.NextMessagePackType == MessagePackType.String)
                wanted = reader.ReadStringSequence() is { } name && name.FirstSpan.SequenceEqual(field);
            else
                reader.Skip();
            if (wanted && reader.NextMessagePackType == MessagePackType.String)
                return reader.ReadStringSequence();
            reader.Skip();
        }

        return null;
    }

    private static DateTimeOffset ReadTime(ref MessagePackReader reader)
    {
        if (reader.NextMessagePackType == MessagePackType.Integer)
        {
            // A time no calendar has is kept as the nearest one that it has: the record matters more.
            return DateTimeOffset.FromUnixTimeSeconds(reader.NextCode == MessagePackCode.UInt64
                ? (long)Math.Min(reader.ReadUInt64(), LastSecond)
                : Math.Clamp(reader.ReadInt64(), 0, (long)LastSecond));
        }

        Span<byte> stamp = stackalloc byte[8];
        reader.ReadExtensionFormat().Data.CopyTo(stamp);
        return DateTimeOffset.FromUnixTimeSeconds(BinaryPrimitives.ReadUInt32BigEndian(stamp)).AddTicks(BinaryPrimitives.ReadUInt32BigEndian(stamp[4..]) / 100);
    }
}
