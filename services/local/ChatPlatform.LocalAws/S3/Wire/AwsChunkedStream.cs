using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using ChatPlatform.LocalAws.S3.Objects;

namespace ChatPlatform.LocalAws.S3.Wire;

/// <summary>
/// Reads the bytes inside an <c>aws-chunked</c> body: <c>HEXSIZE[;chunk-signature=…]\r\n BYTES \r\n … 0[;…]\r\n [trailer: value\r\n …] \r\n</c>
/// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html, …/sigv4-streaming-trailers.html). Every malformed body ends in
/// <see cref="S3Exception"/> <c>IncompleteBody</c> or <c>InvalidRequest</c>. Not thread-safe.
/// </summary>
/// <param name="body">What was sent.</param>
/// <param name="decodedLength">How many bytes there are inside; null when the client did not say.</param>
/// <param name="signatures">Checks each chunk when it is read whole, and the trailers, with <c>SignatureDoesNotMatch</c>; null reads signatures over. Disposed with the stream.</param>
internal sealed class AwsChunkedStream(Stream body, long? decodedLength, ChunkSignatures? signatures = null) : Stream
{
    private const int MaxLine = 4 * 1024;
    private const int MaxTrailers = 16;
    private readonly PipeReader _reader = PipeReader.Create(body, new StreamPipeReaderOptions(bufferSize: 64 * 1024, leaveOpen: true));
    private readonly Dictionary<string, string> _trailers = new(StringComparer.OrdinalIgnoreCase);
    private long _left;
    private long _read;
    private bool _inChunk;
    private string? _signature;
    private bool _ended;

    /// <summary>The trailing headers by name; complete once a read gave 0.</summary>
    public IReadOnlyDictionary<string, string> Trailers => _trailers;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => decodedLength ?? throw new NotSupportedException();

    public override long Position
    {
        get => _read;
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_ended || buffer.Length == 0)
            return 0;
        if (_left == 0 && !await NextChunkAsync(cancellationToken))
            return 0;

        var result = await _reader.ReadAsync(cancellationToken);
        var available = result.Buffer;
        if (available.IsEmpty)
            throw S3Exception.IncompleteBody();
        var part = available.Slice(0, Math.Min(Math.Min(available.Length, _left), buffer.Length));
        part.CopyTo(buffer.Span);
        signatures?.Append(part);
        var count = (int)part.Length;
        _reader.AdvanceTo(part.End);
        _left -= count;
        _read += count;
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Read asynchronously.");

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    // False at the end of the body, with the trailers read.
    private async ValueTask<bool> NextChunkAsync(CancellationToken cancellationToken)
    {
        if (_inChunk && (await LineAsync(cancellationToken)).Length != 0)
            throw S3Exception.InvalidRequest("A chunk is longer than its size says.");
        if (_inChunk)
            signatures?.EndChunk(_signature);
        _inChunk = true;
        (_left, _signature) = ParseHead(await LineAsync(cancellationToken));
        if (_left > 0)
        {
            if (decodedLength is { } most && _left > most - _read)
                throw S3Exception.IncompleteBody();
            return true;
        }

        signatures?.EndChunk(_signature);
        while (await LineAsync(cancellationToken, endIsEmpty: true) is { Length: > 0 } line)
        {
            var colon = line.IndexOf(':');
            if (colon <= 0 || _trailers.Count == MaxTrailers)
                throw S3Exception.InvalidRequest("The trailing headers are malformed.");
            _trailers[line[..colon].Trim()] = line[(colon + 1)..].Trim();
        }

        if (decodedLength is { } expected && expected != _read)
            throw S3Exception.IncompleteBody();
        signatures?.EndTrailers(_trailers);
        _ended = true;
        return false;
    }

    /// <summary>The size of a chunk and its signature, which is null when there is none.</summary>
    private static (long Size, string? Signature) ParseHead(string line)
    {
        const string signature = "chunk-signature=";
        var semicolon = line.IndexOf(';');
        var digits = semicolon < 0 ? line : line[..semicolon];
        if (digits.Length is 0 or > 15 || !long.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var size))
            throw S3Exception.InvalidRequest("A chunk's size is not a hexadecimal number.");
        var extension = semicolon < 0 ? "" : line[(semicolon + 1)..];
        return (size, extension.StartsWith(signature, StringComparison.Ordinal) ? extension[signature.Length..] : null);
    }

    private async ValueTask<string> LineAsync(CancellationToken cancellationToken, bool endIsEmpty = false)
    {
        while (true)
        {
            var result = await _reader.ReadAsync(cancellationToken);
            var buffer = result.Buffer;
            if (buffer.PositionOf((byte)'\n') is { } end)
            {
                var line = buffer.Slice(0, end);
                if (line.Length > MaxLine)
                    throw S3Exception.InvalidRequest("A line of the chunked body is too long.");
                var text = Encoding.Latin1.GetString(line);
                _reader.AdvanceTo(buffer.GetPosition(1, end));
                return text.EndsWith('\r') ? text[..^1] : throw S3Exception.InvalidRequest("A line of the chunked body does not end with CR LF.");
            }

            var (length, isEmpty) = (buffer.Length, buffer.IsEmpty);
            _reader.AdvanceTo(buffer.Start, buffer.End);
            if (length > MaxLine)
                throw S3Exception.InvalidRequest("A line of the chunked body is too long.");
            if (result.IsCompleted)
            {
                // Some clients leave out the empty line after the last trailer.
                if (endIsEmpty && isEmpty)
                    return "";
                throw S3Exception.IncompleteBody();
            }
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _reader.Complete();
            signatures?.Dispose();
        }

        base.Dispose(disposing);
    }
}
