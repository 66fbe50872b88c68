using System.IO.Compression;
using System.Text.Json;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using ChatPlatform.Smoke.Clients;
using ChatPlatform.Smoke.Replay;

namespace ChatPlatform.Smoke.Checks;

/// <summary>
/// In the lake's GZIP objects, contracts §8: every entry's flat line, dense by seq per room, every byte of every text. A line may come again, the
/// pipeline is at least once.
/// </summary>
internal static class LakeCheck
{
    private const string Bucket = "chat-lake";
    private const string Prefix = "chat-log/";

    public static async Task<string> RunAsync(ConversationReplay replay, TimeSpan patience, CancellationToken cancellationToken)
    {
        using var s3 = new AmazonS3Client(
            new BasicAWSCredentials("local", "local"),
            new AmazonS3Config { ServiceURL = replay.System.AwsUrl.ToString(), ForcePathStyle = true, AuthenticationRegion = "ap-northeast-2" });
        var rooms = replay.Sent.ToDictionary(room => replay.RoomIds[room.Key], room => (Name: room.Key, Sent: room.Value, Lines: new SortedDictionary<long, SeenEntry>()));
        var done = new HashSet<string>();
        var (lines, doubles) = (0, 0);
        await Waiting.UntilAsync(async () =>
        {
            await foreach (var key in KeysAsync(s3, cancellationToken))
            {
                if (!done.Add(key))
                    continue;
                await foreach (var line in LinesAsync(s3, key, cancellationToken))
                {
                    lines++;
                    if (!rooms.TryGetValue(line.RoomId, out var room))
                        continue;
                    if (!room.Lines.TryAdd(line.Seq, line))
                    {
                        doubles++;
                        if (room.Lines[line.Seq] != line)
                            throw new CheckFailedException($"room {room.Name}, seq {line.Seq}: two lines that differ, the second in {key}");
                    }
                }
            }

            var short_ = rooms.Values.FirstOrDefault(room => room.Lines.Count(line => line.Value.Type == "message.created") < room.Sent.Count);
            return short_.Sent is null
                ? null
                : $"room {short_.Name}: {short_.Lines.Count(line => line.Value.Type == "message.created")} of {short_.Sent.Count} messages are in the lake; {done.Count} objects, {lines} lines in all";
        }, patience, cancellationToken);

        foreach (var room in rooms.Values)
        {
            List<SeenEntry> seen = [.. room.Lines.Values];
            if ((RoomComparison.Dense(seen) ?? RoomComparison.Messages(room.Sent, seen)) is { } difference)
                throw new CheckFailedException($"room {room.Name}: {difference}");
        }

        return $"{rooms.Values.Sum(room => room.Lines.Count)} entries in {done.Count} objects, {doubles} lines came twice";
    }

    private static async IAsyncEnumerable<string> KeysAsync(AmazonS3Client s3, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string? next = null;
        do
        {
            var page = await s3.ListObjectsV2Async(new ListObjectsV2Request { BucketName = Bucket, Prefix = Prefix, ContinuationToken = next }, cancellationToken);
            foreach (var found in page.S3Objects ?? [])
                yield return found.Key;
            next = page.IsTruncated == true ? page.NextContinuationToken : null;
        }
        while (next is not null);
    }

    private static async IAsyncEnumerable<SeenEntry> LinesAsync(
        AmazonS3Client s3, string key, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var found = await s3.GetObjectAsync(Bucket, key, cancellationToken);
        await using var plain = new GZipStream(found.ResponseStream, CompressionMode.Decompress);
        using var bytes = new MemoryStream();
        await plain.CopyToAsync(bytes, cancellationToken);
        if (bytes.Length == 0 || bytes.GetBuffer()[bytes.Length - 1] != '\n')
            throw new CheckFailedException($"{key} does not end with a newline");
        var rest = bytes.GetBuffer().AsMemory(0, (int)bytes.Length);
        for (var number = 1; rest.Length > 0; number++)
        {
            var end = rest.Span.IndexOf((byte)'\n');
            yield return Read(rest[..end], key, number);
            rest = rest[(end + 1)..];
        }
    }

    private static SeenEntry Read(ReadOnlyMemory<byte> line, string key, int number)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            return EntryJson.Read(json.RootElement);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new CheckFailedException($"{key}, line {number} is no entry: {error.Message}");
        }
    }
}
