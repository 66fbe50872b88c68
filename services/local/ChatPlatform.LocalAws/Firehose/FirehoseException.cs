using ChatPlatform.LocalAws.Protocol;

namespace ChatPlatform.LocalAws.Firehose;

/// <summary>An error of https://docs.aws.amazon.com/firehose/latest/APIReference/ (each operation's page lists its own).</summary>
internal sealed class FirehoseException(string type, string message, int status = 400) : AwsException(type, message, status)
{
    public static FirehoseException InvalidArgument(string message) => new("InvalidArgumentException", message);

    /// <summary>A setting that AWS knows and this emulator does not carry out.</summary>
    public static FirehoseException NotHonoured(string setting) => new("InvalidArgumentException", $"{setting} is not supported by this emulator.");

    public static FirehoseException NotFound(string stream) =>
        new("ResourceNotFoundException", $"Firehose {stream} under account {DeliveryContext.AccountId} not found.");

    public static FirehoseException InUse(string message) => new("ResourceInUseException", message);

    public static FirehoseException Throttled() =>
        new("ServiceUnavailableException", "Slow down.", 503);
}
