using ChatPlatform.LocalAws.Protocol;
using ChatPlatform.LocalAws.S3.Wire;

namespace ChatPlatform.LocalAws.S3;

/// <summary>S3 among the services that run here.</summary>
internal sealed class S3Service(IReadOnlyList<S3Operation> operations) : IAwsService
{
    public string Name => "s3";

    public string Title => "S3";

    public string ResourceKind => "bucket";

    public IReadOnlyList<OperationDescription> Operations { get; } = [.. operations.OrderBy(o => o.Name, StringComparer.Ordinal).Select(o => o.Describe())];

    /// <summary>https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.</summary>
    public AwsException Throttling(string operation) => new("SlowDown", "Please reduce your request rate.", 503);

    /// <summary>https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.</summary>
    public AwsException InternalError() => new("InternalError", "We encountered an internal error. Please try again.", 500);
}
