using System.Text.Json.Serialization;

namespace ChatPlatform.LocalAws.S3.Objects;

/// <summary>What is known of one object, or of one part of a multipart upload, beside its bytes. Immutable; written behind the bytes as JSON.</summary>
internal sealed record ObjectMetadata
{
    public required string Key { get; init; }

    /// <summary>Length in bytes.</summary>
    public required long Size { get; init; }

    /// <summary>Without quotes: hex MD5 of the bytes, or <c>MD5(MD5s of the parts)-N</c> for a multipart upload.</summary>
    public required string ETag { get; init; }

    public required DateTimeOffset LastModified { get; init; }

    /// <summary>Grows with every write in the store: of two files of one key that a crash left behind, the higher one is the object.</summary>
    public long Sequence { get; init; }

    /// <summary>The part's number, 1–10,000; 0 for an object.</summary>
    public int PartNumber { get; init; }

    public ObjectHeaders Headers { get; init; } = ObjectHeaders.None;

    public ObjectChecksum? Checksum { get; init; }
}

/// <summary>The headers an object gives back as they were put: <paramref name="System"/> by lower-case name (<c>content-type</c>, …), <paramref name="User"/> without <c>x-amz-meta-</c>.</summary>
internal sealed record ObjectHeaders(IReadOnlyDictionary<string, string> System, IReadOnlyDictionary<string, string> User)
{
    public static ObjectHeaders None { get; } = new(new Dictionary<string, string>(), new Dictionary<string, string>());
}

/// <param name="Algorithm">One of <see cref="ChecksumAlgorithms.All"/>.</param>
/// <param name="Value">Base64, with <c>-N</c> behind it when composite.</param>
/// <param name="Type"><c>FULL_OBJECT</c> or <c>COMPOSITE</c>.</param>
internal sealed record ObjectChecksum(string Algorithm, string Value, string Type)
{
    public const string FullObject = "FULL_OBJECT";
    public const string Composite = "COMPOSITE";
}

/// <summary>A bucket's settings as stored.</summary>
internal sealed record BucketSettings(string Name, string Region, DateTimeOffset CreatedAt)
{
    public IReadOnlyList<CorsRule> Cors { get; init; } = [];
}

/// <summary>One rule of https://docs.aws.amazon.com/AmazonS3/latest/API/API_CORSRule.html.</summary>
internal sealed record CorsRule(
    string? Id,
    IReadOnlyList<string> AllowedOrigins,
    IReadOnlyList<string> AllowedMethods,
    IReadOnlyList<string> AllowedHeaders,
    IReadOnlyList<string> ExposeHeaders,
    int? MaxAgeSeconds);

/// <summary>What a started multipart upload will become. <paramref name="ChecksumAlgorithm"/> is null when the client named none.</summary>
internal sealed record UploadSettings(
    string Id, string Key, DateTimeOffset Initiated, ObjectHeaders Headers, string? ChecksumAlgorithm, string ChecksumType);

[JsonSerializable(typeof(ObjectMetadata))]
[JsonSerializable(typeof(BucketSettings))]
[JsonSerializable(typeof(UploadSettings))]
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
internal sealed partial class ObjectJson : JsonSerializerContext;
