using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using ChatPlatform.LocalAws.DynamoDb.Values;
using ChatPlatform.LocalAws.Streams;

namespace ChatPlatform.LocalAws.DynamoDb.Tables;

/// <summary>The kinds of entries in log frames and snapshots. The numbers are part of the stored form.</summary>
internal enum ChangeKind : byte
{
    DefineTable = 1,
    DropTable = 2,
    Put = 3,
    Delete = 4,
    Expire = 5,
    DefineStream = 6,
    Token = 7,

    /// <summary>In snapshots only: the counters.</summary>
    Counters = 8,

    /// <summary>In snapshots only: a stream's record.</summary>
    Record = 9,

    /// <summary>In snapshots only, last: the snapshot is whole.</summary>
    End = 10,
}

/// <summary>
/// Writes one commit: its number (8 bytes), its time (epoch milliseconds, 8 bytes), then its changes. A commit is one frame, so that a crash leaves all of it or nothing.
/// </summary>
internal sealed class ChangeWriter
{
    public const int HeaderLength = 16;
    private readonly ValueWriter _writer = new(1024);

    public ReadOnlySpan<byte> Written => _writer.Written;

    public bool IsEmpty => _writer.Length <= HeaderLength;

    public int Length => _writer.Length;

    public void Begin(long number, long time)
    {
        _writer.Clear();
        Int64(number);
        Int64(time);
    }

    public void DefineTable(TableDefinition definition) => Json(ChangeKind.DefineTable, definition);

    public void DropTable(int table)
    {
        Kind(ChangeKind.DropTable);
        _writer.WriteLength(table);
    }

    public void Put(int table, ReadOnlySpan<byte> item)
    {
        Kind(ChangeKind.Put);
        _writer.WriteLength(table);
        Item(item);
    }

    public void Delete(int table, ReadOnlySpan<byte> key, bool expired)
    {
        Kind(expired ? ChangeKind.Expire : ChangeKind.Delete);
        _writer.WriteLength(table);
        _writer.WriteBlock(key);
    }

    public void DefineStream(StreamDefinition definition) => Json(ChangeKind.DefineStream, definition);

    public void Token(TransactionToken token, long time)
    {
        Kind(ChangeKind.Token);
        Span<byte> half = stackalloc byte[TransactionToken.HalfLength];
        BinaryPrimitives.WriteUInt128LittleEndian(half, token.Id);
        _writer.WriteBlock(half);
        BinaryPrimitives.WriteUInt128LittleEndian(half, token.Request);
        _writer.WriteBlock(half);
        Int64(time);
    }

    public void Counters(long sequence, int tables, int streams)
    {
        Kind(ChangeKind.Counters);
        Int64(sequence);
        _writer.WriteLength(tables);
        _writer.WriteLength(streams);
    }

    public void Record(int stream, string shard, StreamRecord record)
    {
        Kind(ChangeKind.Record);
        _writer.WriteLength(stream);
        _writer.WriteBlock(Encoding.UTF8.GetBytes(shard));
        Int64(record.Sequence);
        Int64(record.Time);
        _writer.WriteByte(record.Expired ? (byte)1 : (byte)0);
        Item(record.Old);
        Item(record.New);
    }

    public void End() => Kind(ChangeKind.End);

    private void Item(ReadOnlySpan<byte> item)
    {
        var start = _writer.BeginBlock();
        PlainForm.Write(_writer, item);
        _writer.End(start);
    }

    private void Kind(ChangeKind kind) => _writer.WriteByte((byte)kind);

    private void Int64(long value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        _writer.WriteRaw(bytes);
    }

    private void Json<T>(ChangeKind kind, T definition)
    {
        Kind(kind);
        _writer.WriteBlock(JsonSerializer.SerializeToUtf8Bytes(definition));
    }
}

/// <summary>Reads what <see cref="ChangeWriter"/> wrote, in the same order.</summary>
internal ref struct ChangeReader(ReadOnlySpan<byte> frame)
{
    private readonly ReadOnlySpan<byte> _frame = frame;
    private int _at;

    public readonly bool IsAtEnd => _at >= _frame.Length;

    public ChangeKind Kind() => (ChangeKind)Byte();

    public byte Byte() => _frame[_at++];

    public int Length() => VarInt.Read(_frame, ref _at);

    public long Int64()
    {
        var value = BinaryPrimitives.ReadInt64LittleEndian(_frame[_at..]);
        _at += 8;
        return value;
    }

    public ReadOnlySpan<byte> Block()
    {
        var length = Length();
        var block = _frame.Slice(_at, length);
        _at += length;
        return block;
    }

    public string Text() => Encoding.UTF8.GetString(Block());

    public T Json<T>() => JsonSerializer.Deserialize<T>(Block()) ?? throw new InvalidDataException("A stored definition is empty.");
}
