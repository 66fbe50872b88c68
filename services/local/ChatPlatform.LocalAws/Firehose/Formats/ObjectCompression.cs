using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using Snappier;

namespace ChatPlatform.LocalAws.Firehose.Formats;

/// <summary>
/// CompressionFormat: how the data of an object is stored (https://docs.aws.amazon.com/firehose/latest/APIReference/API_ExtendedS3DestinationConfiguration.html) and what its name
/// ends with (https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html). Records follow each other as they were put, with nothing between.
/// </summary>
internal static class ObjectCompression
{
    public const string None = "UNCOMPRESSED";

    /// <summary>The unit of Hadoop's Snappy codec, its default <c>io.compression.codec.snappy.buffersize</c>.</summary>
    private const int HadoopBlockBytes = 256 * 1024;

    private static readonly Dictionary<string, string> Extensions = new(StringComparer.Ordinal)
    {
        [None] = "",
        ["GZIP"] = ".gz",
        ["ZIP"] = ".zip",
        ["Snappy"] = ".snappy",
        ["HADOOP_SNAPPY"] = ".hsnappy",
    };

    public static IReadOnlyCollection<string> Names => Extensions.Keys;

    public static string ExtensionOf(string format) => Extensions[format];

    /// <summary>Writes one object: one gzip member, one zip entry, one Snappy frame stream, or Hadoop's Snappy blocks.</summary>
    /// <param name="name">The object's own name, without folders; a zip entry has it without its extension.</param>
    public static async Task WriteAsync(IEnumerable<ReadOnlyMemory<byte>> records, string format, string name, Stream to, CancellationToken cancellationToken)
    {
        switch (format)
        {
            case "GZIP":
                await using (var gzip = new GZipStream(to, CompressionLevel.Optimal, leaveOpen: true))
                    await CopyAsync(gzip);
                break;
            case "ZIP":
                using (var archive = new ZipArchive(to, ZipArchiveMode.Create, leaveOpen: true, Encoding.UTF8))
                await using (var entry = archive.CreateEntry(Path.GetFileNameWithoutExtension(name)).Open())
                    await CopyAsync(entry);
                break;
            case "Snappy":
                await using (var snappy = new SnappyStream(to, CompressionMode.Compress, leaveOpen: true))
                    await CopyAsync(snappy);
                break;
            case "HADOOP_SNAPPY":
                await WriteHadoopAsync(records, to, cancellationToken);
                break;
            default:
                await CopyAsync(to);
                break;
        }

        async Task CopyAsync(Stream target)
        {
            // Not disposed: that would close the target, which is its caller's.
            var gathered = new BufferedStream(target, 128 * 1024);
            foreach (var record in records)
                await gathered.WriteAsync(record, cancellationToken);
            await gathered.FlushAsync(cancellationToken);
        }
    }

    // BlockCompressorStream: the length of a block of plain data (4 bytes, big-endian), the length of its raw Snappy form (the same), and that.
    private static async Task WriteHadoopAsync(IEnumerable<ReadOnlyMemory<byte>> records, Stream to, CancellationToken cancellationToken)
    {
        var block = new byte[HadoopBlockBytes];
        var compressed = new byte[8 + Snappy.GetMaxCompressedLength(HadoopBlockBytes)];
        var filled = 0;
        foreach (var record in records)
        {
            for (var rest = record; rest.Length > 0;)
            {
                var part = Math.Min(rest.Length, HadoopBlockBytes - filled);
                rest[..part].CopyTo(block.AsMemory(filled));
                (rest, filled) = (rest[part..], filled + part);
                if (filled == HadoopBlockBytes)
                    await FlushAsync();
            }
        }

        if (filled > 0)
            await FlushAsync();

        async Task FlushAsync()
        {
            var length = Snappy.Compress(block.AsSpan(0, filled), compressed.AsSpan(8));
            BinaryPrimitives.WriteInt32BigEndian(compressed, filled);
            BinaryPrimitives.WriteInt32BigEndian(compressed.AsSpan(4), length);
            await to.WriteAsync(compressed.AsMemory(0, 8 + length), cancellationToken);
            filled = 0;
        }
    }
}
