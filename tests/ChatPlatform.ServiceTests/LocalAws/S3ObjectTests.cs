using System.Net;
using System.Security.Cryptography;
using System.Text;
using Amazon.S3;
using Amazon.S3.Model;

namespace ChatPlatform.ServiceTests.LocalAws;

/// <summary>Rules: https://docs.aws.amazon.com/AmazonS3/latest/API/ (the page of each operation), driven by the real SDK.</summary>
public sealed class S3ObjectTests(SharedObjectStorage shared) : IClassFixture<SharedObjectStorage>
{
    private AmazonS3Client S3 => shared.Storage.Buckets;

    public static TheoryData<string> Keys => new("plain", "a/b/c.txt", "a//b", "../up", "./here", "한국어/열쇠 1", "\U0001F600+%25&?=#", "trailing/", new string('k', 1_024));

    public static TheoryData<string> Algorithms => new("CRC32", "SHA1", "SHA256");

    [Theory]
    [MemberData(nameof(Keys))]
    public async Task An_object_comes_back_byte_for_byte_with_its_metadata_under_any_key(string key)
    {
        var bucket = await shared.NewBucketAsync();
        var content = RandomNumberGenerator.GetBytes(100_000);
        var put = new PutObjectRequest { BucketName = bucket, Key = key, InputStream = new MemoryStream(content), ContentType = "image/png" };
        put.Headers.CacheControl = "max-age=60";
        put.Metadata["room"] = "r1";
        var answer = await S3.PutObjectAsync(put);
        answer.ETag.ShouldBe($"\"{Convert.ToHexStringLower(MD5.HashData(content))}\"");

        using var got = await S3.GetObjectAsync(bucket, key);
        (await BytesAsync(got.ResponseStream)).ShouldBe(content);
        got.Headers.ContentType.ShouldBe("image/png");
        got.Headers.CacheControl.ShouldBe("max-age=60");
        got.Metadata["room"].ShouldBe("r1");
        (await S3.GetObjectMetadataAsync(bucket, key)).ContentLength.ShouldBe(content.Length);
        (await S3.ListObjectsV2Async(new ListObjectsV2Request { BucketName = bucket })).S3Objects.Single().Key.ShouldBe(key);
        await S3.DeleteObjectAsync(bucket, key);
        (await Should.ThrowAsync<AmazonS3Exception>(() => S3.GetObjectAsync(bucket, key))).ErrorCode.ShouldBe("NoSuchKey");
    }

    [Theory]
    [MemberData(nameof(Algorithms))]
    public async Task The_SDKs_trailing_checksum_is_verified_and_kept(string algorithm)
    {
        var bucket = await shared.NewBucketAsync();
        await S3.PutObjectAsync(new PutObjectRequest { BucketName = bucket, Key = "k", ContentBody = "abc", ChecksumAlgorithm = ChecksumAlgorithm.FindValue(algorithm) });
        var metadata = await S3.GetObjectMetadataAsync(new GetObjectMetadataRequest { BucketName = bucket, Key = "k", ChecksumMode = ChecksumMode.ENABLED });
        (metadata.ChecksumCRC32 ?? metadata.ChecksumCRC32C ?? metadata.ChecksumSHA1 ?? metadata.ChecksumSHA256).ShouldNotBeNullOrEmpty();
        metadata.ChecksumType.ShouldBe(ChecksumType.FULL_OBJECT);
    }

    /// <summary>https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and …/userguide/checking-object-integrity.html.</summary>
    [Theory]
    [InlineData("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==", "BadDigest")]
    [InlineData("content-md5", "short", "InvalidDigest")]
    [InlineData("x-amz-content-sha256", "0000000000000000000000000000000000000000000000000000000000000000", "XAmzContentSHA256Mismatch")]
    [InlineData("if-match", "\"0123\"", "NoSuchKey")]
    [InlineData("if-none-match", "\"0123\"", "NotImplemented")]
    [InlineData("x-amz-acl", "public-read", "AccessControlListNotSupported")]
    [InlineData("x-amz-tagging", "a=b", "NotImplemented")]
    [InlineData("x-amz-storage-class", "GLACIER", "NotImplemented")]
    [InlineData("x-amz-server-side-encryption", "aws:kms", "NotImplemented")]
    [InlineData("x-amz-website-redirect-location", "/x", "NotImplemented")]
    [InlineData("x-amz-expected-bucket-owner", "111122223333", "AccessDenied")]
    public async Task A_put_that_is_wrong_or_asks_for_what_is_not_done_stores_nothing(string header, string value, string code)
    {
        var bucket = await shared.NewBucketAsync();
        using var put = new HttpRequestMessage(HttpMethod.Put, $"{shared.Storage.Url}/{bucket}/k") { Content = new ByteArrayContent("abc"u8.ToArray()) };
        if (!put.Headers.TryAddWithoutValidation(header, value))
            put.Content.Headers.TryAddWithoutValidation(header, value);
        using var answer = await shared.Storage.Http.SendAsync(put);
        (await answer.Content.ReadAsStringAsync()).ShouldContain($"<Code>{code}</Code>");
        (await S3.ListObjectsV2Async(new ListObjectsV2Request { BucketName = bucket })).KeyCount.ShouldBe(0);
    }

    [Theory]
    [InlineData("GET", "?tagging", "tagging")]
    [InlineData("PUT", "?policy", "policy")]
    [InlineData("PUT", "?versioning", "versioning")]
    [InlineData("GET", "?versions", "versions")]
    [InlineData("PUT", "?lifecycle", "lifecycle")]
    [InlineData("GET", "/k?versionId=1", "versionId")]
    [InlineData("PUT", "/k?retention", "retention")]
    [InlineData("POST", "/k?select&select-type=2", "select")]
    public async Task A_subresource_that_is_not_done_is_NotImplemented_by_name(string method, string address, string named)
    {
        var bucket = await shared.NewBucketAsync();
        using var request = new HttpRequestMessage(new HttpMethod(method), $"{shared.Storage.Url}/{bucket}{address}");
        using var answer = await shared.Storage.Http.SendAsync(request);
        answer.StatusCode.ShouldBe(HttpStatusCode.NotImplemented);
        var text = await answer.Content.ReadAsStringAsync();
        text.ShouldContain("<Code>NotImplemented</Code>");
        text.ShouldContain(named);
    }

    /// <summary>https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Overriding…" and "Additional considerations about request headers".</summary>
    [Theory]
    [InlineData("If-Match: ETAG", 200)]
    [InlineData("If-Match: \"other\"", 412)]
    [InlineData("If-None-Match: ETAG", 304)]
    [InlineData("If-None-Match: \"other\"", 200)]
    [InlineData("If-Modified-Since: FUTURE", 304)]
    [InlineData("If-Modified-Since: PAST", 200)]
    [InlineData("If-Unmodified-Since: PAST", 412)]
    [InlineData("If-Unmodified-Since: FUTURE", 200)]
    [InlineData("If-Match: ETAG|If-Unmodified-Since: PAST", 200)]
    [InlineData("If-None-Match: ETAG|If-Modified-Since: PAST", 304)]
    [InlineData("Range: bytes=1-3", 206)]
    [InlineData("Range: bytes=-2", 206)]
    [InlineData("Range: bytes=5-", 416)]
    public async Task A_read_obeys_its_conditions(string headers, int status)
    {
        var bucket = await shared.NewBucketAsync();
        var eTag = (await S3.PutObjectAsync(new PutObjectRequest { BucketName = bucket, Key = "k", ContentBody = "01234" })).ETag;
        using var get = new HttpRequestMessage(HttpMethod.Get, $"{shared.Storage.Url}/{bucket}/k");
        foreach (var header in headers.Split('|'))
        {
            var value = header[(header.IndexOf(':') + 1)..].Trim();
            get.Headers.TryAddWithoutValidation(header[..header.IndexOf(':')], value switch
            {
                "ETAG" => eTag,
                "FUTURE" => DateTimeOffset.UtcNow.AddHours(1).ToString("R"),
                "PAST" => "Mon, 01 Jan 2024 00:00:00 GMT",
                _ => value,
            });
        }

        using var answer = await shared.Storage.Http.SendAsync(get);
        ((int)answer.StatusCode).ShouldBe(status);
        if (status == 206)
            (await answer.Content.ReadAsStringAsync()).ShouldBe(headers.Contains("1-3") ? "123" : "34");
    }

    /// <summary>https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html.</summary>
    [Fact]
    public async Task Of_many_creations_of_one_key_exactly_one_wins()
    {
        var bucket = await shared.NewBucketAsync();
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 20).Select(async i =>
        {
            try
            {
                await S3.PutObjectAsync(new PutObjectRequest { BucketName = bucket, Key = "k", ContentBody = $"{i}", IfNoneMatch = "*" });
                return i;
            }
            catch (AmazonS3Exception error) when (error.ErrorCode == "PreconditionFailed")
            {
                return -1;
            }
        }));
        using var got = await S3.GetObjectAsync(bucket, "k");
        Encoding.UTF8.GetString(await BytesAsync(got.ResponseStream)).ShouldBe($"{outcomes.Single(o => o >= 0)}");
    }

    [Fact]
    public async Task Buckets_are_created_located_listed_and_deleted_when_empty()
    {
        var bucket = await shared.NewBucketAsync();
        (await Should.ThrowAsync<AmazonS3Exception>(() => S3.PutBucketAsync(bucket))).ErrorCode.ShouldBe("BucketAlreadyOwnedByYou");
        (await S3.GetBucketLocationAsync(bucket)).Location.Value.ShouldBe("ap-northeast-2");
        (await S3.ListBucketsAsync()).Buckets.ShouldContain(b => b.BucketName == bucket);
        await S3.PutObjectAsync(new PutObjectRequest { BucketName = bucket, Key = "k", ContentBody = "x" });
        (await Should.ThrowAsync<AmazonS3Exception>(() => S3.DeleteBucketAsync(bucket))).ErrorCode.ShouldBe("BucketNotEmpty");
        (await S3.DeleteObjectsAsync(new DeleteObjectsRequest { BucketName = bucket, Objects = [new() { Key = "k" }, new() { Key = "never was" }] })).DeletedObjects.Count.ShouldBe(2);
        await S3.DeleteBucketAsync(bucket);
        (await Should.ThrowAsync<AmazonS3Exception>(() => S3.ListObjectsV2Async(new ListObjectsV2Request { BucketName = bucket }))).ErrorCode.ShouldBe("NoSuchBucket");
    }

    [Fact]
    public async Task A_multipart_upload_becomes_one_object_with_the_parts_ETag()
    {
        var bucket = await shared.NewBucketAsync();
        var parts = new[] { RandomNumberGenerator.GetBytes(5 * 1024 * 1024), RandomNumberGenerator.GetBytes(1_000) };
        var upload = await S3.InitiateMultipartUploadAsync(new InitiateMultipartUploadRequest { BucketName = bucket, Key = "big", ContentType = "video/mp4" });
        var eTags = new List<PartETag>();
        foreach (var (part, number) in parts.Select((p, i) => (p, i + 1)))
        {
            var answer = await S3.UploadPartAsync(new UploadPartRequest
            {
                BucketName = bucket,
                Key = "big",
                UploadId = upload.UploadId,
                PartNumber = number,
                InputStream = new MemoryStream(part),
            });
            eTags.Add(new PartETag(answer));
        }

        (await S3.ListPartsAsync(bucket, "big", upload.UploadId)).Parts.Select(p => p.PartNumber).ShouldBe([1, 2]);
        var completed = await S3.CompleteMultipartUploadAsync(new CompleteMultipartUploadRequest { BucketName = bucket, Key = "big", UploadId = upload.UploadId, PartETags = eTags });
        completed.ETag.Trim('"').ShouldBe($"{Convert.ToHexStringLower(MD5.HashData([.. MD5.HashData(parts[0]), .. MD5.HashData(parts[1])]))}-2");
        using var got = await S3.GetObjectAsync(bucket, "big");
        got.Headers.ContentType.ShouldBe("video/mp4");
        (await BytesAsync(got.ResponseStream)).ShouldBe([.. parts[0], .. parts[1]]);
        (await Should.ThrowAsync<AmazonS3Exception>(() => S3.ListPartsAsync(bucket, "big", upload.UploadId))).ErrorCode.ShouldBe("NoSuchUpload");
    }

    /// <summary>https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html, "Special errors".</summary>
    [Theory]
    [InlineData("1 9", "InvalidPart")]
    [InlineData("2 1", "InvalidPartOrder")]
    [InlineData("1 2", "EntityTooSmall")]
    public async Task A_completion_that_does_not_hold_is_refused_and_the_upload_stays(string numbers, string code)
    {
        var bucket = await shared.NewBucketAsync();
        var id = (await S3.InitiateMultipartUploadAsync(bucket, "k")).UploadId;
        var eTags = new Dictionary<int, string> { [9] = "none" };
        foreach (var number in (int[])[1, 2])
            eTags[number] = (await S3.UploadPartAsync(new() { BucketName = bucket, Key = "k", UploadId = id, PartNumber = number, InputStream = new MemoryStream([1, 2, 3]) })).ETag;
        var document = string.Concat(numbers.Split(' ').Select(int.Parse).Select(n => $"<Part><PartNumber>{n}</PartNumber><ETag>{eTags[n]}</ETag></Part>"));
        using var answer = await shared.Storage.Http.PostAsync(
            $"{shared.Storage.Url}/{bucket}/k?uploadId={id}", new StringContent($"<CompleteMultipartUpload>{document}</CompleteMultipartUpload>"));
        (await answer.Content.ReadAsStringAsync()).ShouldContain($"<Code>{code}</Code>");
        await S3.AbortMultipartUploadAsync(bucket, "k", id);
        (await Should.ThrowAsync<AmazonS3Exception>(() => S3.ListPartsAsync(bucket, "k", id))).ErrorCode.ShouldBe("NoSuchUpload");
    }

    [Fact]
    public async Task A_copy_takes_metadata_along_or_replaces_it()
    {
        var bucket = await shared.NewBucketAsync();
        var put = new PutObjectRequest { BucketName = bucket, Key = "from /한", ContentBody = "abc" };
        put.Metadata["a"] = "1";
        await S3.PutObjectAsync(put);
        await S3.CopyObjectAsync(bucket, "from /한", bucket, "copy");
        (await S3.GetObjectMetadataAsync(bucket, "copy")).Metadata["a"].ShouldBe("1");
        await S3.CopyObjectAsync(new CopyObjectRequest
        {
            SourceBucket = bucket,
            SourceKey = "from /한",
            DestinationBucket = bucket,
            DestinationKey = "bare",
            MetadataDirective = S3MetadataDirective.REPLACE,
        });
        (await S3.GetObjectMetadataAsync(bucket, "bare")).Metadata.Count.ShouldBe(0);
        (await Should.ThrowAsync<AmazonS3Exception>(() => S3.CopyObjectAsync(bucket, "copy", bucket, "copy"))).ErrorCode.ShouldBe("InvalidRequest");
    }

    [Fact]
    public async Task Listings_page_through_the_SDKs_paginator()
    {
        var bucket = await shared.NewBucketAsync();
        var keys = Enumerable.Range(0, 25).Select(i => $"p{i % 5}/키 {i:D2}").ToArray();
        await Task.WhenAll(keys.Select(k => S3.PutObjectAsync(new PutObjectRequest { BucketName = bucket, Key = k, ContentBody = k })));
        var seen = new List<string>();
        await foreach (var item in S3.Paginators.ListObjectsV2(new ListObjectsV2Request { BucketName = bucket, MaxKeys = 4, Encoding = EncodingType.Url }).S3Objects)
            seen.Add(item.Key.Contains('%') ? Uri.UnescapeDataString(item.Key) : item.Key);
        seen.ShouldBe(keys.Order(StringComparer.Ordinal));
        (await S3.ListObjectsV2Async(new ListObjectsV2Request { BucketName = bucket, Delimiter = "/" })).CommonPrefixes.ShouldBe(["p0/", "p1/", "p2/", "p3/", "p4/"]);
    }

    [Fact]
    public async Task A_presigned_upload_works_for_who_has_the_url_and_only_as_it_was_signed()
    {
        var bucket = await shared.NewBucketAsync();
        var url = S3.GetPreSignedURL(new GetPreSignedUrlRequest
        {
            BucketName = bucket,
            Key = "사진 1.png",
            Verb = HttpVerb.PUT,
            ContentType = "image/png",
            Expires = DateTime.UtcNow.AddMinutes(5),
            Protocol = Protocol.HTTP,
        });
        using (var wrong = await UploadAsync(url, "text/html"))
            wrong.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        using (var forged = await UploadAsync(url.Replace("X-Amz-Expires=", "X-Amz-Expires=1"), "image/png"))
            forged.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        using (var right = await UploadAsync(url, "image/png"))
            right.StatusCode.ShouldBe(HttpStatusCode.OK, await right.Content.ReadAsStringAsync());
        var read = S3.GetPreSignedURL(new GetPreSignedUrlRequest { BucketName = bucket, Key = "사진 1.png", Expires = DateTime.UtcNow.AddMinutes(5), Protocol = Protocol.HTTP });
        (await shared.Storage.Http.GetStringAsync(read)).ShouldBe("png bytes");
        var old = S3.GetPreSignedURL(new GetPreSignedUrlRequest { BucketName = bucket, Key = "사진 1.png", Expires = DateTime.UtcNow.AddMinutes(-5), Protocol = Protocol.HTTP });
        using var expired = await shared.Storage.Http.GetAsync(old);
        expired.StatusCode.ShouldBeOneOf(HttpStatusCode.Forbidden, HttpStatusCode.BadRequest);

        async Task<HttpResponseMessage> UploadAsync(string address, string type)
        {
            using var content = new ByteArrayContent("png bytes"u8.ToArray());
            content.Headers.ContentType = new(type);
            return await shared.Storage.Http.PutAsync(address, content);
        }
    }

    [Fact]
    public async Task A_browser_may_upload_from_an_allowed_origin_only()
    {
        var bucket = await shared.NewBucketAsync();
        (await Should.ThrowAsync<AmazonS3Exception>(() => RawCorsAsync(bucket))).ErrorCode.ShouldBe("NoSuchCORSConfiguration");
        await S3.PutCORSConfigurationAsync(bucket, new CORSConfiguration
        {
            Rules = [new CORSRule { AllowedOrigins = ["http://localhost:*"], AllowedMethods = ["PUT", "GET"], AllowedHeaders = ["*"], ExposeHeaders = ["ETag"], MaxAgeSeconds = 300 }],
        });
        (await S3.GetCORSConfigurationAsync(bucket)).Configuration.Rules.Single().ExposeHeaders.ShouldBe(["ETag"]);

        using var allowed = await PreflightAsync("http://localhost:5173", "PUT");
        allowed.StatusCode.ShouldBe(HttpStatusCode.OK);
        allowed.Headers.GetValues("Access-Control-Allow-Origin").Single().ShouldBe("http://localhost:5173");
        allowed.Headers.GetValues("Access-Control-Allow-Headers").Single().ShouldBe("content-type");
        allowed.Headers.GetValues("Access-Control-Max-Age").Single().ShouldBe("300");
        using var otherOrigin = await PreflightAsync("http://evil.example", "PUT");
        otherOrigin.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        using var otherMethod = await PreflightAsync("http://localhost:5173", "DELETE");
        otherMethod.StatusCode.ShouldBe(HttpStatusCode.Forbidden);

        using var put = new HttpRequestMessage(HttpMethod.Put, $"{shared.Storage.Url}/{bucket}/k") { Content = new ByteArrayContent([1]) };
        put.Headers.Add("Origin", "http://localhost:5173");
        using var answer = await shared.Storage.Http.SendAsync(put);
        answer.Headers.GetValues("Access-Control-Allow-Origin").Single().ShouldBe("http://localhost:5173");
        answer.Headers.GetValues("Access-Control-Expose-Headers").Single().ShouldBe("ETag");

        async Task<HttpResponseMessage> PreflightAsync(string origin, string method)
        {
            using var request = new HttpRequestMessage(HttpMethod.Options, $"{shared.Storage.Url}/{bucket}/k");
            request.Headers.Add("Origin", origin);
            request.Headers.Add("Access-Control-Request-Method", method);
            request.Headers.Add("Access-Control-Request-Headers", "content-type");
            return await shared.Storage.Http.SendAsync(request);
        }
    }

    [Fact]
    public async Task A_bucket_may_stand_in_the_host_name()
    {
        var bucket = await shared.NewBucketAsync();
        await SendAsync(HttpMethod.Put, "/in/host name", new ByteArrayContent("abc"u8.ToArray()));
        (await SendAsync(HttpMethod.Get, "/in/host%20name", null)).ShouldBe("abc");
        (await SendAsync(HttpMethod.Get, "/?list-type=2", null)).ShouldContain("<Key>in/host name</Key>");

        async Task<string> SendAsync(HttpMethod method, string path, HttpContent? content)
        {
            using var request = new HttpRequestMessage(method, shared.Storage.Url + path) { Content = content };
            request.Headers.Host = $"{bucket}.s3.localhost";
            using var answer = await shared.Storage.Http.SendAsync(request);
            var text = await answer.Content.ReadAsStringAsync();
            answer.IsSuccessStatusCode.ShouldBeTrue(text);
            return text;
        }
    }

    private async Task RawCorsAsync(string bucket)
    {
        using var answer = await shared.Storage.Http.GetAsync($"{shared.Storage.Url}/{bucket}?cors");
        var text = await answer.Content.ReadAsStringAsync();
        if (!answer.IsSuccessStatusCode)
            throw new AmazonS3Exception(text) { ErrorCode = text.Split("<Code>")[1].Split("</Code>")[0] };
    }

    private static async Task<byte[]> BytesAsync(Stream stream)
    {
        using var bytes = new MemoryStream();
        await stream.CopyToAsync(bytes);
        return bytes.ToArray();
    }
}
