using System.Text;
using Amazon.KinesisFirehose;
using Amazon.KinesisFirehose.Model;
using Record = Amazon.KinesisFirehose.Model.Record;

namespace ClientSubstitutes.Tests.Aws;

public sealed class KinesisFirehoseClientTests : IAsyncLifetime
{
    private AwsJsonServer _server = null!;
    private AmazonKinesisFirehoseClient _client = null!;

    public async Task InitializeAsync()
    {
        _server = await AwsJsonServer.StartAsync();
        _client = new AmazonKinesisFirehoseClient(
            "key", "secret", new AmazonKinesisFirehoseConfig { ServiceURL = _server.Url, AuthenticationRegion = "ap-northeast-2", MaxErrorRetry = 2 });
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task A_batch_is_sent_as_base64_in_order_and_failed_entries_are_told_apart()
    {
        _server.Reply("""{"FailedPutCount":1,"Encrypted":false,"RequestResponses":[{"RecordId":"r1"},{"ErrorCode":"ServiceUnavailableException","ErrorMessage":"slow down"}]}""");
        var read = new MemoryStream(Encoding.UTF8.GetBytes("{\"a\":\"안녕\"}\n"));
        read.Position = read.Length;
        var hidden = new MemoryStream([0, 1, 2, 255], 1, 3);

        var reply = await _client.PutRecordBatchAsync("chat-log-stream", [new Record { Data = read }, new Record { Data = hidden }]);

        var seen = _server.Seen.ShouldHaveSingleItem();
        seen.Headers["X-Amz-Target"].ShouldBe("Firehose_20150804.PutRecordBatch");
        seen.Headers["Content-Type"].ShouldBe("application/x-amz-json-1.1");
        seen.Headers["Authorization"].ShouldContain("/ap-northeast-2/firehose/aws4_request");
        seen.Body.ShouldBe("""{"DeliveryStreamName":"chat-log-stream","Records":[{"Data":"eyJhIjoi7JWI64WVIn0K"},{"Data":"AQL/"}]}""");
        reply.FailedPutCount.ShouldBe(1);
        reply.Encrypted.ShouldBe(false);
        reply.RequestResponses[0].RecordId.ShouldBe("r1");
        reply.RequestResponses[0].ErrorCode.ShouldBeNull();
        reply.RequestResponses[1].ErrorCode.ShouldBe("ServiceUnavailableException");
        reply.RequestResponses[1].ErrorMessage.ShouldBe("slow down");
    }

    [Fact]
    public async Task One_record_is_put()
    {
        _server.Reply("""{"RecordId":"r1"}""");

        (await _client.PutRecordAsync("s", new Record { Data = new MemoryStream("x"u8.ToArray()) })).RecordId.ShouldBe("r1");

        _server.Seen.Single().Body.ShouldBe("""{"DeliveryStreamName":"s","Record":{"Data":"eA=="}}""");
    }

    [Fact]
    public async Task A_delivery_stream_is_created_with_everything_that_is_set()
    {
        _server.Reply("""{"DeliveryStreamARN":"arn"}""");

        var reply = await _client.CreateDeliveryStreamAsync(new CreateDeliveryStreamRequest
        {
            DeliveryStreamName = "chat-log-stream",
            DeliveryStreamType = DeliveryStreamType.DirectPut,
            ExtendedS3DestinationConfiguration = new ExtendedS3DestinationConfiguration
            {
                BucketARN = "arn:aws:s3:::chat-lake",
                RoleARN = "arn:aws:iam::000000000000:role/firehose",
                Prefix = "chat_log/dt=!{timestamp:yyyy-MM-dd}/",
                ErrorOutputPrefix = "errors/",
                CompressionFormat = CompressionFormat.GZIP,
                BufferingHints = new BufferingHints { IntervalInSeconds = 5, SizeInMBs = 1 },
                CustomTimeZone = "Asia/Seoul",
                FileExtension = ".jsonl.gz",
            },
        });

        reply.DeliveryStreamARN.ShouldBe("arn");
        _server.Seen.Single().Body.ShouldBe("""
            {"DeliveryStreamName":"chat-log-stream","DeliveryStreamType":"DirectPut","ExtendedS3DestinationConfiguration":{"BucketARN":"arn:aws:s3:::chat-lake",
            "BufferingHints":{"IntervalInSeconds":5,"SizeInMBs":1},"CompressionFormat":"GZIP","CustomTimeZone":"Asia/Seoul","ErrorOutputPrefix":"errors/",
            "FileExtension":".jsonl.gz","Prefix":"chat_log/dt=!{timestamp:yyyy-MM-dd}/","RoleARN":"arn:aws:iam::000000000000:role/firehose"}}
            """.ReplaceLineEndings(""));
    }

    [Fact]
    public async Task A_delivery_stream_is_described_listed_and_deleted()
    {
        _server
            .Reply("""
                {"DeliveryStreamDescription":{"DeliveryStreamARN":"arn","DeliveryStreamName":"s","DeliveryStreamStatus":"ACTIVE","DeliveryStreamType":"DirectPut","VersionId":"1",
                 "CreateTimestamp":1.7E9,"HasMoreDestinations":false,"Destinations":[{"DestinationId":"d1","ExtendedS3DestinationDescription":{"BucketARN":"b","Prefix":"p",
                 "CompressionFormat":"GZIP","BufferingHints":{"SizeInMBs":5,"IntervalInSeconds":300}}}]}}
                """)
            .Reply("""{"DeliveryStreamNames":["a","b"],"HasMoreDeliveryStreams":true}""")
            .Reply("");

        var stream = (await _client.DescribeDeliveryStreamAsync(new DescribeDeliveryStreamRequest { DeliveryStreamName = "s" })).DeliveryStreamDescription;
        var list = await _client.ListDeliveryStreamsAsync(new ListDeliveryStreamsRequest { Limit = 2 });
        await _client.DeleteDeliveryStreamAsync(new DeleteDeliveryStreamRequest { DeliveryStreamName = "s", AllowForceDelete = true });

        stream.DeliveryStreamStatus.ShouldBe(DeliveryStreamStatus.ACTIVE);
        stream.CreateTimestamp.ShouldBe(DateTime.UnixEpoch.AddSeconds(1_700_000_000));
        stream.Destinations.Single().ExtendedS3DestinationDescription.BufferingHints.IntervalInSeconds.ShouldBe(300);
        stream.Destinations.Single().ExtendedS3DestinationDescription.CompressionFormat.ShouldBe(CompressionFormat.GZIP);
        list.DeliveryStreamNames.ShouldBe(["a", "b"]);
        list.HasMoreDeliveryStreams.ShouldBe(true);
        _server.Seen.Select(seen => seen.Body).ShouldBe(
            ["""{"DeliveryStreamName":"s"}""", """{"Limit":2}""", """{"AllowForceDelete":true,"DeliveryStreamName":"s"}"""]);
    }

    // Codes and statuses: Amazon Data Firehose API reference, Errors of each action.
    [Theory]
    [InlineData(400, "InvalidArgumentException", typeof(InvalidArgumentException), 1)]
    [InlineData(400, "ResourceNotFoundException", typeof(ResourceNotFoundException), 1)]
    [InlineData(400, "ResourceInUseException", typeof(ResourceInUseException), 1)]
    [InlineData(400, "LimitExceededException", typeof(LimitExceededException), 3)]
    [InlineData(500, "ServiceUnavailableException", typeof(ServiceUnavailableException), 3)]
    [InlineData(400, "SomethingElse", typeof(AmazonKinesisFirehoseException), 1)]
    public async Task An_error_becomes_the_exception_of_its_code_after_the_tries_it_deserves(int status, string code, Type expected, int tries)
    {
        for (var i = 0; i < tries; i++)
            _server.Reply($$"""{"__type":"{{code}}","message":"said the service"}""", status);

        var thrown = await Should.ThrowAsync<AmazonKinesisFirehoseException>(() => _client.PutRecordAsync("s", new Record { Data = new MemoryStream([1]) }));

        thrown.GetType().ShouldBe(expected);
        thrown.ErrorCode.ShouldBe(code);
        thrown.Message.ShouldBe("said the service");
        _server.Seen.Count.ShouldBe(tries);
        _server.Seen.Select(seen => seen.Body).Distinct().ShouldHaveSingleItem();
    }
}
