using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace ChatPlatform.LocalAws.S3.Objects;

/// <summary>
/// Objects as files. One object is one file, so that bytes and metadata appear together with one rename:
/// the object's bytes, its <see cref="ObjectMetadata"/> as JSON, and a 16-byte end: length of the JSON, CRC-32C of the JSON (both little-endian), <c>CHATOBJ1</c>.
/// <code>
/// s3/staging/                                      what is not committed; emptied at start
/// s3/buckets/NAME/bucket.json
/// s3/buckets/NAME/objects/HH/HASH-SEQUENCE         HASH: first half of the key's SHA-256 in hex; HH: its first two digits
/// s3/buckets/NAME/uploads/ID/upload.json, NUMBER-SEQUENCE
/// </code>
/// File names never hold a key: keys may be 1,024 bytes long and hold any character.
/// </summary>
internal sealed partial class FileMedium : IObjectMedium
{
    private const int EndLength = 16;
    private readonly string _root;
    private readonly bool _fsync;
    private readonly ILogger _logger;
    private long _staged;

    /// <param name="root">The store's own folder, made when it is missing; this process alone uses it.</param>
    /// <param name="fsync">Whether a write also survives the machine losing power.</param>
    public FileMedium(string root, bool fsync, ILogger logger)
    {
        (_root, _fsync, _logger) = (root, fsync, logger);
        Directory.CreateDirectory(Path.Combine(root, "buckets"));
        var staging = Path.Combine(root, "staging");
        if (Directory.Exists(staging))
            Directory.Delete(staging, recursive: true);
        Directory.CreateDirectory(staging);
    }

    public StagedContent Stage() => new Staged(Path.Combine(_root, "staging", Interlocked.Increment(ref _staged).ToString("D12")));

    public StoredContent Commit(StagedContent staged, string bucket, string? uploadId, ObjectMetadata metadata)
    {
        string path;
        if (uploadId is null)
        {
            var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(metadata.Key)).AsSpan(0, 16));
            path = Path.Combine(BucketFolder(bucket), "objects", hash[..2], $"{hash}-{metadata.Sequence:D16}");
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        }
        else
        {
            path = Path.Combine(UploadFolder(bucket, uploadId), $"{metadata.PartNumber:D5}-{metadata.Sequence:D16}");
        }

        ((Staged)staged).MoveTo(path, metadata, _fsync);
        return new Stored(path, metadata.Size);
    }

    public void SaveBucket(BucketSettings settings)
    {
        Directory.CreateDirectory(Path.Combine(BucketFolder(settings.Name), "objects"));
        Directory.CreateDirectory(Path.Combine(BucketFolder(settings.Name), "uploads"));
        WriteJson(Path.Combine(BucketFolder(settings.Name), "bucket.json"), settings, ObjectJson.Default.BucketSettings);
    }

    public void DeleteBucket(string bucket)
    {
        // Without its settings a folder is no bucket any more, whatever a crash leaves of the rest.
        File.Delete(Path.Combine(BucketFolder(bucket), "bucket.json"));
        Directory.Delete(BucketFolder(bucket), recursive: true);
    }

    public void SaveUpload(string bucket, UploadSettings upload)
    {
        Directory.CreateDirectory(UploadFolder(bucket, upload.Id));
        WriteJson(Path.Combine(UploadFolder(bucket, upload.Id), "upload.json"), upload, ObjectJson.Default.UploadSettings);
    }

    public void DeleteUpload(string bucket, string uploadId)
    {
        File.Delete(Path.Combine(UploadFolder(bucket, uploadId), "upload.json"));
        Directory.Delete(UploadFolder(bucket, uploadId), recursive: true);
    }

    public IEnumerable<StoredBucket> Load()
    {
        foreach (var folder in Directory.GetDirectories(Path.Combine(_root, "buckets")))
        {
            var settings = ReadJson(Path.Combine(folder, "bucket.json"), ObjectJson.Default.BucketSettings);
            if (settings is null)
            {
                Directory.Delete(folder, recursive: true);
                continue;
            }

            var uploads = new List<StoredUpload>();
            foreach (var upload in Directory.GetDirectories(Path.Combine(folder, "uploads")))
            {
                if (ReadJson(Path.Combine(upload, "upload.json"), ObjectJson.Default.UploadSettings) is { } found)
                    uploads.Add(new(found, LatestOf(Directory.EnumerateFiles(upload).Where(f => !f.EndsWith(".json", StringComparison.Ordinal)), m => m.PartNumber)));
                else
                    Directory.Delete(upload, recursive: true);
            }

            yield return new(settings, LatestOf(Directory.EnumerateFiles(Path.Combine(folder, "objects"), "*", SearchOption.AllDirectories), m => m.Key), uploads);
        }
    }

    // A crash between the rename of a new version and the deletion of the old one leaves both.
    private List<StoredObject> LatestOf<TName>(IEnumerable<string> files, Func<ObjectMetadata, TName> name)
        where TName : notnull
    {
        var latest = new Dictionary<TName, StoredObject>();
        foreach (var file in files)
        {
            if (ReadMetadata(file) is not { } metadata)
                continue;
            var found = new StoredObject(metadata, new Stored(file, metadata.Size));
            if (!latest.TryGetValue(name(metadata), out var other))
            {
                latest[name(metadata)] = found;
                continue;
            }

            var (newer, older) = other.Metadata.Sequence > metadata.Sequence ? (other, found) : (found, other);
            latest[name(metadata)] = newer;
            older.Content.Delete();
        }

        return [.. latest.Values];
    }

    private ObjectMetadata? ReadMetadata(string path)
    {
        using var file = File.OpenHandle(path);
        var length = RandomAccess.GetLength(file);
        Span<byte> end = stackalloc byte[EndLength];
        if (length >= EndLength && RandomAccess.Read(file, end, length - EndLength) == EndLength && end[8..].SequenceEqual("CHATOBJ1"u8))
        {
            var json = new byte[BinaryPrimitives.ReadInt32LittleEndian(end)];
            if (RandomAccess.Read(file, json, length - EndLength - json.Length) == json.Length
                && ReflectedCrc.Crc32C.Append(0, json) == BinaryPrimitives.ReadUInt32LittleEndian(end[4..])
                && JsonSerializer.Deserialize(json, ObjectJson.Default.ObjectMetadata) is { } metadata
                && metadata.Size + json.Length + EndLength == length)
                return metadata;
        }

        // Only a power failure without fsync, or a foreign hand, makes such a file. It is kept aside for its owner to judge.
        LogDamaged(path);
        var aside = Path.Combine(_root, "damaged");
        Directory.CreateDirectory(aside);
        File.Move(path, Path.Combine(aside, Path.GetFileName(path)), overwrite: true);
        return null;
    }

    private void WriteJson<T>(string path, T value, JsonTypeInfo<T> type)
    {
        var temporary = Path.Combine(_root, "staging", Interlocked.Increment(ref _staged).ToString("D12"));
        using (var file = new FileStream(temporary, FileMode.Create))
        {
            JsonSerializer.Serialize(file, value, type);
            file.Flush(_fsync);
        }

        File.Move(temporary, path, overwrite: true);
    }

    private static T? ReadJson<T>(string path, JsonTypeInfo<T> type)
        where T : class =>
        File.Exists(path) ? JsonSerializer.Deserialize(File.ReadAllBytes(path), type) : null;

    private string BucketFolder(string bucket) => Path.Combine(_root, "buckets", bucket);

    private string UploadFolder(string bucket, string uploadId) => Path.Combine(BucketFolder(bucket), "uploads", uploadId);

    [LoggerMessage(LogLevel.Error, "{Path} is no whole object; it is moved to the folder 'damaged' and not served")]
    private partial void LogDamaged(string path);

    private sealed class Staged(string path) : StagedContent
    {
        private readonly FileStream _file = new(path, FileMode.CreateNew, FileAccess.Write, FileShare.Delete, bufferSize: 0);
        private bool _moved;

        public void MoveTo(string target, ObjectMetadata metadata, bool fsync)
        {
            var json = JsonSerializer.SerializeToUtf8Bytes(metadata, ObjectJson.Default.ObjectMetadata);
            var end = new byte[json.Length + EndLength];
            json.CopyTo(end, 0);
            BinaryPrimitives.WriteInt32LittleEndian(end.AsSpan(json.Length), json.Length);
            BinaryPrimitives.WriteUInt32LittleEndian(end.AsSpan(json.Length + 4), (uint)ReflectedCrc.Crc32C.Append(0, json));
            "CHATOBJ1"u8.CopyTo(end.AsSpan(json.Length + 8));
            _file.Write(end);
            _file.Flush(fsync);
            _file.Dispose();
            File.Move(path, target);
            _moved = true;
            if (fsync)
                SyncFolder(Path.GetDirectoryName(target)!);
        }

        protected override ValueTask StoreAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) => _file.WriteAsync(bytes, cancellationToken);

        protected override void Store(ReadOnlySpan<byte> bytes) => _file.Write(bytes);

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                try
                {
                    // May have to write what it holds back, which a full disk refuses.
                    _file.Dispose();
                }
                finally
                {
                    if (!_moved)
                        File.Delete(path);
                }
            }

            base.Dispose(disposing);
        }

        // The rename itself is durable only once its folder is (fsync(2)).
        private static void SyncFolder(string folder)
        {
            if (!OperatingSystem.IsLinux())
                return;
            var descriptor = NativeMethods.Open(folder, 0);
            if (descriptor < 0 || NativeMethods.Sync(descriptor) != 0)
                throw new IOException($"fsync of {folder} failed with errno {Marshal.GetLastPInvokeError()}.");
            _ = NativeMethods.Close(descriptor);
        }
    }

    private sealed class Stored(string path, long length) : StoredContent
    {
        public override long Length => length;

        public override Stream OpenRead(long offset, long count)
        {
            var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0, FileOptions.Asynchronous);
            return new SectionStream(file, offset, count);
        }

        public override void Delete() => File.Delete(path);
    }

    private static partial class NativeMethods
    {
        [DllImport("libc", EntryPoint = "open", SetLastError = true)]
        public static extern int Open([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags);

        [DllImport("libc", EntryPoint = "fsync", SetLastError = true)]
        public static extern int Sync(int descriptor);

        [DllImport("libc", EntryPoint = "close", SetLastError = true)]
        public static extern int Close(int descriptor);
    }
}
