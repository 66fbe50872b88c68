using System.Text.Json;
using System.Text.Json.Serialization;
using ChatPlatform.LocalAws.Firehose.Formats;
using ChatPlatform.LocalAws.Firehose.Processing;

namespace ChatPlatform.LocalAws.Firehose;

/// <summary>A delivery stream as its owner configured it; immutable, stored as JSON.</summary>
/// <param name="Version">Begins with 1 and grows by 1 with every change of the configuration; part of every object's name.</param>
internal sealed record DeliveryStreamSettings(string Name, int Version, DateTimeOffset CreatedAt, DateTimeOffset? UpdatedAt, ExtendedS3Destination Destination)
{
    public SortedDictionary<string, string> Tags { get; init; } = new(StringComparer.Ordinal);
}

/// <summary>https://docs.aws.amazon.com/firehose/latest/APIReference/API_ExtendedS3DestinationConfiguration.html, as far as it is honoured.</summary>
internal sealed record ExtendedS3Destination
{
    public required string RoleArn { get; init; }

    public required string BucketArn { get; init; }

    public string? Prefix { get; init; }

    public string? ErrorOutputPrefix { get; init; }

    /// <summary>1–128; counted before compression.</summary>
    public int SizeInMBs { get; init; } = 5;

    /// <summary>0–900, from the arrival of the oldest buffered record.</summary>
    public int IntervalInSeconds { get; init; } = 300;

    /// <summary>One of <see cref="ObjectCompression.Names"/>.</summary>
    public string CompressionFormat { get; init; } = "UNCOMPRESSED";

    /// <summary>Replaces the extension that the compression would give, e.g. <c>.json.gz</c>.</summary>
    public string? FileExtension { get; init; }

    /// <summary>An IANA name.</summary>
    public string CustomTimeZone { get; init; } = "UTC";

    /// <summary><c>ProcessingConfiguration</c>, <c>DynamicPartitioningConfiguration</c> and <c>DataFormatConversionConfiguration</c> as JSON, as they were given and checked.</summary>
    public string? Processing { get; init; }

    public string? DynamicPartitioning { get; init; }

    public string? DataFormatConversion { get; init; }

    [JsonIgnore]
    public ProcessorChain Processors => Parsed(Processing, ProcessorChain.Read) ?? ProcessorChain.None;

    [JsonIgnore]
    public FormatConversion? Conversion => Parsed(DataFormatConversion, FormatConversion.Read);

    [JsonIgnore]
    public bool IsPartitioned => Parsed(DynamicPartitioning, input => (bool?)(input.Flag("Enabled") == true)) == true;

    [JsonIgnore]
    public string Bucket => BucketArn[(BucketArn.LastIndexOf(':') + 1)..];

    [JsonIgnore]
    public long SizeInBytes => SizeInMBs * 1024L * 1024;

    /// <summary>
    /// The key of one object: evaluated prefix, stream, version, time and a unique id (https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html).
    /// </summary>
    /// <param name="arrival">When the oldest record in it arrived.</param>
    /// <param name="errorOutputType">For an error object, what failed; null for data.</param>
    /// <param name="partitionKeys">What the records of a partition share.</param>
    public string KeyOf(
        string stream, int version, DateTimeOffset arrival, Guid id, string? errorOutputType = null, IReadOnlyDictionary<string, string>? partitionKeys = null)
    {
        var zone = TimeZoneInfo.FindSystemTimeZoneById(CustomTimeZone);
        var (prefix, errors) = DeliveryPrefix.Parse(Prefix, ErrorOutputPrefix);
        var extension = errorOutputType is not null ? "" : !string.IsNullOrEmpty(FileExtension) ? FileExtension : Conversion is not null ? ParquetObject.Extension : ObjectCompression.ExtensionOf(CompressionFormat);
        var time = TimeZoneInfo.ConvertTime(arrival, zone);
        var folder = errorOutputType is null ? prefix.Evaluate(arrival, zone, null, partitionKeys) : errors.Evaluate(arrival, zone, errorOutputType);
        return $"{folder}{stream}-{version}-{time:yyyy-MM-dd-HH-mm-ss}-{id:D}{extension}";
    }

    private static T? Parsed<T>(string? text, Func<JsonInput, T?> read)
    {
        if (text is null)
            return default;
        using var document = JsonDocument.Parse(text);
        return read(JsonInput.Request(document.RootElement));
    }
}

[JsonSerializable(typeof(DeliveryStreamSettings))]
internal sealed partial class FirehoseJson : JsonSerializerContext;
