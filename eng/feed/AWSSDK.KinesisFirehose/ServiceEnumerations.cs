using Amazon.Runtime;

namespace Amazon.KinesisFirehose;

/// <summary>How objects are compressed before they go to the bucket.</summary>
public class CompressionFormat(string value) : ConstantClass(value)
{
    public static readonly CompressionFormat GZIP = new("GZIP");
    public static readonly CompressionFormat HADOOP_SNAPPY = new("HADOOP_SNAPPY");
    public static readonly CompressionFormat Snappy = new("Snappy");
    public static readonly CompressionFormat UNCOMPRESSED = new("UNCOMPRESSED");
    public static readonly CompressionFormat ZIP = new("ZIP");

    /// <summary>The constant of that value; a value newer than this package makes a new one.</summary>
    public static CompressionFormat FindValue(string value) => FindValue<CompressionFormat>(value);

    public static implicit operator CompressionFormat(string value) => FindValue(value);
}

/// <summary>The life of a delivery stream.</summary>
public class DeliveryStreamStatus(string value) : ConstantClass(value)
{
    public static readonly DeliveryStreamStatus ACTIVE = new("ACTIVE");
    public static readonly DeliveryStreamStatus CREATING = new("CREATING");
    public static readonly DeliveryStreamStatus CREATING_FAILED = new("CREATING_FAILED");
    public static readonly DeliveryStreamStatus DELETING = new("DELETING");
    public static readonly DeliveryStreamStatus DELETING_FAILED = new("DELETING_FAILED");
    public static readonly DeliveryStreamStatus SUSPENDED = new("SUSPENDED");

    /// <summary>The constant of that value; a value newer than this package makes a new one.</summary>
    public static DeliveryStreamStatus FindValue(string value) => FindValue<DeliveryStreamStatus>(value);

    public static implicit operator DeliveryStreamStatus(string value) => FindValue(value);
}

/// <summary>Where a delivery stream's records come from.</summary>
public class DeliveryStreamType(string value) : ConstantClass(value)
{
    public static readonly DeliveryStreamType DatabaseAsSource = new("DatabaseAsSource");
    public static readonly DeliveryStreamType DirectPut = new("DirectPut");
    public static readonly DeliveryStreamType KinesisStreamAsSource = new("KinesisStreamAsSource");
    public static readonly DeliveryStreamType MSKAsSource = new("MSKAsSource");

    /// <summary>The constant of that value; a value newer than this package makes a new one.</summary>
    public static DeliveryStreamType FindValue(string value) => FindValue<DeliveryStreamType>(value);

    public static implicit operator DeliveryStreamType(string value) => FindValue(value);
}
