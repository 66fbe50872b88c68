using System.Globalization;
using System.Net.Http.Json;
using Amazon.S3.Model;
using Xunit.Abstractions;

namespace ChatPlatform.ServiceTests.Cdc;

/// <summary>
/// Every NewImage reaches the lake at least once, in order per item, exactly as unwrapping makes it. <c>CDC_ITEMS</c> sets the writes of the long test (2,000
/// unless set; 1000000 for the whole of it).
/// </summary>
public sealed class CdcPathTests(ITestOutputHelper output)
{
    private const int Versions = 4;
    private const int Seed = 20260301;

    [Fact]
    public async Task Every_new_image_is_in_the_lake_in_order_per_item_whatever_was_killed_on_the_way()
    {
        var writes = int.TryParse(Environment.GetEnvironmentVariable("CDC_ITEMS"), CultureInfo.InvariantCulture, out var set) ? set : 2_000;
        await WriteUnderKillsAsync(Changes.Generated(0, Math.Max(25, writes / Versions), Versions));
    }

    [Fact]
    public Task The_conversation_is_in_the_lake_whatever_was_killed_on_the_way() => WriteUnderKillsAsync(Changes.Conversation());

    [Fact]
    public async Task Nothing_is_lost_while_Firehose_throttles_the_disk_is_full_or_the_bucket_is_gone()
    {
        await using var system = await StartAsync(survivesFileSizeLimit: true);
        await system.MapAsync(batchSize: 100);
        var all = Changes.Generated(0, 400, Versions);
        var lake = new LakeComparison(all);
        var written = 0;

        await DuringAsync(
            async () =>
            {
                using var answer = await system.Aws.Http.PostAsJsonAsync($"{system.Aws.Url}/_localaws/faults", new { service = "firehose", kind = "throttling" });
                answer.EnsureSuccessStatusCode();
            },
            () => system.Emulator.Output.Contains("PutRecordBatch to items-stream answered"),
            async () => (await system.Aws.Http.DeleteAsync($"{system.Aws.Url}/_localaws/faults")).EnsureSuccessStatusCode());

        // Firehose's buffer is refused only if there is something to deliver: that is written while nobody reads, and more than fits.
        var (stop, go) = (19, 18);
        system.Emulator.Signal(stop);
        await NextItems().WriteAsync(system);
        await DuringAsync(
            async () =>
            {
                await system.Aws.Process.LimitFileSizeAsync("8192");
                system.Emulator.Signal(go);
            },
            () => system.Aws.Process.Output.Contains("the buffer cannot be written"),
            () => system.Aws.Process.LimitFileSizeAsync("unlimited"));

        await DuringAsync(
            async () =>
            {
                foreach (var s3Object in (await system.Aws.Buckets.ListObjectsV2Async(new ListObjectsV2Request { BucketName = CdcSystem.Bucket })).S3Objects)
                    await system.Aws.Buckets.DeleteObjectAsync(CdcSystem.Bucket, s3Object.Key);
                await system.Aws.Buckets.DeleteBucketAsync(CdcSystem.Bucket);
            },
            () => system.Aws.Process.Output.Contains("delivery failed"),
            () => system.Aws.Buckets.PutBucketAsync(CdcSystem.Bucket));

        // Writes go on during the fault, which is seen to strike before it ends; afterwards all of them are in the lake.
        async Task DuringAsync(Func<Task> begin, Func<bool> strikes, Func<Task> end)
        {
            await begin();
            var writing = NextItems().WriteAsync(system);
            await system.Emulator.WaitForAsync(() => Task.FromResult(strikes()), "the fault to strike");
            await end();
            await writing;
            await ShouldHoldAsync(system, lake, written * Versions);
        }

        Changes NextItems()
        {
            written += 100;
            return all with { First = written - 100, Items = 100 };
        }
    }

    private static Task<CdcSystem> StartAsync(bool survivesFileSizeLimit = false) =>
        CdcSystem.StartAsync(bufferSeconds: 1, survivesFileSizeLimit, ("PollInterval", "00:00:00.050"), ("RetryBackoff", "00:00:00.050"));

    // kill -9 of emulator, function and LocalAws in turn, at random times, for as long as it is written and at least once each.
    private async Task WriteUnderKillsAsync(Changes changes)
    {
        await using var system = await StartAsync();
        await system.MapAsync(batchSize: 500, parallelizationFactor: 2);
        var watch = System.Diagnostics.Stopwatch.StartNew();
        var writing = changes.WriteAsync(system);
        var random = new Random(Seed);
        // A store with more in it takes longer to come back: it gets the time to do something before the next kill.
        var (kills, slower) = (0, 1 + (changes.Count / 50_000));
        for (; !writing.IsCompleted || kills < 3; kills++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(200, 1_500) * slower));
            switch (kills % 3)
            {
                case 0:
                    await system.KillAndRestartEmulatorAsync();
                    break;
                case 1:
                    system.KillFunctions();
                    break;
                default:
                    await system.Aws.KillAndRestartAsync();
                    break;
            }
        }

        await writing;
        var written = watch.Elapsed;
        var lake = new LakeComparison(changes);
        await ShouldHoldAsync(system, lake, changes.Count);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{changes.Count} writes in {written.TotalSeconds:0} s, {kills} kills, seed {Seed}; all in the lake after {watch.Elapsed.TotalSeconds:0} s, {lake.Lines} lines"));
    }

    private static Task ShouldHoldAsync(CdcSystem system, LakeComparison lake, int changes) => system.Emulator.WaitForAsync(
        async () =>
        {
            await foreach (var (_, line) in system.NewLinesAsync())
                lake.Add(line);
            return lake.Found == changes;
        },
        $"all {changes} changes to be in the lake",
        TimeSpan.FromSeconds(60 + (changes / 500)));
}
