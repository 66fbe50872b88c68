using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Xml.Linq;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace ChatPlatform.ServiceTests.LocalAws;

/// <summary>
/// The five checksums as headers, trailers and of multipart uploads (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html),
/// and the signatures of chunks. The CRCs are computed here bit by bit, parameters: https://reveng.sourceforge.io/crc-catalogue/all.htm.
/// </summary>
public sealed class S3ChecksumTests(SharedObjectStorage shared) : IClassFixture<SharedObjectStorage>
{
    private static readonly byte[] Digits = "123456789"u8.ToArray();

    public static TheoryData<string> Algorithms => new("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256");

    [Theory]
    [MemberData(nameof(Algorithms))]
    public async Task A_right_checksum_in_a_header_or_trailer_is_kept(string algorithm)
    {
        var (bucket, header, value) = (await shared.NewBucketAsync(), Header(algorithm), Of(algorithm, Digits));
        foreach (var inTrailer in (bool[])[false, true])
        {
            using var stored = await PutAsync(bucket, header, value, inTrailer);
            stored.StatusCode.ShouldBe(HttpStatusCode.OK, await stored.Content.ReadAsStringAsync());
            stored.Headers.GetValues(header).Single().ShouldBe(value);
            using var get = new HttpRequestMessage(HttpMethod.Get, Address(bucket));
            get.Headers.Add("x-amz-checksum-mode", "ENABLED");
            using var got = await shared.Storage.Http.SendAsync(get);
            got.Headers.GetValues(header).Single().ShouldBe(value);
            got.Headers.GetValues("x-amz-checksum-type").Single().ShouldBe("FULL_OBJECT");
            (await got.Content.ReadAsByteArrayAsync()).ShouldBe(Digits);
        }
    }

    [Theory]
    [MemberData(nameof(Algorithms))]
    public async Task A_wrong_checksum_in_a_header_or_trailer_stores_nothing(string algorithm)
    {
        var bucket = await shared.NewBucketAsync();
        foreach (var inTrailer in (bool[])[false, true])
        {
            (await CodeAsync(await PutAsync(bucket, Header(algorithm), Of(algorithm, [1]), inTrailer))).ShouldBe("BadDigest");
            (await CodeAsync(await PutAsync(bucket, Header(algorithm), "nonsense", inTrailer))).ShouldBe("InvalidRequest");
        }

        (await shared.Storage.Buckets.ListObjectsV2Async(new ListObjectsV2Request { BucketName = bucket })).KeyCount.ShouldBe(0);
    }

    [Theory]
    [InlineData("CRC32", "COMPOSITE")]
    [InlineData("CRC32C", "COMPOSITE")]
    [InlineData("SHA1", "COMPOSITE")]
    [InlineData("SHA256", "COMPOSITE")]
    [InlineData("CRC32", "FULL_OBJECT")]
    [InlineData("CRC32C", "FULL_OBJECT")]
    [InlineData("CRC64NVME", "FULL_OBJECT")]
    public async Task A_multipart_upload_has_the_checksum_of_its_parts_or_of_the_whole_object(string algorithm, string type)
    {
        var bucket = await shared.NewBucketAsync();
        byte[][] parts = [new byte[5 * 1024 * 1024], Digits];
        var sums = parts.Select(p => Of(algorithm, p)).ToArray();
        var expected = type == "FULL_OBJECT" ? Of(algorithm, [.. parts[0], .. parts[1]]) : $"{Of(algorithm, [.. sums.SelectMany(Convert.FromBase64String)])}-2";

        var created = await SendAsync(HttpMethod.Post, $"{Address(bucket)}?uploads", null, ("x-amz-checksum-algorithm", algorithm), ("x-amz-checksum-type", type));
        var id = XDocument.Parse(await created.Content.ReadAsStringAsync()).Descendants().Single(e => e.Name.LocalName == "UploadId").Value;
        var document = new StringBuilder("<CompleteMultipartUpload>");
        for (var i = 0; i < parts.Length; i++)
        {
            var address = $"{Address(bucket)}?uploadId={id}&partNumber={i + 1}";
            (await CodeAsync(await SendAsync(HttpMethod.Put, address, parts[i], (Header(algorithm), Of(algorithm, [1]))))).ShouldBe("BadDigest");
            using var stored = await SendAsync(HttpMethod.Put, address, parts[i], (Header(algorithm), sums[i]));
            document.Append($"<Part><PartNumber>{i + 1}</PartNumber><ETag>{stored.Headers.ETag!.Tag}</ETag><Checksum{algorithm}>{sums[i]}</Checksum{algorithm}></Part>");
        }

        var body = document.Append("</CompleteMultipartUpload>").ToString();
        (await CompleteAsync(body.Replace(sums[1], sums[0]), ("x-amz-checksum-type", type))).ShouldContain("<Code>InvalidPart</Code>");
        (await CompleteAsync(body, (Header(algorithm), Of(algorithm, [1])))).ShouldContain("<Code>BadDigest</Code>");
        (await CompleteAsync(body, ("x-amz-checksum-type", type == "COMPOSITE" ? "FULL_OBJECT" : "COMPOSITE"))).ShouldContain("<Code>InvalidRequest</Code>");
        (await CompleteAsync(body, ("x-amz-mp-object-size", "17"))).ShouldContain("<Code>InvalidRequest</Code>");
        var completed = XDocument.Parse(await CompleteAsync(body, ("x-amz-checksum-type", type), (Header(algorithm), expected))).Root!;
        completed.Elements().Single(e => e.Name.LocalName == "Checksum" + algorithm).Value.ShouldBe(expected);

        using var head = await SendAsync(HttpMethod.Head, Address(bucket), null, ("x-amz-checksum-mode", "ENABLED"));
        head.Headers.GetValues(Header(algorithm)).Single().ShouldBe(expected);
        head.Headers.GetValues("x-amz-checksum-type").Single().ShouldBe(type);

        async Task<string> CompleteAsync(string xml, params (string, string)[] headers)
        {
            using var answer = await SendAsync(HttpMethod.Post, $"{Address(bucket)}?uploadId={id}", Encoding.UTF8.GetBytes(xml), headers);
            return await answer.Content.ReadAsStringAsync();
        }
    }

    [Theory]
    [InlineData("CRC64NVME", "COMPOSITE")]
    [InlineData("SHA1", "FULL_OBJECT")]
    [InlineData("SHA256", "FULL_OBJECT")]
    [InlineData("MD4", "COMPOSITE")]
    public async Task A_checksum_that_S3_does_not_have_for_an_upload_is_refused(string algorithm, string type)
    {
        var bucket = await shared.NewBucketAsync();
        (await CodeAsync(await SendAsync(HttpMethod.Post, $"{Address(bucket)}?uploads", null, ("x-amz-checksum-algorithm", algorithm), ("x-amz-checksum-type", type)))).ShouldBe("InvalidRequest");
    }

    /// <summary>https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html and API_UploadPartCopy.html, the conditions and which of two counts.</summary>
    [Theory]
    [InlineData("if-match: ETAG", 200)]
    [InlineData("if-match: \"other\"", 412)]
    [InlineData("if-none-match: ETAG", 412)]
    [InlineData("if-none-match: \"other\"", 200)]
    [InlineData("if-modified-since: PAST", 200)]
    [InlineData("if-modified-since: NOW", 412)]
    [InlineData("if-unmodified-since: PAST", 412)]
    [InlineData("if-unmodified-since: NOW", 200)]
    [InlineData("if-match: ETAG|if-unmodified-since: PAST", 200)]
    [InlineData("if-none-match: ETAG|if-modified-since: PAST", 412)]
    public async Task A_copy_obeys_the_conditions_on_its_source(string conditions, int status)
    {
        var bucket = await shared.NewBucketAsync();
        var source = await shared.Storage.Buckets.PutObjectAsync(new PutObjectRequest { BucketName = bucket, Key = "from", ContentBody = "abc" });
        var modified = (await shared.Storage.Buckets.GetObjectMetadataAsync(bucket, "from")).LastModified!.Value.ToUniversalTime();
        var upload = (await shared.Storage.Buckets.InitiateMultipartUploadAsync(bucket, "parts")).UploadId;
        (string, string)[] headers =
        [
            ("x-amz-copy-source", $"/{bucket}/from"),
            .. conditions.Split('|').Select(c => c.Split(": ")).Select(c => ($"x-amz-copy-source-{c[0]}", c[1] switch
            {
                "ETAG" => source.ETag,
                "NOW" => modified.ToString("R"),
                "PAST" => modified.AddHours(-1).ToString("R"),
                _ => c[1],
            })),
        ];
        using var copy = await SendAsync(HttpMethod.Put, $"{shared.Storage.Url}/{bucket}/to", null, headers);
        ((int)copy.StatusCode).ShouldBe(status, await copy.Content.ReadAsStringAsync());
        using var part = await SendAsync(HttpMethod.Put, $"{shared.Storage.Url}/{bucket}/parts?uploadId={upload}&partNumber=1", null, headers);
        ((int)part.StatusCode).ShouldBe(status, await part.Content.ReadAsStringAsync());
        using var made = await shared.Storage.Http.GetAsync($"{shared.Storage.Url}/{bucket}/to");
        (made.StatusCode == HttpStatusCode.OK).ShouldBe(status == 200);
    }

    /// <summary>Over plain HTTP the SDK signs every chunk; its access key is the one that this server knows.</summary>
    [Theory]
    [InlineData("local", ObjectStorageProcess.Secret, null)]
    [InlineData("local", "another secret", "SignatureDoesNotMatch")]
    [InlineData("somebody else", "whatever", null)]
    public async Task Chunks_signed_by_the_known_access_key_are_checked(string id, string secret, string? code)
    {
        var bucket = await shared.NewBucketAsync();
        using var client = new AmazonS3Client(new BasicAWSCredentials(id, secret),
            new AmazonS3Config { ServiceURL = shared.Storage.Url, AuthenticationRegion = "ap-northeast-2", ForcePathStyle = true, MaxErrorRetry = 0 });
        var put = () => client.PutObjectAsync(new PutObjectRequest { BucketName = bucket, Key = "k", InputStream = new MemoryStream(new byte[200_000]) });
        if (code is null)
            await put();
        else
            (await Should.ThrowAsync<AmazonS3Exception>(put)).ErrorCode.ShouldBe(code);
        (await shared.Storage.Buckets.ListObjectsV2Async(new ListObjectsV2Request { BucketName = bucket })).KeyCount.ShouldBe(code is null ? 1 : 0);
    }

    private static string Header(string algorithm) => "x-amz-checksum-" + algorithm.ToLowerInvariant();

    private static string Of(string algorithm, byte[] bytes) => Convert.ToBase64String(algorithm switch
    {
        "CRC32" => Crc(bytes, 0xEDB88320, 4),
        "CRC32C" => Crc(bytes, 0x82F63B78, 4),
        "CRC64NVME" => Crc(bytes, 0x9A6C9329AC4BC9B5, 8),
        "SHA1" => SHA1.HashData(bytes),
        _ => SHA256.HashData(bytes),
    });

    private static byte[] Crc(byte[] bytes, ulong polynomial, int length)
    {
        var mask = ulong.MaxValue >> (64 - (length * 8));
        var register = mask;
        foreach (var b in bytes)
        {
            register ^= b;
            for (var bit = 0; bit < 8; bit++)
                register = (register & 1) != 0 ? (register >> 1) ^ polynomial : register >> 1;
        }

        return [.. BitConverter.GetBytes(~register & mask).Take(length).Reverse()];
    }

    private static async Task<string> CodeAsync(HttpResponseMessage answer)
    {
        using (answer)
            return XDocument.Parse(await answer.Content.ReadAsStringAsync()).Root!.Element("Code")!.Value;
    }

    private string Address(string bucket) => $"{shared.Storage.Url}/{bucket}/k";

    private Task<HttpResponseMessage> PutAsync(string bucket, string header, string value, bool inTrailer) => inTrailer
        ? SendAsync(HttpMethod.Put, Address(bucket), Encoding.ASCII.GetBytes($"4\r\n1234\r\n5\r\n56789\r\n0\r\n{header}:{value}\r\n\r\n"),
            ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"), ("x-amz-decoded-content-length", "9"), ("x-amz-trailer", header))
        : SendAsync(HttpMethod.Put, Address(bucket), Digits, (header, value));

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string address, byte[]? body, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, address) { Content = body is null ? null : new ByteArrayContent(body) };
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value).ShouldBeTrue();
        return await shared.Storage.Http.SendAsync(request);
    }
}
