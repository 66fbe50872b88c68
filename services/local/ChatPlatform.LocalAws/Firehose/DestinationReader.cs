using System.Text.RegularExpressions;
using ChatPlatform.LocalAws.S3.Objects;

namespace ChatPlatform.LocalAws.Firehose;

/// <summary>
/// Reads an <c>ExtendedS3DestinationConfiguration</c> or <c>…Update</c> and checks it as a whole
/// (https://docs.aws.amazon.com/firehose/latest/APIReference/API_ExtendedS3DestinationConfiguration.html). What is not carried out is refused by name.
/// </summary>
internal static partial class DestinationReader
{
    // Known to AWS, and accepted here only when they are switched off.
    private static readonly string[] OffOnly = ["DataFormatConversionConfiguration", "DynamicPartitioningConfiguration", "ProcessingConfiguration", "CloudWatchLoggingOptions"];
    private static readonly string[] Formats = ["UNCOMPRESSED", "GZIP", "ZIP"];
    private static readonly string[] KnownFormats = ["Snappy", "HADOOP_SNAPPY"];

    /// <param name="current">What an update changes; null for a new destination.</param>
    /// <exception cref="FirehoseException"><c>InvalidArgumentException</c>.</exception>
    public static ExtendedS3Destination Read(JsonInput input, ExtendedS3Destination? current)
    {
        input.Allow([
            "RoleARN", "BucketARN", "Prefix", "ErrorOutputPrefix", "BufferingHints", "CompressionFormat", "FileExtension", "CustomTimeZone", "EncryptionConfiguration", "S3BackupMode", .. OffOnly,
        ]);
        foreach (var name in OffOnly)
        {
            if (input.Object(name) is { } feature && feature.Flag("Enabled") != false)
                throw FirehoseException.NotHonoured($"{feature.Path} (anything but Enabled=false)");
        }

        if (input.Text("S3BackupMode") is { } backup && backup != "Disabled")
            throw FirehoseException.NotHonoured($"{input.Path}.S3BackupMode={backup}");
        if (input.Object("EncryptionConfiguration") is { } encryption && encryption.Text("NoEncryptionConfig") != "NoEncryption")
            throw FirehoseException.NotHonoured($"{input.Path}.EncryptionConfiguration");

        var (size, interval) = BufferingHints(input, current);
        var destination = new ExtendedS3Destination
        {
            RoleArn = input.Text("RoleARN") ?? current?.RoleArn ?? input.RequiredText("RoleARN"),
            BucketArn = input.Text("BucketARN") ?? current?.BucketArn ?? input.RequiredText("BucketARN"),
            Prefix = input.Text("Prefix") ?? current?.Prefix,
            ErrorOutputPrefix = input.Text("ErrorOutputPrefix") ?? current?.ErrorOutputPrefix,
            SizeInMBs = size,
            IntervalInSeconds = interval,
            CompressionFormat = input.Text("CompressionFormat") ?? current?.CompressionFormat ?? "UNCOMPRESSED",
            FileExtension = input.Text("FileExtension") ?? current?.FileExtension,
            CustomTimeZone = input.Text("CustomTimeZone") ?? current?.CustomTimeZone ?? "UTC",
        };
        Check(destination, input.Path);
        return destination;
    }

    private static (int Size, int Interval) BufferingHints(JsonInput input, ExtendedS3Destination? current)
    {
        if (input.Object("BufferingHints") is not { } hints)
            return (current?.SizeInMBs ?? 5, current?.IntervalInSeconds ?? 300);
        hints.Allow("SizeInMBs", "IntervalInSeconds");
        // "If you specify a value for one of them, you must also provide a value for the other" (API_BufferingHints).
        if (hints.Number("SizeInMBs") is not { } size || hints.Number("IntervalInSeconds") is not { } interval)
            throw FirehoseException.InvalidArgument($"{hints.Path} needs both SizeInMBs and IntervalInSeconds.");
        if (size is < 1 or > 128)
            throw FirehoseException.InvalidArgument($"{hints.Path}.SizeInMBs is {size}; it must be between 1 and 128.");
        if (interval is < 0 or > 900)
            throw FirehoseException.InvalidArgument($"{hints.Path}.IntervalInSeconds is {interval}; it must be between 0 and 900.");
        return (size, interval);
    }

    private static void Check(ExtendedS3Destination destination, string path)
    {
        if (!RoleArn().IsMatch(destination.RoleArn))
            throw FirehoseException.InvalidArgument($"{path}.RoleARN '{destination.RoleArn}' is not the ARN of an IAM role (arn:aws:iam::123456789012:role/NAME).");
        if (!destination.BucketArn.StartsWith("arn:aws:s3:::", StringComparison.Ordinal) || !ObjectStore.IsBucketName(destination.Bucket))
            throw FirehoseException.InvalidArgument($"{path}.BucketARN '{destination.BucketArn}' is not the ARN of a bucket (arn:aws:s3:::NAME).");
        if (KnownFormats.Contains(destination.CompressionFormat))
            throw FirehoseException.NotHonoured($"{path}.CompressionFormat={destination.CompressionFormat}");
        if (!Formats.Contains(destination.CompressionFormat))
            throw FirehoseException.InvalidArgument($"{path}.CompressionFormat is '{destination.CompressionFormat}'; it must be one of {string.Join(", ", Formats.Concat(KnownFormats))}.");
        if (destination.FileExtension is { Length: > 0 } extension && (extension.Length > 128 || !FileExtension().IsMatch(extension)))
            throw FirehoseException.InvalidArgument($"{path}.FileExtension '{extension}' must begin with a period and hold only 0-9a-z!-_.*'().");
        if (!TimeZoneInfo.TryFindSystemTimeZoneById(destination.CustomTimeZone, out _))
            throw FirehoseException.InvalidArgument($"{path}.CustomTimeZone '{destination.CustomTimeZone}' is not a known time zone.");
        DeliveryPrefix.Parse(destination.Prefix, destination.ErrorOutputPrefix);
    }

    [GeneratedRegex(@"\Aarn:aws[a-z-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+\z")]
    private static partial Regex RoleArn();

    [GeneratedRegex(@"\A\.[0-9a-z!\-_.*'()]+\z")]
    private static partial Regex FileExtension();
}
