using System.Buffers;

namespace ChatPlatform.CdcLambda;

/// <summary>Bytes that grow in a pooled array and can be cut back: what was written for a field or an item that turns out to be dropped is taken back. Not thread-safe.</summary>
internal sealed class LineBuffer(int capacity) : IDisposable
{
    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(capacity);

    /// <summary>How many bytes are written.</summary>
    public int Length { get; private set; }

    public ReadOnlyMemory<byte> Written => _bytes.AsMemory(0, Length);

    public ReadOnlySpan<byte> Span => _bytes.AsSpan(0, Length);

    public void Clear() => Length = 0;

    /// <summary>Takes back everything written after the first <paramref name="length"/> bytes.</summary>
    public void CutBack(int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        Length = length;
    }

    public void Write(byte value)
    {
        if (Length == _bytes.Length)
            Grow(1);
        _bytes[Length] = value;
        Length++;
    }

    public void Write(ReadOnlySpan<byte> value)
    {
        value.CopyTo(Reserve(value.Length));
        Advance(value.Length);
    }

    /// <summary>At least <paramref name="size"/> bytes to write into, followed by <see cref="Advance"/>; valid until the next write.</summary>
    public Span<byte> Reserve(int size)
    {
        if (_bytes.Length - Length < size)
            Grow(size);
        return _bytes.AsSpan(Length);
    }

    /// <summary>As <see cref="Reserve"/>, for asynchronous readers.</summary>
    public Memory<byte> ReserveMemory(int size)
    {
        if (_bytes.Length - Length < size)
            Grow(size);
        return _bytes.AsMemory(Length);
    }

    public void Advance(int count) => Length += count;

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = [];
        Length = 0;
    }

    private void Grow(int size)
    {
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(checked(Length + size), _bytes.Length * 2));
        Span.CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = larger;
    }
}
