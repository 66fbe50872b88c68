using System.Text;
using ChatPlatform.LocalAws.S3.Objects;
using ChatPlatform.LocalAws.S3.Wire;

namespace ChatPlatform.UnitTests.LocalAws.S3;

/// <summary>
/// The two worked examples of https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and …/sigv4-streaming-trailers.html: 66,560 letters a in chunks of
/// 65,536 and 1,024 bytes.
/// </summary>
public sealed class ChunkSignatureTests
{
    private const string Plain = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    private const string WithTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
    private static readonly SigningCredentials Credentials = new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");

    private static readonly string PlainBody = Body(
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648", "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9");

    private static readonly string TrailerBody = Body(
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2", "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
        "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n");

    [Fact]
    public async Task The_examples_of_the_documentation_are_accepted()
    {
        (await ReadAsync(Plain, PlainBody)).ShouldBe(new string('a', 66_560));
        (await ReadAsync(WithTrailer, TrailerBody)).ShouldBe(new string('a', 66_560));
    }

    [Theory]
    [InlineData("aaaa\r\n400;", "aaab\r\n400;")]
    [InlineData("aaaa\r\n0;", "baaa\r\n0;")]
    [InlineData("d449df9", "d449df8")]
    [InlineData(";chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497", "")]
    public async Task A_chunk_that_was_changed_breaks_the_chain(string from, string to)
    {
        PlainBody.ShouldContain(from);
        (await Should.ThrowAsync<S3Exception>(() => ReadAsync(Plain, PlainBody.Replace(from, to)))).Type.ShouldBe("SignatureDoesNotMatch");
    }

    [Theory]
    [InlineData("sOO8/Q==", "sOO8/A==")]
    [InlineData("x-amz-trailer-signature:d81f", "x-amz-trailer-signature:d81e")]
    [InlineData("x-amz-trailer-signature:", "x-amz-meta-signature:")]
    public async Task A_trailer_that_was_changed_breaks_the_chain(string from, string to) =>
        (await Should.ThrowAsync<S3Exception>(() => ReadAsync(WithTrailer, TrailerBody.Replace(from, to)))).Type.ShouldBe("SignatureDoesNotMatch");

    [Fact]
    public async Task The_chain_begins_with_the_signature_of_the_request() =>
        (await Should.ThrowAsync<S3Exception>(() => ReadAsync(WithTrailer, PlainBody))).Type.ShouldBe("SignatureDoesNotMatch");

    [Theory]
    [InlineData(null, null)]
    [InlineData("another", "secret")]
    public async Task Chunks_of_a_key_that_is_not_known_are_taken_as_they_are(string? id, string? secret)
    {
        Signatures(Plain, new SigningCredentials(id, secret)).ShouldBeNull();
        (await ReadAsync(Plain, PlainBody.Replace("d449df9", "d449df8"), new SigningCredentials(id, secret))).Length.ShouldBe(66_560);
    }

    [Theory]
    [InlineData("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")]
    [InlineData("STREAMING-EVENTS")]
    public void Another_kind_of_streaming_is_refused_by_name(string kind)
    {
        var refused = Should.Throw<S3Exception>(() => Signatures(kind, Credentials));
        (refused.Type, refused.Message.Contains(kind)).ShouldBe(("NotImplemented", true));
    }

    [Theory]
    [InlineData("STREAMING-UNSIGNED-PAYLOAD-TRAILER")]
    [InlineData("UNSIGNED-PAYLOAD")]
    [InlineData(null)]
    public void A_body_that_is_not_signed_in_chunks_is_not_checked(string? kind) => Signatures(kind, Credentials).ShouldBeNull();

    private static string Body(string first, string second, string last, string trailers = "") =>
        $"10000;chunk-signature={first}\r\n{new string('a', 65_536)}\r\n400;chunk-signature={second}\r\n{new string('a', 1_024)}\r\n0;chunk-signature={last}\r\n{trailers}\r\n";

    private static ChunkSignatures? Signatures(string? kind, SigningCredentials credentials) => ChunkSignatures.Of(
        kind,
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature="
        + (kind == WithTrailer ? "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e" : "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"),
        "20130524T000000Z",
        credentials);

    private static async Task<string> ReadAsync(string kind, string wire, SigningCredentials? credentials = null)
    {
        using var stream = new AwsChunkedStream(new MemoryStream(Encoding.ASCII.GetBytes(wire)), 66_560, Signatures(kind, credentials ?? Credentials));
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync();
    }
}
