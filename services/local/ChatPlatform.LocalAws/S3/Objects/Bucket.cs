namespace ChatPlatform.LocalAws.S3.Objects;

/// <summary>
/// One bucket: its objects in key order and its unfinished uploads. Thread-safe: <c>_gate</c> guards every field and every change of the medium,
/// so that what a listing shows, what a condition sees and what lies on disk agree.
/// The index is one sorted array: a lookup or a page costs a binary search, an insertion moves what lies behind it (microseconds at a hundred thousand keys).
/// </summary>
internal sealed class Bucket
{
    private readonly Lock _gate = new();
    private readonly IObjectMedium _medium;
    private readonly TimeProvider _time;
    private readonly Func<long> _nextSequence;
    private readonly List<StoredObject> _objects;
    private readonly Dictionary<string, MultipartUpload> _uploads;
    private BucketSettings _settings;
    private bool _deleted;

    public Bucket(StoredBucket stored, IObjectMedium medium, TimeProvider time, Func<long> nextSequence)
    {
        (_settings, _medium, _time, _nextSequence) = (stored.Settings, medium, time, nextSequence);
        _objects = [.. stored.Objects];
        _objects.Sort((a, b) => KeyOrder.Utf8.Compare(a.Metadata.Key, b.Metadata.Key));
        _uploads = stored.Uploads.ToDictionary(u => u.Settings.Id, u => new MultipartUpload(u.Settings, u.Parts));
    }

    public BucketSettings Settings
    {
        get
        {
            lock (_gate)
                return _settings;
        }
    }

    public string Name => _settings.Name;

    /// <inheritdoc cref="ObjectStore.Stage"/>
    public StagedContent Stage() => _medium.Stage();

    /// <summary>Changes the settings in one step.</summary>
    public void Change(Func<BucketSettings, BucketSettings> change)
    {
        lock (_gate)
        {
            ThrowIfDeleted();
            var changed = change(_settings);
            _medium.SaveBucket(changed);
            _settings = changed;
        }
    }

    /// <exception cref="S3Exception"><c>BucketNotEmpty</c>.</exception>
    public void Delete()
    {
        lock (_gate)
        {
            ThrowIfDeleted();
            if (_objects.Count > 0)
                throw new S3Exception("BucketNotEmpty", "The bucket you tried to delete is not empty", 409) { Details = [new("BucketName", Name)] };
            _medium.DeleteBucket(Name);
            _deleted = true;
        }
    }

    /// <exception cref="S3Exception"><c>NoSuchKey</c>.</exception>
    public StoredObject Get(string key)
    {
        lock (_gate)
        {
            ThrowIfDeleted();
            var at = IndexOf(key);
            return at >= 0 ? _objects[at] : throw S3Exception.NoSuchKey(key);
        }
    }

    /// <summary>Opens an object's bytes; a reader has the version it opened, whatever is written after.</summary>
    /// <exception cref="S3Exception"><c>NoSuchKey</c>.</exception>
    public (ObjectMetadata Metadata, Stream Bytes) Open(string key, Func<ObjectMetadata, (long Offset, long Length)> range)
    {
        while (true)
        {
            var found = Get(key);
            var (offset, length) = range(found.Metadata);
            try
            {
                return (found.Metadata, found.Content.OpenRead(offset, length));
            }
            catch (FileNotFoundException) when (IsReplaced(found))
            {
                // Another write came between the lookup and the opening: look again.
            }
        }
    }

    /// <summary>Makes staged bytes the object under <paramref name="key"/>, whole and at once, if <paramref name="condition"/> holds at that instant.</summary>
    /// <exception cref="S3Exception"><c>PreconditionFailed</c>, or <c>NoSuchKey</c> for an If-Match on nothing.</exception>
    public ObjectMetadata Put(string key, StagedContent staged, ObjectHeaders headers, ObjectChecksum? checksum, WriteCondition condition, string? eTag = null)
    {
        lock (_gate)
        {
            ThrowIfDeleted();
            return Commit(key, staged, headers, checksum, condition, eTag);
        }
    }

    /// <summary>Removes an object; removing what is not there succeeds. Gives whether something was removed.</summary>
    public bool Remove(string key, WriteCondition condition)
    {
        lock (_gate)
        {
            ThrowIfDeleted();
            var at = IndexOf(key);
            condition.Check(key, at >= 0 ? _objects[at].Metadata : null);
            if (at < 0)
                return false;
            _objects[at].Content.Delete();
            _objects.RemoveAt(at);
            return true;
        }
    }

    public ListPage List(ListQuery query)
    {
        lock (_gate)
        {
            ThrowIfDeleted();
            return ListLocked(query);
        }
    }

    public void StartUpload(UploadSettings upload)
    {
        lock (_gate)
        {
            ThrowIfDeleted();
            _medium.SaveUpload(Name, upload);
            _uploads.Add(upload.Id, new MultipartUpload(upload, []));
        }
    }

    /// <exception cref="S3Exception"><c>NoSuchUpload</c>.</exception>
    public UploadSettings GetUpload(string key, string id)
    {
        lock (_gate)
            return FindUpload(key, id).Settings;
    }

    /// <summary>Unfinished uploads in the order of their keys, then of their ids.</summary>
    public IReadOnlyList<UploadSettings> GetUploads()
    {
        lock (_gate)
        {
            ThrowIfDeleted();
            return [.. _uploads.Values.Select(u => u.Settings).OrderBy(u => u.Key, KeyOrder.Utf8).ThenBy(u => u.Id, StringComparer.Ordinal)];
        }
    }

    public IReadOnlyList<StoredObject> GetParts(string key, string id)
    {
        lock (_gate)
            return [.. FindUpload(key, id).Parts.Values];
    }

    /// <summary>Stores a part; a part of the same number is replaced.</summary>
    public ObjectMetadata PutPart(string key, string id, int number, StagedContent staged, ObjectChecksum? checksum)
    {
        lock (_gate)
        {
            var upload = FindUpload(key, id);
            var metadata = Describe(key, staged, checksum, null) with { PartNumber = number };
            var content = _medium.Commit(staged, Name, id, metadata);
            upload.Parts.TryGetValue(number, out var replaced);
            upload.Parts[number] = new(metadata, content);
            replaced?.Content.Delete();
            return metadata;
        }
    }

    /// <summary>Makes the joined bytes the object and ends the upload.</summary>
    public ObjectMetadata CompleteUpload(string key, string id, StagedContent joined, string eTag, ObjectChecksum? checksum, WriteCondition condition)
    {
        lock (_gate)
        {
            var upload = FindUpload(key, id);
            var metadata = Commit(key, joined, upload.Settings.Headers, checksum, condition, eTag);
            _uploads.Remove(id);
            _medium.DeleteUpload(Name, id);
            return metadata;
        }
    }

    public void AbortUpload(string key, string id)
    {
        lock (_gate)
        {
            FindUpload(key, id);
            _uploads.Remove(id);
            _medium.DeleteUpload(Name, id);
        }
    }

    private ObjectMetadata Commit(string key, StagedContent staged, ObjectHeaders headers, ObjectChecksum? checksum, WriteCondition condition, string? eTag)
    {
        var at = IndexOf(key);
        var replaced = at >= 0 ? _objects[at] : null;
        condition.Check(key, replaced?.Metadata);
        var metadata = Describe(key, staged, checksum, eTag) with { Headers = headers };
        var stored = new StoredObject(metadata, _medium.Commit(staged, Name, null, metadata));
        if (at >= 0)
            _objects[at] = stored;
        else
            _objects.Insert(~at, stored);
        replaced?.Content.Delete();
        return metadata;
    }

    private ObjectMetadata Describe(string key, StagedContent staged, ObjectChecksum? checksum, string? eTag) => new()
    {
        Key = key,
        Size = staged.Length,
        ETag = eTag ?? Convert.ToHexStringLower(staged.Md5),
        LastModified = _time.GetUtcNow(),
        Sequence = _nextSequence(),
        Checksum = checksum,
    };

    private ListPage ListLocked(ListQuery query)
    {
        var items = new List<StoredObject>();
        var prefixes = new List<string>();
        string? last = null;
        var at = query.AfterGroup ? FirstBehindGroup(query.After) : FirstNotBefore(query.After);
        if (!query.AfterGroup && at < _objects.Count && query.After.Length > 0 && _objects[at].Metadata.Key == query.After)
            at++;
        at = Math.Max(at, FirstNotBefore(query.Prefix));
        while (at < _objects.Count)
        {
            var key = _objects[at].Metadata.Key;
            if (!key.StartsWith(query.Prefix, StringComparison.Ordinal))
                break;
            if (items.Count + prefixes.Count == query.MaxKeys)
                return new(items, prefixes, IsTruncated: query.MaxKeys > 0, last);
            var end = query.Delimiter.Length == 0 ? -1 : key.IndexOf(query.Delimiter, query.Prefix.Length, StringComparison.Ordinal);
            if (end >= 0)
            {
                last = key[..(end + query.Delimiter.Length)];
                prefixes.Add(last);
                at = FirstBehindGroup(last);
            }
            else
            {
                last = key;
                items.Add(_objects[at++]);
            }
        }

        return new(items, prefixes, IsTruncated: false, null);
    }

    private int IndexOf(string key)
    {
        var at = FirstNotBefore(key);
        return at < _objects.Count && _objects[at].Metadata.Key == key ? at : ~at;
    }

    private int FirstNotBefore(string key) => First(candidate => KeyOrder.Utf8.Compare(candidate, key) >= 0);

    private int FirstBehindGroup(string prefix) =>
        First(candidate => !candidate.StartsWith(prefix, StringComparison.Ordinal) && KeyOrder.Utf8.Compare(candidate, prefix) > 0);

    private int First(Func<string, bool> holds)
    {
        var (low, high) = (0, _objects.Count);
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (holds(_objects[middle].Metadata.Key))
                high = middle;
            else
                low = middle + 1;
        }

        return low;
    }

    private bool IsReplaced(StoredObject found)
    {
        lock (_gate)
        {
            var at = IndexOf(found.Metadata.Key);
            return at < 0 || _objects[at] != found;
        }
    }

    private MultipartUpload FindUpload(string key, string id)
    {
        ThrowIfDeleted();
        return _uploads.TryGetValue(id, out var upload) && upload.Settings.Key == key ? upload : throw S3Exception.NoSuchUpload(id);
    }

    private void ThrowIfDeleted()
    {
        if (_deleted)
            throw S3Exception.NoSuchBucket(Name);
    }

    /// <summary>An upload that is not finished; guarded by the bucket's lock.</summary>
    private sealed class MultipartUpload(UploadSettings settings, IEnumerable<StoredObject> parts)
    {
        public UploadSettings Settings { get; } = settings;

        public SortedDictionary<int, StoredObject> Parts { get; } = new(parts.ToDictionary(p => p.Metadata.PartNumber));
    }
}

/// <summary>What a write demands of the object it replaces (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).</summary>
/// <param name="IfMatch">An ETag without quotes, or <c>*</c>.</param>
/// <param name="IfNoneMatch">Only <c>*</c>: there must be no object.</param>
internal readonly record struct WriteCondition(string? IfMatch, bool IfNoneMatch)
{
    public static WriteCondition None => default;

    /// <exception cref="S3Exception"><c>PreconditionFailed</c>, <c>NoSuchKey</c>.</exception>
    public void Check(string key, ObjectMetadata? current)
    {
        if (IfNoneMatch && current is not null)
            throw S3Exception.PreconditionFailed("If-None-Match");
        if (IfMatch is null)
            return;
        if (current is null)
            throw S3Exception.NoSuchKey(key);
        if (IfMatch != "*" && IfMatch != current.ETag)
            throw S3Exception.PreconditionFailed("If-Match");
    }
}

/// <param name="Prefix">Empty for all.</param>
/// <param name="Delimiter">Empty for none.</param>
/// <param name="After">Keys from behind this one on; empty for the beginning.</param>
/// <param name="AfterGroup"><paramref name="After"/> is a common prefix, and everything under it is passed over.</param>
/// <param name="MaxKeys">Keys and common prefixes together, 0–1,000.</param>
internal sealed record ListQuery(string Prefix, string Delimiter, string After, bool AfterGroup, int MaxKeys);

/// <param name="Last">The last key or common prefix of a truncated page.</param>
internal sealed record ListPage(IReadOnlyList<StoredObject> Objects, IReadOnlyList<string> CommonPrefixes, bool IsTruncated, string? Last);
