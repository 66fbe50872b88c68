using Amazon;
using Amazon.Runtime;
using ChatPlatform.Forwarder.Configuration;

namespace ChatPlatform.Forwarder.Outputs;

/// <summary>What the outputs to AWS have in common. Credentials come from the SDK's own chain (environment, profile, web identity, instance), as in Fluent Bit.</summary>
/// <param name="Region"><c>region</c>.</param>
/// <param name="Endpoint"><c>endpoint</c>; null leaves it to the SDK (<c>AWS_ENDPOINT_URL</c>, or AWS itself).</param>
/// <param name="RetryAtOnce"><c>auto_retry_requests</c>: the client itself repeats a request once, before the forwarder's own backoff.</param>
internal sealed record AwsEndpoint(string Region, Uri? Endpoint, bool RetryAtOnce)
{
    public static AwsEndpoint From(FileSection section)
    {
        Uri? endpoint = null;
        if (section.Text("endpoint") is { } text
            && !(Uri.TryCreate(text.Contains("://") ? text : "https://" + text, UriKind.Absolute, out endpoint) && endpoint.Scheme is "http" or "https"))
            throw section.Invalid("endpoint", text, "an http or https url");
        return new AwsEndpoint(section.Text("region") ?? "us-east-1", endpoint, section.Flag("auto_retry_requests", true));
    }

    public void Apply(ClientConfig config)
    {
        if (Endpoint is null)
        {
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(Region);
        }
        else
        {
            config.ServiceURL = Endpoint.ToString();
            config.AuthenticationRegion = Region;
        }

        config.MaxErrorRetry = RetryAtOnce ? 1 : 0;
        config.Timeout = TimeSpan.FromSeconds(60);
    }

    /// <summary>Every refusal may pass or be put right by an operator (a missing bucket, a right, a throttle): the records stay and are tried again.</summary>
    public static bool IsRefusal(Exception error, CancellationToken cancellationToken) =>
        error is AmazonServiceException or AmazonClientException or HttpRequestException or IOException
        || (error is OperationCanceledException && !cancellationToken.IsCancellationRequested);
}
