using System.Text.RegularExpressions;
using ChatPlatform.LocalAws.Firehose.Formats;
using ChatPlatform.LocalAws.Firehose.Processing;
using ChatPlatform.LocalAws.S3.Objects;

namespace ChatPlatform.LocalAws.Firehose;

/// <summary>
/// Reads an <c>ExtendedS3DestinationConfiguration</c> or <c>…Update</c> and checks it as a whole
/// (https://docs.aws.amazon.com/firehose/latest/APIReference/API_ExtendedS3DestinationConfiguration.html). What is not carried out is refused by name.
/// </summary>
internal static partial class DestinationReader
{
    /// <summary>"The maximum number of active partitions" a stream may have at a time (https://docs.aws.amazon.com/firehose/latest/dev/limits.html).</summary>
    public const int MaxActivePartitions = 500;

    /// <summary>What conversion and partitioning need at least (https://docs.aws.amazon.com/firehose/latest/dev/enable-record-format-conversion.html, …/dynamic-partitioning-enable.html).</summary>
    private const int LeastMBs = 64;

    /// <param name="current">What an update changes; null for a new destination.</param>
    /// <param name="hasLambda">Whether a function could be invoked.</param>
    /// <exception cref="FirehoseException"><c>InvalidArgumentException</c>.</exception>
    public static ExtendedS3Destination Read(JsonInput input, ExtendedS3Destination? current, bool hasLambda)
    {
        input.Allow([
            "RoleARN", "BucketARN", "Prefix", "ErrorOutputPrefix", "BufferingHints", "CompressionFormat", "FileExtension", "CustomTimeZone", "EncryptionConfiguration", "S3BackupMode",
            "CloudWatchLoggingOptions", "DataFormatConversionConfiguration", "DynamicPartitioningConfiguration", "ProcessingConfiguration",
        ]);
        if (input.Object("CloudWatchLoggingOptions") is { } logging && logging.Flag("Enabled") != false)
            throw FirehoseException.NotHonoured($"{logging.Path} (anything but Enabled=false)");
        if (input.Text("S3BackupMode") is { } backup && backup != "Disabled")
            throw FirehoseException.NotHonoured($"{input.Path}.S3BackupMode={backup}");
        if (input.Object("EncryptionConfiguration") is { } encryption && encryption.Text("NoEncryptionConfig") != "NoEncryption")
            throw FirehoseException.NotHonoured($"{input.Path}.EncryptionConfiguration");

        var conversion = input.Object("DataFormatConversionConfiguration");
        var converts = conversion is { } given ? FormatConversion.Read(given) is not null : current?.Conversion is not null;
        if (input.Object("ProcessingConfiguration") is { } processing)
            ProcessorChain.Read(processing);
        if (input.Object("DynamicPartitioningConfiguration") is { } partitioning)
            CheckPartitioning(partitioning);

        // "The default is 5. … If DataFormatConversion is enabled, the default is 128."
        var (size, interval) = BufferingHints(input, current ?? (converts ? new ExtendedS3Destination { RoleArn = "", BucketArn = "", SizeInMBs = 128 } : null));
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
            Processing = input.Object("ProcessingConfiguration")?.RawText() ?? current?.Processing,
            DynamicPartitioning = input.Object("DynamicPartitioningConfiguration")?.RawText() ?? current?.DynamicPartitioning,
            DataFormatConversion = conversion?.RawText() ?? current?.DataFormatConversion,
        };
        Check(destination, input.Path);
        CheckProcessing(destination, input.Path, hasLambda);
        // "You can enable dynamic partitioning … only when you create a new Firehose stream."
        if (current is not null && current.IsPartitioned != destination.IsPartitioned)
            throw FirehoseException.InvalidArgument($"{input.Path}.DynamicPartitioningConfiguration cannot be switched on or off for a stream that is there.");
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
        if (!ObjectCompression.Names.Contains(destination.CompressionFormat))
            throw FirehoseException.InvalidArgument($"{path}.CompressionFormat is '{destination.CompressionFormat}'; it must be one of {string.Join(", ", ObjectCompression.Names)}.");
        if (destination.FileExtension is { Length: > 0 } extension && (extension.Length > 128 || !FileExtension().IsMatch(extension)))
            throw FirehoseException.InvalidArgument($"{path}.FileExtension '{extension}' must begin with a period and hold only 0-9a-z!-_.*'().");
        if (!TimeZoneInfo.TryFindSystemTimeZoneById(destination.CustomTimeZone, out _))
            throw FirehoseException.InvalidArgument($"{path}.CustomTimeZone '{destination.CustomTimeZone}' is not a known time zone.");
        DeliveryPrefix.Parse(destination.Prefix, destination.ErrorOutputPrefix);
    }

    // What processors, partitioning and conversion ask of each other and of the rest.
    private static void CheckProcessing(ExtendedS3Destination destination, string path, bool hasLambda)
    {
        var chain = destination.Processors;
        if (chain.Lambda is not null && !hasLambda)
            throw FirehoseException.NotHonoured($"{path}.ProcessingConfiguration with a processor of type Lambda while {FirehoseOptions.Section}:{nameof(FirehoseOptions.LambdaEndpoint)} is not set");
        if (destination.Conversion is not null)
        {
            if (destination.CompressionFormat != ObjectCompression.None)
                throw FirehoseException.InvalidArgument($"{path}.CompressionFormat must be {ObjectCompression.None} when data format conversion is enabled: the serializer has a compression of its own.");
            if (destination.SizeInMBs < LeastMBs)
                throw FirehoseException.InvalidArgument($"{path}.BufferingHints.SizeInMBs must be at least {LeastMBs} when data format conversion is enabled.");
        }

        var keys = DeliveryPrefix.Parse(destination.Prefix, destination.ErrorOutputPrefix).Data.PartitionKeys;
        if (!destination.IsPartitioned)
        {
            if (keys.Count > 0)
                throw FirehoseException.InvalidArgument($"{path}.Prefix contains !{{{keys.First()}}}, which needs dynamic partitioning to be enabled.");
            if (chain.Metadata is not null)
                throw FirehoseException.InvalidArgument($"{path}.ProcessingConfiguration: MetadataExtraction needs dynamic partitioning to be enabled.");
            return;
        }

        if (destination.SizeInMBs < LeastMBs)
            throw FirehoseException.InvalidArgument($"{path}.BufferingHints.SizeInMBs must be at least {LeastMBs} when dynamic partitioning is enabled.");
        if (keys.Count == 0)
            throw FirehoseException.InvalidArgument($"{path}.Prefix must contain partition keys when dynamic partitioning is enabled.");
        foreach (var key in keys)
        {
            var name = key[(key.IndexOf(':', StringComparison.Ordinal) + 1)..];
            if (key.StartsWith("partitionKeyFromQuery:", StringComparison.Ordinal) && chain.Metadata?.Keys.Contains(name) != true)
                throw FirehoseException.InvalidArgument($"{path}.Prefix contains !{{{key}}}, which no MetadataExtractionQuery gives.");
            if (key.StartsWith("partitionKeyFromLambda:", StringComparison.Ordinal) && chain.Lambda is null)
                throw FirehoseException.InvalidArgument($"{path}.Prefix contains !{{{key}}}, and there is no processor of type Lambda.");
        }
    }

    private static void CheckPartitioning(JsonInput input)
    {
        input.Allow("Enabled", "RetryOptions");
        input.Flag("Enabled");
        if (input.Object("RetryOptions") is not { } retry)
            return;
        retry.Allow("DurationInSeconds");
        if (retry.Number("DurationInSeconds") is { } seconds && seconds is < 0 or > 7_200)
            throw FirehoseException.InvalidArgument($"{retry.Path}.DurationInSeconds must be between 0 and 7200.");
    }

    [GeneratedRegex(@"\Aarn:aws[a-z-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+\z")]
    private static partial Regex RoleArn();

    [GeneratedRegex(@"\A\.[0-9a-z!\-_.*'()]+\z")]
    private static partial Regex FileExtension();
}
