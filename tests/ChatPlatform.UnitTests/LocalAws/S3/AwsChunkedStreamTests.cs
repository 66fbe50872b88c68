using System.Text;
using ChatPlatform.LocalAws.S3.Objects;
using ChatPlatform.LocalAws.S3.Wire;

namespace ChatPlatform.UnitTests.LocalAws.S3;

/// <summary>Rules: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and …/sigv4-streaming-trailers.html.</summary>
public sealed class AwsChunkedStreamTests
{
    private const int FuzzSeed = 20_260_815;
    private const int FuzzInputs = 20_000;

    [Theory]
    [InlineData("5\r\nhello\r\n0\r\n\r\n", "hello")]
    [InlineData("5;chunk-signature=abc\r\nhello\r\n6;chunk-signature=def\r\n world\r\n0;chunk-signature=ghi\r\n\r\n", "hello world")]
    [InlineData("A\r\n0123456789\r\n0\r\n\r\n", "0123456789")]
    [InlineData("2\r\n\r\n\r\n0\r\n\r\n", "\r\n")]
    [InlineData("0\r\n\r\n", "")]
    public async Task Chunks_are_joined(string wire, string expected) => (await ReadAsync(wire, null)).Text.ShouldBe(expected);

    [Theory]
    [InlineData("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n")]
    [InlineData("3\r\nabc\r\n0\r\nX-Amz-Checksum-Crc32: NSRBwg==\r\nx-amz-trailer-signature:0a1b\r\n\r\n")]
    [InlineData("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n")]
    public async Task Trailers_are_read_behind_the_last_chunk(string wire)
    {
        var (text, trailers) = await ReadAsync(wire, 3);
        text.ShouldBe("abc");
        trailers["x-amz-checksum-crc32"].ShouldBe("NSRBwg==");
    }

    [Theory]
    [InlineData("5\r\nhel", 5L, "IncompleteBody")]
    [InlineData("5\r\nhello\r\n", 5L, "IncompleteBody")]
    [InlineData("", 5L, "IncompleteBody")]
    [InlineData("3\r\nabc\r\n0\r\n\r\n", 4L, "IncompleteBody")]
    [InlineData("5\r\nhello\r\n0\r\n\r\n", 4L, "IncompleteBody")]
    [InlineData("3\r\nabcd\r\n0\r\n\r\n", null, "InvalidRequest")]
    [InlineData("x\r\nabc\r\n0\r\n\r\n", null, "InvalidRequest")]
    [InlineData("-1\r\nabc\r\n0\r\n\r\n", null, "InvalidRequest")]
    [InlineData("FFFFFFFFFFFFFFFFFF\r\nabc", null, "InvalidRequest")]
    [InlineData("3\nabc\n0\n\n", null, "InvalidRequest")]
    [InlineData("3\r\nabc\r\n0\r\nno colon\r\n\r\n", null, "InvalidRequest")]
    public async Task A_malformed_body_is_refused(string wire, long? decodedLength, string code) =>
        (await Should.ThrowAsync<S3Exception>(() => ReadAsync(wire, decodedLength))).Type.ShouldBe(code);

    [Fact]
    public async Task Any_cut_or_flipped_body_gives_its_bytes_or_an_S3_error_and_never_more_than_was_declared()
    {
        var random = new Random(FuzzSeed);
        for (var round = 0; round < FuzzInputs; round++)
        {
            var content = new byte[random.Next(0, 40)];
            random.NextBytes(content);
            var wire = Frame(content, random);
            var mutated = wire.ToArray();
            var flips = random.Next(0, 4);
            for (var i = 0; i < flips; i++)
                mutated[random.Next(mutated.Length)] = (byte)random.Next(256);
            var cut = random.Next(3) == 0 ? mutated[..random.Next(mutated.Length)] : mutated;
            try
            {
                var read = await ReadBytesAsync(new DribbleStream(cut, random), content.Length);
                read.Length.ShouldBe(content.Length, $"seed {FuzzSeed}, round {round}");
                if (flips == 0)
                    read.ShouldBe(content, $"seed {FuzzSeed}, round {round}");
            }
            catch (S3Exception error)
            {
                error.Type.ShouldBeOneOf("IncompleteBody", "InvalidRequest");
                (flips > 0 || cut.Length < wire.Length).ShouldBeTrue($"seed {FuzzSeed}, round {round}: a whole body was refused: {error.Message}");
            }
        }
    }

    private static byte[] Frame(byte[] content, Random random)
    {
        var wire = new MemoryStream();
        for (var at = 0; at < content.Length;)
        {
            var size = random.Next(1, content.Length - at + 1);
            wire.Write(Encoding.ASCII.GetBytes($"{size:x};chunk-signature=00ff\r\n"));
            wire.Write(content, at, size);
            wire.Write("\r\n"u8);
            at += size;
        }

        wire.Write("0\r\nx-amz-checksum-sha1:AAAA\r\n\r\n"u8);
        return wire.ToArray();
    }

    private static async Task<(string Text, IReadOnlyDictionary<string, string> Trailers)> ReadAsync(string wire, long? decodedLength)
    {
        using var stream = new AwsChunkedStream(new MemoryStream(Encoding.ASCII.GetBytes(wire)), decodedLength);
        using var reader = new StreamReader(stream);
        return (await reader.ReadToEndAsync(), stream.Trailers);
    }

    private static async Task<byte[]> ReadBytesAsync(Stream wire, long decodedLength)
    {
        await using var stream = new AwsChunkedStream(wire, decodedLength);
        var bytes = new MemoryStream();
        await stream.CopyToAsync(bytes);
        return bytes.ToArray();
    }

    /// <summary>Gives a few bytes at a time, as a slow network does.</summary>
    private sealed class DribbleStream(byte[] bytes, Random random) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, random.Next(1, 8))], cancellationToken);
    }
}
