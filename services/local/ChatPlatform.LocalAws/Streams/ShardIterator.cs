using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace ChatPlatform.LocalAws.Streams;

/// <summary>
/// A place in a shard: the next record is the first with at least <paramref name="Sequence"/>. Opaque to clients, and good for 15 minutes
/// (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html).
/// </summary>
/// <param name="Stream">The stream's number.</param>
/// <param name="Shard">The shard's id.</param>
/// <param name="Sequence">Where to go on.</param>
/// <param name="Trimmed">Whether records below may be missing without an error (TRIM_HORIZON).</param>
/// <param name="IssuedAt">Epoch milliseconds.</param>
internal sealed record ShardIterator(int Stream, string Shard, long Sequence, bool Trimmed, long IssuedAt)
{
    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(15);

    public string Encode(string arn)
    {
        var text = string.Create(CultureInfo.InvariantCulture, $"{Stream}|{Shard}|{Sequence}|{(Trimmed ? 1 : 0)}|{IssuedAt}");
        return $"{arn}|1|{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text))}";
    }

    /// <summary>Null for text that is no iterator.</summary>
    public static ShardIterator? Decode(string text)
    {
        var coded = text.AsSpan(text.LastIndexOf('|') + 1);
        if (!Base64Url.IsValid(coded))
            return null;
        var parts = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(coded)).Split('|');
        return parts.Length == 5
            && int.TryParse(parts[0], CultureInfo.InvariantCulture, out var stream)
            && long.TryParse(parts[2], CultureInfo.InvariantCulture, out var sequence)
            && long.TryParse(parts[4], CultureInfo.InvariantCulture, out var issued)
                ? new ShardIterator(stream, parts[1], sequence, parts[3] == "1", issued)
                : null;
    }
}
