using System.Text;
using ChatPlatform.LocalAws.S3.Objects;
using ChatPlatform.LocalAws.S3.Wire;

namespace ChatPlatform.UnitTests.LocalAws.S3;

/// <summary>Rules: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html and …/userguide/using-prefixes.html.</summary>
public sealed class ListingTests
{
    private static readonly string[] Photos = ["photos/2006/January/sample.jpg", "photos/2006/February/sample2.jpg", "photos/2006/February/sample3.jpg", "sample.jpg"];

    [Theory]
    [InlineData("", "", "", "photos/2006/February/sample2.jpg photos/2006/February/sample3.jpg photos/2006/January/sample.jpg sample.jpg")]
    [InlineData("", "/", "", "sample.jpg photos/")]
    [InlineData("photos/2006/", "/", "", "photos/2006/February/ photos/2006/January/")]
    [InlineData("photos/2006/Feb", "", "", "photos/2006/February/sample2.jpg photos/2006/February/sample3.jpg")]
    [InlineData("", "", "photos/2006/February/sample3.jpg", "photos/2006/January/sample.jpg sample.jpg")]
    [InlineData("", "/", "photos/2006/February/sample3.jpg", "sample.jpg photos/")]
    [InlineData("photos/", "", "a", "photos/2006/February/sample2.jpg photos/2006/February/sample3.jpg photos/2006/January/sample.jpg")]
    [InlineData("nothing", "/", "", "")]
    [InlineData("photos/", "", "zzz", "")]
    [InlineData("photos/2006/", "sample", "", "photos/2006/February/sample photos/2006/January/sample")]
    public void A_listing_holds_keys_and_common_prefixes(string prefix, string delimiter, string after, string expected)
    {
        var page = Filled(Photos).List(new(prefix, delimiter, after, false, 1_000));
        page.IsTruncated.ShouldBeFalse();
        page.Objects.Select(o => o.Metadata.Key).Concat(page.CommonPrefixes).ShouldBe(expected.Split(' ', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public void Keys_come_in_the_order_of_their_UTF8_bytes()
    {
        string[] keys = ["\U0001F600", "\uFF21", "z", "한", "a/", "a", "a-", "A", "\uE000", "\uD7FF"];
        var listed = Filled(keys).List(new("", "", "", false, 1_000)).Objects.Select(o => o.Metadata.Key).ToArray();
        var expected = keys.OrderBy(k => Convert.ToHexString(Encoding.UTF8.GetBytes(k)), StringComparer.Ordinal).ToArray();
        listed.ShouldBe(expected);
    }

    [Theory]
    [InlineData("", 1)]
    [InlineData("/", 1)]
    [InlineData("/", 2)]
    [InlineData("", 7)]
    public void Paging_sees_every_key_once_whatever_the_page_size(string delimiter, int pageSize)
    {
        var keys = Enumerable.Range(0, 60).Select(i => $"{i % 7}/{i % 3}/{i:D2}").Append("0").Append("top").ToArray();
        var bucket = Filled(keys);
        var whole = bucket.List(new("", delimiter, "", false, 1_000));
        var (seen, after, group) = (new List<string>(), "", false);
        while (true)
        {
            var page = bucket.List(new("", delimiter, after, group, pageSize));
            seen.AddRange(page.Objects.Select(o => o.Metadata.Key).Concat(page.CommonPrefixes));
            if (!page.IsTruncated)
                break;
            (after, group) = ContinuationToken.Read(ContinuationToken.Write(page.Last!, page.CommonPrefixes.Contains(page.Last!)));
        }

        seen.ShouldBe(whole.Objects.Select(o => o.Metadata.Key).Concat(whole.CommonPrefixes), ignoreOrder: true);
    }

    [Theory]
    [InlineData("")]
    [InlineData("!!")]
    [InlineData("eA")]
    [InlineData("a__-")]
    public void A_foreign_continuation_token_is_refused(string token) =>
        Should.Throw<S3Exception>(() => ContinuationToken.Read(token)).Type.ShouldBe("InvalidArgument");

    [Fact]
    public void No_keys_asked_for_is_an_empty_whole_page() => Filled(Photos).List(new("", "", "", false, 0)).ShouldSatisfyAllConditions(
        page => page.Objects.ShouldBeEmpty(),
        page => page.IsTruncated.ShouldBeFalse());

    /// <summary>https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html.</summary>
    [Theory]
    [InlineData("chat-lake", true)]
    [InlineData("a.b.c", true)]
    [InlineData("ab", false)]
    [InlineData("Chat", false)]
    [InlineData("a..b", false)]
    [InlineData("-abc", false)]
    [InlineData("abc-", false)]
    [InlineData("192.168.5.4", false)]
    [InlineData("xn--abc", false)]
    [InlineData("a_b", false)]
    public void Bucket_names_follow_the_rules(string name, bool valid) => ObjectStore.IsBucketName(name).ShouldBe(valid);

    /// <summary>https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html.</summary>
    [Theory]
    [InlineData("127.0.0.1", null)]
    [InlineData("localhost", null)]
    [InlineData("s3.localhost", null)]
    [InlineData("s3.ap-northeast-2.localhost", null)]
    [InlineData("my-bucket.localhost", "my-bucket")]
    [InlineData("my-bucket.s3.localhost", "my-bucket")]
    [InlineData("my.bucket.s3.ap-northeast-2.localhost", "my.bucket")]
    [InlineData("my-bucket.s3.localhost.localstack.cloud", "my-bucket")]
    [InlineData("my-bucket.s3.us-west-2.amazonaws.com", "my-bucket")]
    [InlineData("dynamodb.us-west-2.amazonaws.com", null)]
    [InlineData("example.org", null)]
    public void A_host_name_may_name_the_bucket(string host, string? bucket) => VirtualHost.BucketOf(host).ShouldBe(bucket);

    /// <summary>RFC 9110 14.1.2 and 14.2; S3 serves a single range.</summary>
    [Theory]
    [InlineData("bytes=0-4", 0L, 5L)]
    [InlineData("bytes=5-", 5L, 5L)]
    [InlineData("bytes=-3", 7L, 3L)]
    [InlineData("bytes=-30", 0L, 10L)]
    [InlineData("bytes=8-30", 8L, 2L)]
    [InlineData("bytes=4-2", null, null)]
    [InlineData("bytes=0-1,3-4", null, null)]
    [InlineData("items=0-1", null, null)]
    [InlineData("bytes=x-y", null, null)]
    [InlineData("bytes=-", null, null)]
    public void A_range_selects_bytes_or_is_ignored(string header, long? offset, long? length) =>
        ByteRange.Parse(header, 10).ShouldBe(offset is null ? null : (offset.Value, length!.Value));

    [Theory]
    [InlineData("bytes=10-", 10)]
    [InlineData("bytes=-0", 10)]
    [InlineData("bytes=0-0", 0)]
    public void A_range_outside_the_object_cannot_be_satisfied(string header, long size) =>
        Should.Throw<S3Exception>(() => ByteRange.Parse(header, size)).Type.ShouldBe("InvalidRange");

    private static Bucket Filled(IEnumerable<string> keys)
    {
        var store = new ObjectStore(new MemoryMedium(), TimeProvider.System);
        var bucket = store.CreateBucket("bucket", "us-east-1");
        foreach (var key in keys)
        {
            using var staged = store.Stage();
            bucket.Put(key, staged, ObjectHeaders.None, null, WriteCondition.None);
        }

        return bucket;
    }
}
