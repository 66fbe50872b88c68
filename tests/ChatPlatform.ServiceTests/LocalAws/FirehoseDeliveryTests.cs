using System.IO.Compression;
using System.Text;
using Amazon.KinesisFirehose;
using Amazon.KinesisFirehose.Model;
using Amazon.S3.Model;

namespace ChatPlatform.ServiceTests.LocalAws;

/// <summary>Rules: https://docs.aws.amazon.com/firehose/latest/dev/basic-deliver.html.</summary>
public sealed class FirehoseDeliveryTests
{
    private const string Prefix = "chat-log/year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/";

    [Fact]
    public async Task Records_become_a_gzip_object_under_the_lakes_prefix()
    {
        await using var storage = await new ObjectStorageProcess(durable: false).StartAsync();
        await storage.Buckets.PutBucketAsync("chat-lake");
        var arn = (await storage.Firehose.CreateDeliveryStreamAsync(Stream("chat-log-stream", interval: 1))).DeliveryStreamARN;
        arn.ShouldBe("arn:aws:firehose:ap-northeast-2:000000000000:deliverystream/chat-log-stream");
        (await Should.ThrowAsync<ResourceInUseException>(() => storage.Firehose.CreateDeliveryStreamAsync(Stream("chat-log-stream", 1)))).ErrorCode.ShouldBe("ResourceInUseException");

        var lines = Enumerable.Range(0, 500).Select(i => $"{{\"seq\":{i},\"text\":\"안녕 {i}\"}}\n").ToArray();
        var answer = await storage.Firehose.PutRecordBatchAsync(new PutRecordBatchRequest { DeliveryStreamName = "chat-log-stream", Records = [.. lines.Select(Record)] });
        answer.FailedPutCount.ShouldBe(0);
        answer.RequestResponses.Count.ShouldBe(500);
        var (key, text) = (await LinesAsync(storage, lines.Length)).Single();
        key.ShouldMatch(@"\Achat-log/year=\d{4}/month=\d{2}/day=\d{2}/hour=\d{2}/chat-log-stream-1-\d{4}-\d{2}-\d{2}-\d{2}-\d{2}-\d{2}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.gz\z");
        text.ShouldBe(string.Concat(lines));
    }

    [Fact]
    public async Task After_kill_9_every_acknowledged_record_is_delivered_in_order()
    {
        await using var storage = await new ObjectStorageProcess(durable: true).StartAsync();
        await storage.Firehose.CreateDeliveryStreamAsync(Stream("chat-log-stream", interval: 2));
        var sent = 0;
        for (var round = 0; round < 2; round++)
        {
            for (var i = 0; i < 20; i++)
                await storage.Firehose.PutRecordAsync(new PutRecordRequest { DeliveryStreamName = "chat-log-stream", Record = Record($"{sent++}\n") });
            await storage.KillAndRestartAsync();
        }

        // The bucket comes last: until then every delivery fails and is tried again.
        await storage.Buckets.PutBucketAsync("chat-lake");
        var objects = await LinesAsync(storage, sent);
        var numbers = objects.SelectMany(o => o.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries)).Select(int.Parse).ToArray();
        numbers.Distinct().Order().ShouldBe(Enumerable.Range(0, sent));
        foreach (var (_, text) in objects)
            text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse).ShouldBeInOrder();

        var described = (await storage.Firehose.DescribeDeliveryStreamAsync(new DescribeDeliveryStreamRequest { DeliveryStreamName = "chat-log-stream" })).DeliveryStreamDescription;
        described.DeliveryStreamStatus.Value.ShouldBe("ACTIVE");
        await storage.Firehose.DeleteDeliveryStreamAsync(new DeleteDeliveryStreamRequest { DeliveryStreamName = "chat-log-stream" });
        await Should.ThrowAsync<ResourceNotFoundException>(() =>
            storage.Firehose.DescribeDeliveryStreamAsync(new DescribeDeliveryStreamRequest { DeliveryStreamName = "chat-log-stream" }));
    }

    private static CreateDeliveryStreamRequest Stream(string name, int interval) => new()
    {
        DeliveryStreamName = name,
        DeliveryStreamType = DeliveryStreamType.DirectPut,
        ExtendedS3DestinationConfiguration = new ExtendedS3DestinationConfiguration
        {
            RoleARN = "arn:aws:iam::000000000000:role/firehose",
            BucketARN = "arn:aws:s3:::chat-lake",
            Prefix = Prefix,
            ErrorOutputPrefix = "errors/!{firehose:error-output-type}/",
            CompressionFormat = CompressionFormat.GZIP,
            BufferingHints = new BufferingHints { SizeInMBs = 128, IntervalInSeconds = interval },
        },
    };

    private static Amazon.KinesisFirehose.Model.Record Record(string line) => new() { Data = new MemoryStream(Encoding.UTF8.GetBytes(line)) };

    private static async Task<IReadOnlyList<(string Key, string Text)>> LinesAsync(ObjectStorageProcess storage, int lines)
    {
        var objects = new List<(string Key, string Text)>();
        await storage.Process.WaitForAsync(
            async () =>
            {
                objects.Clear();
                foreach (var item in (await storage.Buckets.ListObjectsV2Async(new ListObjectsV2Request { BucketName = "chat-lake" })).S3Objects ?? [])
                {
                    using var got = await storage.Buckets.GetObjectAsync("chat-lake", item.Key);
                    using var reader = new StreamReader(new GZipStream(got.ResponseStream, CompressionMode.Decompress));
                    objects.Add((item.Key, await reader.ReadToEndAsync()));
                }

                return objects.Sum(o => o.Text.Count(c => c == '\n')) >= lines;
            },
            $"{lines} lines in the lake");
        return objects;
    }
}
