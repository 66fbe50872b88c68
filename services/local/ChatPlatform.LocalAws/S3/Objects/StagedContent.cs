using System.Security.Cryptography;

namespace ChatPlatform.LocalAws.S3.Objects;

/// <summary>
/// Takes the bytes of an object that is not there yet and digests them on the way: a write-only stream whose content nobody sees until it is committed,
/// and which leaves nothing behind when disposed without that. Not thread-safe.
/// </summary>
internal abstract class StagedContent : Stream
{
    private readonly IncrementalHash _md5 = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
    private readonly List<Checksum> _checksums = [];
    private long _length;

    public sealed override bool CanRead => false;

    public sealed override bool CanSeek => false;

    public sealed override bool CanWrite => true;

    /// <summary>Bytes taken so far.</summary>
    public sealed override long Length => _length;

    public sealed override long Position
    {
        get => _length;
        set => throw new NotSupportedException();
    }

    /// <summary>MD5 of all bytes so far.</summary>
    public byte[] Md5 => _md5.GetCurrentHash();

    /// <summary>Has <paramref name="algorithm"/> computed too; call it before the first write.</summary>
    public void Track(string algorithm)
    {
        if (_length > 0)
            throw new InvalidOperationException("Bytes were written before the checksum was asked for.");
        if (!_checksums.Exists(c => c.Algorithm == algorithm))
            _checksums.Add(new Checksum(algorithm));
    }

    /// <summary>Base64 value of a tracked checksum over all bytes so far.</summary>
    public string ChecksumOf(string algorithm) => _checksums.Find(c => c.Algorithm == algorithm)?.ToBase64()
        ?? throw new InvalidOperationException($"{algorithm} is not tracked.");

    public sealed override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Digest(buffer.Span);
        await StoreAsync(buffer, cancellationToken);
    }

    public sealed override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public sealed override void Write(ReadOnlySpan<byte> buffer)
    {
        Digest(buffer);
        Store(buffer);
    }

    public sealed override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public sealed override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public sealed override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public sealed override void SetLength(long value) => throw new NotSupportedException();

    protected abstract ValueTask StoreAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken);

    protected abstract void Store(ReadOnlySpan<byte> bytes);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _md5.Dispose();
            _checksums.ForEach(c => c.Dispose());
        }

        base.Dispose(disposing);
    }

    private void Digest(ReadOnlySpan<byte> bytes)
    {
        _md5.AppendData(bytes);
        foreach (var checksum in _checksums)
            checksum.Append(bytes);
        _length += bytes.Length;
    }
}

/// <summary>The bytes of a stored object or part. Thread-safe; a reader that opened them keeps them whole even when they are deleted meanwhile.</summary>
internal abstract class StoredContent
{
    public abstract long Length { get; }

    /// <exception cref="FileNotFoundException">The content was deleted.</exception>
    public abstract Stream OpenRead(long offset, long length);

    public abstract void Delete();
}
