namespace Amazon.KinesisFirehose.Model;

/// <summary>When a buffer is delivered: at the size or the age, whichever comes first.</summary>
public class BufferingHints
{
    /// <summary>Seconds, 0 to 900; 300 unless set.</summary>
    public int? IntervalInSeconds { get; set; }

    /// <summary>MiB, 1 to 128; 5 unless set.</summary>
    public int? SizeInMBs { get; set; }
}

public class ExtendedS3DestinationConfiguration
{
    public string BucketARN { get; set; }

    public BufferingHints BufferingHints { get; set; }

    /// <summary>UNCOMPRESSED unless set.</summary>
    public CompressionFormat CompressionFormat { get; set; }

    /// <summary>The time zone of the prefixes' timestamps, such as Asia/Seoul; UTC unless set.</summary>
    public string CustomTimeZone { get; set; }

    public string ErrorOutputPrefix { get; set; }

    /// <summary>Replaces the extension of the objects; begins with a dot.</summary>
    public string FileExtension { get; set; }

    public string Prefix { get; set; }

    public string RoleARN { get; set; }
}

public class ExtendedS3DestinationDescription
{
    public string BucketARN { get; set; }

    public BufferingHints BufferingHints { get; set; }

    public CompressionFormat CompressionFormat { get; set; }

    public string CustomTimeZone { get; set; }

    public string ErrorOutputPrefix { get; set; }

    public string FileExtension { get; set; }

    public string Prefix { get; set; }

    public string RoleARN { get; set; }
}

public class DestinationDescription
{
    public string DestinationId { get; set; }

    public ExtendedS3DestinationDescription ExtendedS3DestinationDescription { get; set; }
}

public class DeliveryStreamDescription
{
    /// <summary>UTC.</summary>
    public DateTime? CreateTimestamp { get; set; }

    public string DeliveryStreamARN { get; set; }

    public string DeliveryStreamName { get; set; }

    public DeliveryStreamStatus DeliveryStreamStatus { get; set; }

    public DeliveryStreamType DeliveryStreamType { get; set; }

    public List<DestinationDescription> Destinations { get; set; }

    public bool? HasMoreDestinations { get; set; }

    /// <summary>UTC.</summary>
    public DateTime? LastUpdateTimestamp { get; set; }

    public string VersionId { get; set; }
}
