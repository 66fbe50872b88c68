using System.Collections.Concurrent;
using System.Text.RegularExpressions;

namespace ChatPlatform.LocalAws.S3.Objects;

/// <summary>
/// The buckets of the process: what the S3 protocol, and Firehose beside it, read and write. Thread-safe.
/// A put that returned is there whole after <c>kill -9</c>; one that did not return is there whole or not at all.
/// </summary>
internal sealed partial class ObjectStore
{
    private readonly ConcurrentDictionary<string, Bucket> _buckets = new(StringComparer.Ordinal);
    private readonly IObjectMedium _medium;
    private readonly TimeProvider _time;
    private long _sequence;

    public ObjectStore(IObjectMedium medium, TimeProvider time)
    {
        (_medium, _time) = (medium, time);
        foreach (var stored in medium.Load())
        {
            _buckets[stored.Settings.Name] = new Bucket(stored, medium, time, NextSequence);
            var written = stored.Objects.Concat(stored.Uploads.SelectMany(u => u.Parts)).Select(o => o.Metadata.Sequence);
            _sequence = Math.Max(_sequence, written.DefaultIfEmpty().Max());
        }
    }

    /// <summary>By name, in order.</summary>
    public IReadOnlyList<Bucket> Buckets => [.. _buckets.Values.OrderBy(b => b.Name, StringComparer.Ordinal)];

    /// <exception cref="S3Exception"><c>NoSuchBucket</c>.</exception>
    public Bucket GetBucket(string name) => _buckets.TryGetValue(name, out var bucket) ? bucket : throw S3Exception.NoSuchBucket(name);

    /// <exception cref="S3Exception"><c>InvalidBucketName</c>, <c>BucketAlreadyOwnedByYou</c>.</exception>
    public Bucket CreateBucket(string name, string region)
    {
        if (!IsBucketName(name))
            throw new S3Exception("InvalidBucketName", "The specified bucket is not valid.", 400) { Details = [new("BucketName", name)] };
        lock (_buckets)
        {
            if (_buckets.ContainsKey(name))
                throw new S3Exception("BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.", 409)
                {
                    Details = [new("BucketName", name)],
                };
            var settings = new BucketSettings(name, region, _time.GetUtcNow());
            _medium.SaveBucket(settings);
            return _buckets[name] = new Bucket(new(settings, [], []), _medium, _time, NextSequence);
        }
    }

    public void DeleteBucket(string name)
    {
        lock (_buckets)
        {
            GetBucket(name).Delete();
            _buckets.TryRemove(name, out _);
        }
    }

    /// <summary>A place for an object's bytes; dispose it whether or not it was put.</summary>
    public StagedContent Stage() => _medium.Stage();

    /// <summary>https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html.</summary>
    public static bool IsBucketName(string name) =>
        BucketName().IsMatch(name) && !name.Contains("..", StringComparison.Ordinal) && !IpAddress().IsMatch(name)
        && !name.StartsWith("xn--", StringComparison.Ordinal) && !name.EndsWith("-s3alias", StringComparison.Ordinal);

    private long NextSequence() => Interlocked.Increment(ref _sequence);

    [GeneratedRegex(@"\A[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\z")]
    private static partial Regex BucketName();

    [GeneratedRegex(@"\A\d+\.\d+\.\d+\.\d+\z")]
    private static partial Regex IpAddress();
}
