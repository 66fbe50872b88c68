using System.Buffers;

namespace ChatPlatform.Relay.Sockets;

/// <summary>A received frame in a borrowed buffer. One owner, which disposes it; not thread-safe.</summary>
internal sealed class PooledFrame : IDisposable
{
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(2_048);

    /// <summary>In bytes.</summary>
    public int Length { get; private set; }

    public ReadOnlySpan<byte> Bytes => _buffer.AsSpan(0, Length);

    /// <summary>Where to receive on; never empty.</summary>
    public Memory<byte> Free()
    {
        if (Length == _buffer.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(2 * _buffer.Length);
            Bytes.CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = larger;
        }

        return _buffer.AsMemory(Length);
    }

    public void Advance(int count) => Length += count;

    public void Clear() => Length = 0;

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        Length = 0;
    }
}
