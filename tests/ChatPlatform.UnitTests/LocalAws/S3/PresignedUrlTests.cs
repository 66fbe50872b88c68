using ChatPlatform.LocalAws.S3.Objects;
using ChatPlatform.LocalAws.S3.Wire;

namespace ChatPlatform.UnitTests.LocalAws.S3;

/// <summary>Rules and the example: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html.</summary>
public sealed class PresignedUrlTests
{
    private const string Host = "examplebucket.s3.amazonaws.com";

    private const string Example =
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z"
        + "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";

    private static readonly SigningCredentials Credentials = new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    private static readonly DateTimeOffset SignedAt = new(2013, 5, 24, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void The_example_of_the_documentation_is_accepted() => Verify("GET", Example, SignedAt);

    [Fact]
    public void A_url_is_good_until_the_second_it_expires()
    {
        Verify("GET", Example, SignedAt.AddSeconds(86_399));
        Refused("GET", Example, SignedAt.AddSeconds(86_400)).ShouldBe(("AccessDenied", "Request has expired"));
    }

    [Fact]
    public void A_url_signed_more_than_15_minutes_ahead_is_not_yet_valid()
    {
        Verify("GET", Example, SignedAt.AddMinutes(-15));
        Refused("GET", Example, SignedAt.AddMinutes(-16)).ShouldBe(("AccessDenied", "Request is not yet valid"));
    }

    [Theory]
    [InlineData("PUT", "", "")]
    [InlineData("GET", "X-Amz-Expires=86400", "X-Amz-Expires=86401")]
    [InlineData("GET", "f604d404", "f604d405")]
    [InlineData("GET", "us-east-1", "eu-west-1")]
    [InlineData("GET", "X-Amz-Date", "response-content-type=text%2Fhtml&X-Amz-Date")]
    public void Whatever_is_changed_breaks_the_signature(string method, string from, string to) =>
        Refused(method, from.Length == 0 ? Example : Example.Replace(from, to), SignedAt).Code.ShouldBe("SignatureDoesNotMatch");

    [Theory]
    [InlineData("X-Amz-Expires=86400", "X-Amz-Expires=604801", "AuthorizationQueryParametersError")]
    [InlineData("X-Amz-Expires=86400", "X-Amz-Expires=-1", "AuthorizationQueryParametersError")]
    [InlineData("X-Amz-Expires=86400", "X-Amz-Expires=soon", "AuthorizationQueryParametersError")]
    [InlineData("X-Amz-Expires=86400&", "", "AuthorizationQueryParametersError")]
    [InlineData("AWS4-HMAC-SHA256", "AWS4-HMAC-MD5", "AuthorizationQueryParametersError")]
    [InlineData("20130524T000000Z", "2013-05-24", "AuthorizationQueryParametersError")]
    [InlineData("%2Fs3%2F", "%2Fsqs%2F", "AuthorizationQueryParametersError")]
    [InlineData("SignedHeaders=host", "SignedHeaders=date", "AuthorizationQueryParametersError")]
    [InlineData("AKIAIOSFODNN7EXAMPLE", "AKIAI44QH8DHBEXAMPLE", "InvalidAccessKeyId")]
    public void A_malformed_url_is_refused(string from, string to, string code) => Refused("GET", Example.Replace(from, to), SignedAt).Code.ShouldBe(code);

    [Fact]
    public void An_amz_header_that_was_not_signed_is_refused() =>
        Should.Throw<S3Exception>(() => PresignedUrl.Verify("GET", "/test.txt", new S3Query(Example), HeaderOf, ["x-amz-acl"], Credentials, SignedAt)).Type.ShouldBe("AccessDenied");

    [Fact]
    public void Without_a_secret_form_and_expiry_are_still_checked()
    {
        var none = new SigningCredentials(null, null);
        PresignedUrl.Verify("GET", "/test.txt", new S3Query(Example.Replace("f604d404", "f604d405")), HeaderOf, [], none, SignedAt);
        Should.Throw<S3Exception>(() => PresignedUrl.Verify("GET", "/test.txt", new S3Query(Example), HeaderOf, [], none, SignedAt.AddDays(2)));
    }

    private static string? HeaderOf(string name) => name == "host" ? Host : null;

    private static void Verify(string method, string query, DateTimeOffset now) =>
        PresignedUrl.Verify(method, "/test.txt", new S3Query(query), HeaderOf, [], Credentials, now);

    private static (string Code, string Message) Refused(string method, string query, DateTimeOffset now)
    {
        var error = Should.Throw<S3Exception>(() => Verify(method, query, now));
        return (error.Type, error.Message);
    }
}
