namespace ChatPlatform.LocalAws.S3.Objects;

/// <summary>Keeps everything in memory and nothing after the process.</summary>
internal sealed class MemoryMedium : IObjectMedium
{
    public StagedContent Stage() => new Staged();

    public StoredContent Commit(StagedContent staged, string bucket, string? uploadId, ObjectMetadata metadata) => new Stored(((Staged)staged).ToArray());

    public void SaveBucket(BucketSettings settings)
    {
    }

    public void DeleteBucket(string bucket)
    {
    }

    public void SaveUpload(string bucket, UploadSettings upload)
    {
    }

    public void DeleteUpload(string bucket, string uploadId)
    {
    }

    public IEnumerable<StoredBucket> Load() => [];

    private sealed class Staged : StagedContent
    {
        private readonly MemoryStream _bytes = new();

        public byte[] ToArray() => _bytes.ToArray();

        protected override ValueTask StoreAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
        {
            _bytes.Write(bytes.Span);
            return ValueTask.CompletedTask;
        }

        protected override void Store(ReadOnlySpan<byte> bytes) => _bytes.Write(bytes);
    }

    private sealed class Stored(byte[] bytes) : StoredContent
    {
        public override long Length => bytes.Length;

        public override Stream OpenRead(long offset, long length) => new MemoryStream(bytes, (int)offset, (int)length, writable: false);

        public override void Delete()
        {
        }
    }
}
