using ChatPlatform.AwsRules;
using ChatPlatform.LocalAws.Firehose;

namespace ChatPlatform.UnitTests.LocalAws.Firehose;

/// <summary>
/// Rules: https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html, …/dev/s3-object-name.html and
/// https://docs.oracle.com/javase/8/docs/api/java/time/format/DateTimeFormatter.html#patterns.
/// </summary>
public sealed class DeliveryPrefixTests
{
    private const string Errors = "errors/!{firehose:error-output-type}/";
    private static readonly DateTimeOffset Arrival = new(2018, 8, 27, 10, 30, 5, 123, TimeSpan.Zero);

    [Theory]
    [AwsPage("https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html")]
    [InlineData(null, null, "2018/08/27/10/")]
    [InlineData("myFirehosePrefix/", null, "myFirehosePrefix/2018/08/27/10/")]
    [InlineData("!{timestamp:yyyy/MM/dd}", Errors, "2018/08/27")]
    [InlineData("myPrefix/year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/", Errors, "myPrefix/year=2018/month=08/day=27/hour=10/")]
    [InlineData("chat-log/year=!{timestamp:yyyy}/", "errors/!{firehose:error-output-type}/!{timestamp:yyyy}/", "chat-log/year=2018/")]
    public void A_prefix_is_evaluated_at_the_arrival_of_the_oldest_record(string? prefix, string? error, string expected) =>
        DeliveryPrefix.Parse(prefix, error).Data.Evaluate(Arrival, TimeZoneInfo.Utc).ShouldBe(expected);

    [Theory]
    [AwsPage("https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html")]
    [InlineData("yyyy'-'MM'-'dd", "2018-08-27")]
    [InlineData("'year='yyyy", "year=2018")]
    [InlineData("h''m", "10'30")]
    [InlineData("'o''clock'", "o'clock")]
    [InlineData("yy", "18")]
    [InlineData("u", "2018")]
    [InlineData("M/d", "8/27")]
    [InlineData("MMM", "Aug")]
    [InlineData("MMMM", "August")]
    [InlineData("DDD", "239")]
    [InlineData("EEE", "Mon")]
    [InlineData("EEEE", "Monday")]
    [InlineData("hh a", "10 AM")]
    [InlineData("HH:mm:ss", "10:30:05")]
    [InlineData("SSS", "123")]
    [InlineData("Q", "3")]
    [InlineData("X", "Z")]
    [InlineData("xxx", "+00:00")]
    [InlineData("Z", "+0000")]
    public void A_timestamp_pattern_is_Javas(string pattern, string expected) =>
        DeliveryPrefix.Parse($"!{{timestamp:{pattern}}}", Errors).Data.Evaluate(Arrival, TimeZoneInfo.Utc).ShouldBe(expected);

    [Theory]
    [AwsPage("https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html")]
    [InlineData("!{timestamp:yyyy/MM/dd}", null, "ErrorOutputPrefix")]
    [InlineData("!{timestamp:yyyy/MM/dd}", "", "ErrorOutputPrefix")]
    [InlineData(null, "errors/!{timestamp:yyyy}/", "error-output-type")]
    [InlineData("!{firehose:error-output-type}/", Errors, "Prefix")]
    [InlineData("!{timestamp}", Errors, "!{")]
    [InlineData("!{timestamp:yyyy", Errors, "!{")]
    [InlineData("!{unknown:x}", Errors, "unknown")]
    [InlineData("!{firehose:nothing}", Errors, "nothing")]
    [InlineData("!{timestamp:}", Errors, "empty")]
    [InlineData("!{timestamp:bb}", Errors, "bb")]
    [InlineData("!{timestamp:'open}", Errors, "quote")]
    [InlineData("!{partitionKeyFromQuery:}", Errors, "partitionKeyFromQuery")]
    [InlineData("x/", "errors/!{firehose:error-output-type}/!{partitionKeyFromQuery:room}/", "partition keys")]
    public void A_prefix_that_AWS_refuses_or_that_is_not_carried_out_is_refused(string? prefix, string? error, string named)
    {
        var refusal = Should.Throw<FirehoseException>(() => DeliveryPrefix.Parse(prefix, error));
        refusal.Type.ShouldBe("InvalidArgumentException");
        refusal.Message.ShouldContain(named);
    }

    [Fact]
    public void A_prefix_longer_than_512_characters_once_evaluated_is_refused() =>
        Should.Throw<FirehoseException>(() => DeliveryPrefix.Parse(new string('p', 510), null)).Message.ShouldContain("512");

    [Fact]
    public void An_error_prefix_names_what_failed()
    {
        DeliveryPrefix.Parse(null, "failures/!{firehose:error-output-type}/").Error.Evaluate(Arrival, TimeZoneInfo.Utc, "processing-failed").ShouldBe("failures/processing-failed/");
        DeliveryPrefix.Parse(null, null).Error.Evaluate(Arrival, TimeZoneInfo.Utc, "processing-failed").ShouldBe("processing-failed2018/08/27/10/");
    }

    [Fact]
    public void A_random_string_has_eleven_characters_and_differs_each_time()
    {
        var prefix = DeliveryPrefix.Parse("!{firehose:random-string}", Errors).Data;
        var values = Enumerable.Range(0, 20).Select(_ => prefix.Evaluate(Arrival, TimeZoneInfo.Utc)).ToHashSet();
        values.Count.ShouldBe(20);
        values.ShouldAllBe(v => v.Length == 11 && v.All(char.IsAsciiLetterOrDigit));
    }

    [Theory]
    [AwsPage("https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html")]
    [InlineData("UNCOMPRESSED", null, "UTC", "2018/08/27/10/s-1-2018-08-27-10-30-05-00000000-0000-0000-0000-000000000000")]
    [InlineData("GZIP", null, "UTC", "2018/08/27/10/s-1-2018-08-27-10-30-05-00000000-0000-0000-0000-000000000000.gz")]
    [InlineData("ZIP", null, "UTC", "2018/08/27/10/s-1-2018-08-27-10-30-05-00000000-0000-0000-0000-000000000000.zip")]
    [InlineData("GZIP", ".json.gz", "UTC", "2018/08/27/10/s-1-2018-08-27-10-30-05-00000000-0000-0000-0000-000000000000.json.gz")]
    [InlineData("GZIP", null, "Asia/Seoul", "2018/08/27/19/s-1-2018-08-27-19-30-05-00000000-0000-0000-0000-000000000000.gz")]
    public void An_object_is_named_by_stream_version_time_and_id(string format, string? extension, string zone, string expected) =>
        new ExtendedS3Destination { RoleArn = "r", BucketArn = "arn:aws:s3:::lake", CompressionFormat = format, FileExtension = extension, CustomTimeZone = zone }
            .KeyOf("s", 1, Arrival, Guid.Empty).ShouldBe(expected);
}
