using System.Collections.Concurrent;
using Amazon.Runtime;
using Amazon.S3.Model;

namespace ChatPlatform.ServiceTests.LocalAws;

public sealed class S3DurabilityTests
{
    [Fact]
    public async Task After_kill_9_every_acknowledged_put_is_whole_and_no_other_is_half()
    {
        const int Size = 64 * 1024;
        await using var storage = await new ObjectStorageProcess(durable: true).StartAsync();
        await storage.Buckets.PutBucketAsync("lake");
        var acknowledged = new ConcurrentDictionary<string, byte>();
        var writers = Enumerable.Range(0, 4).Select(writer => Task.Run(async () =>
        {
            for (var i = 0; ; i++)
            {
                var (key, fill) = ($"{writer}/{i % 10}", (byte)(i % 251));
                try
                {
                    await storage.Buckets.PutObjectAsync(new PutObjectRequest { BucketName = "lake", Key = key, InputStream = new MemoryStream(Enumerable.Repeat(fill, Size).ToArray()) });
                    acknowledged[key] = fill;
                }
                catch (Exception error) when (error is AmazonServiceException or HttpRequestException or IOException or AmazonClientException)
                {
                    return (key, fill);
                }
            }
        })).ToArray();
        await storage.Process.WaitForAsync(() => Task.FromResult(acknowledged.Count >= 40), "every key to be written at least once");
        await storage.Process.KillAsync();
        var unacknowledged = (await Task.WhenAll(writers)).ToDictionary(w => w.key, w => w.fill);

        await storage.KillAndRestartAsync();
        foreach (var (key, fill) in acknowledged)
        {
            using var got = await storage.Buckets.GetObjectAsync("lake", key);
            using var bytes = new MemoryStream();
            await got.ResponseStream.CopyToAsync(bytes);
            bytes.Length.ShouldBe(Size);
            var content = bytes.ToArray();
            content.ShouldAllBe(b => b == content[0]);
            // The put that was under way when the process died may have become the object or not.
            (content[0] == fill || (unacknowledged.TryGetValue(key, out var other) && content[0] == other)).ShouldBeTrue(key);
        }
    }
}
