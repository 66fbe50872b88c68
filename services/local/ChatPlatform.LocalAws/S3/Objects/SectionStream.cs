namespace ChatPlatform.LocalAws.S3.Objects;

/// <summary>Reads <c>length</c> bytes of a stream from <c>offset</c> on, and owns it.</summary>
internal sealed class SectionStream : Stream
{
    private readonly Stream _inner;
    private readonly long _length;
    private long _position;

    public SectionStream(Stream inner, long offset, long length)
    {
        (_inner, _length) = (inner, length);
        inner.Position = offset;
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => _length;

    public override long Position
    {
        get => _position;
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        Advance(await _inner.ReadAsync(Limit(buffer), cancellationToken));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(Span<byte> buffer) => Advance(_inner.Read(buffer[..(int)Math.Min(buffer.Length, _length - _position)]));

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _inner.Dispose();
        base.Dispose(disposing);
    }

    private Memory<byte> Limit(Memory<byte> buffer) => buffer[..(int)Math.Min(buffer.Length, _length - _position)];

    private int Advance(int read)
    {
        _position += read;
        return read;
    }
}
