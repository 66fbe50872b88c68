namespace ChatPlatform.LocalAws.Firehose;

/// <summary>Configuration section <c>Firehose</c>.</summary>
internal sealed class FirehoseOptions
{
    public const string Section = "Firehose";
    public const long LeastBacklogBytes = 1024 * 1024;

    /// <summary>Where Lambda's API is, for streams that transform records; without it such a stream is refused.</summary>
    public Uri? LambdaEndpoint { get; set; }

    /// <summary>
    /// How much one stream buffers while its bucket takes nothing, in bytes of data (default 1 GiB, at least 1 MiB). Beyond it puts are refused with
    /// <c>ServiceUnavailableException</c>, which producers retry, instead of filling the disk.
    /// </summary>
    public long MaxBacklogBytes { get; set; } = 1024L * 1024 * 1024;
}
