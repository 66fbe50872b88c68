namespace ChatPlatform.LocalAws.S3.Objects;

/// <summary>
/// Where the bytes and settings of buckets lie. The store calls it with the bucket's lock held, except <see cref="Stage"/>, which is thread-safe.
/// What a method wrote when it returns survives the death of the process; what it had not finished is never seen.
/// </summary>
internal interface IObjectMedium
{
    StagedContent Stage();

    /// <summary>Makes staged bytes an object (or a part of <paramref name="uploadId"/>), in one step.</summary>
    StoredContent Commit(StagedContent staged, string bucket, string? uploadId, ObjectMetadata metadata);

    void SaveBucket(BucketSettings settings);

    void DeleteBucket(string bucket);

    void SaveUpload(string bucket, UploadSettings upload);

    /// <summary>Deletes the upload with its parts.</summary>
    void DeleteUpload(string bucket, string uploadId);

    /// <summary>Everything stored; called once, before anything else.</summary>
    IEnumerable<StoredBucket> Load();
}

internal sealed record StoredObject(ObjectMetadata Metadata, StoredContent Content);

internal sealed record StoredUpload(UploadSettings Settings, IReadOnlyList<StoredObject> Parts);

internal sealed record StoredBucket(BucketSettings Settings, IReadOnlyList<StoredObject> Objects, IReadOnlyList<StoredUpload> Uploads);
