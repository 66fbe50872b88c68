namespace ChatPlatform.LocalAws.Firehose;

/// <summary>Configuration section <c>Firehose</c>.</summary>
internal sealed class FirehoseOptions
{
    public const string Section = "Firehose";
    public const long LeastBacklogBytes = 1024 * 1024;

    /// <summary>
    /// How much one stream buffers while its bucket takes nothing, in bytes of data (default 1 GiB, at least 1 MiB). Beyond it puts are refused with
    /// <c>ServiceUnavailableException</c>, which producers retry, instead of filling the disk.
    /// </summary>
    public long MaxBacklogBytes { get; set; } = 1024L * 1024 * 1024;
}
