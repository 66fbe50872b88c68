using ChatPlatform.LocalAws.Protocol;

namespace ChatPlatform.LocalAws.S3.Objects;

/// <summary>An S3 error; codes, texts and statuses as https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html lists them.</summary>
internal sealed class S3Exception(string code, string message, int status) : AwsException(code, message, status)
{
    /// <summary>Further elements of the XML document, e.g. <c>Key</c> or <c>BucketName</c>.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Details { get; init; } = [];

    public static S3Exception NoSuchBucket(string bucket) =>
        new("NoSuchBucket", "The specified bucket does not exist", 404) { Details = [new("BucketName", bucket)] };

    public static S3Exception NoSuchKey(string key) =>
        new("NoSuchKey", "The specified key does not exist.", 404) { Details = [new("Key", key)] };

    public static S3Exception NoSuchUpload(string id) =>
        new("NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.", 404)
        {
            Details = [new("UploadId", id)],
        };

    public static S3Exception PreconditionFailed(string condition) =>
        new("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412) { Details = [new("Condition", condition)] };

    public static S3Exception NotImplemented(string what) =>
        new("NotImplemented", $"{what} implies functionality that is not implemented", 501);

    public static S3Exception InvalidArgument(string name, string value, string message) =>
        new("InvalidArgument", message, 400) { Details = [new("ArgumentName", name), new("ArgumentValue", value)] };

    public static S3Exception InvalidRequest(string message) => new("InvalidRequest", message, 400);

    public static S3Exception MalformedXml() =>
        new("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema", 400);

    public static S3Exception IncompleteBody() =>
        new("IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header.", 400);

    public static S3Exception BadDigest(string name) =>
        new("BadDigest", $"The {name} you specified did not match what we received.", 400);

    public static S3Exception SignatureDoesNotMatch(params IReadOnlyList<KeyValuePair<string, string>> details) =>
        new("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.", 403) { Details = details };

    public static S3Exception AccessDenied(string message) => new("AccessDenied", message, 403);
}
