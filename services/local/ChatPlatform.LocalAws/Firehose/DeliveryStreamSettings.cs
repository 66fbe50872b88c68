using System.Text.Json.Serialization;

namespace ChatPlatform.LocalAws.Firehose;

/// <summary>A delivery stream as its owner configured it; immutable, stored as JSON.</summary>
/// <param name="Version">Begins with 1 and grows by 1 with every change of the configuration; part of every object's name.</param>
internal sealed record DeliveryStreamSettings(string Name, int Version, DateTimeOffset CreatedAt, DateTimeOffset? UpdatedAt, ExtendedS3Destination Destination);

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

    /// <summary><c>UNCOMPRESSED</c>, <c>GZIP</c> or <c>ZIP</c>.</summary>
    public string CompressionFormat { get; init; } = "UNCOMPRESSED";

    /// <summary>Replaces the extension that the compression would give, e.g. <c>.json.gz</c>.</summary>
    public string? FileExtension { get; init; }

    /// <summary>An IANA name.</summary>
    public string CustomTimeZone { get; init; } = "UTC";

    [JsonIgnore]
    public string Bucket => BucketArn[(BucketArn.LastIndexOf(':') + 1)..];

    [JsonIgnore]
    public long SizeInBytes => SizeInMBs * 1024L * 1024;

    /// <summary>
    /// The key of one object: evaluated prefix, stream, version, time and a unique id (https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html).
    /// </summary>
    /// <param name="arrival">When the oldest record in it arrived.</param>
    public string KeyOf(string stream, int version, DateTimeOffset arrival, Guid id)
    {
        var zone = TimeZoneInfo.FindSystemTimeZoneById(CustomTimeZone);
        var (prefix, _) = DeliveryPrefix.Parse(Prefix, ErrorOutputPrefix);
        var extension = !string.IsNullOrEmpty(FileExtension) ? FileExtension : CompressionFormat switch
        {
            "GZIP" => ".gz",
            "ZIP" => ".zip",
            _ => "",
        };
        var time = TimeZoneInfo.ConvertTime(arrival, zone);
        return $"{prefix.Evaluate(arrival, zone)}{stream}-{version}-{time:yyyy-MM-dd-HH-mm-ss}-{id:D}{extension}";
    }
}

[JsonSerializable(typeof(DeliveryStreamSettings))]
internal sealed partial class FirehoseJson : JsonSerializerContext;
