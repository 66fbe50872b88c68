using System.Buffers;
using System.Diagnostics.Metrics;
using System.Text;
using System.Text.Json;
using ChatPlatform.AwsRules;
using ChatPlatform.LocalAws.Firehose;
using ChatPlatform.LocalAws.Protocol;
using ChatPlatform.LocalAws.S3.Objects;

namespace ChatPlatform.UnitTests.LocalAws.Firehose;

/// <summary>Rules: https://docs.aws.amazon.com/firehose/latest/APIReference/ (the page of each operation and type).</summary>
public sealed class FirehoseRequestTests : IAsyncDisposable
{
    private const string Base = "\"RoleARN\":\"arn:aws:iam::000000000000:role/r\",\"BucketARN\":\"arn:aws:s3:::lake\"";
    private readonly Meter _meter = new("test");
    private readonly DeliveryStreams _streams;
    private readonly FirehoseService _service;

    public FirehoseRequestTests()
    {
        var store = new ObjectStore(new MemoryMedium(), TimeProvider.System);
        _streams = new DeliveryStreams(null, TestDelivery.Context(store, TimeProvider.System, _meter));
        _service = new FirehoseService(_streams);
    }

    [Theory]
    [AwsPage("https://docs.aws.amazon.com/firehose/latest/APIReference/API_ExtendedS3DestinationConfiguration.html")]
    [InlineData("\"CloudWatchLoggingOptions\":{\"Enabled\":true}", "CloudWatchLoggingOptions")]
    [InlineData("\"S3BackupMode\":\"Enabled\"", "S3BackupMode")]
    [InlineData("\"S3BackupConfiguration\":{}", "S3BackupConfiguration")]
    [InlineData("\"EncryptionConfiguration\":{\"KMSEncryptionConfig\":{\"AWSKMSKeyARN\":\"arn\"}}", "EncryptionConfiguration")]
    [InlineData("\"CompressionFormat\":\"gzip\"", "CompressionFormat")]
    [InlineData("\"BufferingHints\":{\"SizeInMBs\":0,\"IntervalInSeconds\":60}", "SizeInMBs")]
    [InlineData("\"BufferingHints\":{\"SizeInMBs\":129,\"IntervalInSeconds\":60}", "SizeInMBs")]
    [InlineData("\"BufferingHints\":{\"SizeInMBs\":1,\"IntervalInSeconds\":901}", "IntervalInSeconds")]
    [InlineData("\"BufferingHints\":{\"SizeInMBs\":1,\"IntervalInSeconds\":-1}", "IntervalInSeconds")]
    [InlineData("\"BufferingHints\":{\"SizeInMBs\":1}", "BufferingHints")]
    [InlineData("\"FileExtension\":\"gz\"", "FileExtension")]
    [InlineData("\"FileExtension\":\".A B\"", "FileExtension")]
    [InlineData("\"CustomTimeZone\":\"Mars/Olympus\"", "CustomTimeZone")]
    [InlineData("\"Prefix\":\"!{timestamp:yyyy}/\"", "ErrorOutputPrefix")]
    [InlineData("\"SomethingNew\":1", "SomethingNew")]
    public async Task A_setting_that_is_wrong_or_not_carried_out_is_refused_by_name(string setting, string named)
    {
        var error = await RefusedAsync("CreateDeliveryStream", $"{{\"DeliveryStreamName\":\"s\",\"ExtendedS3DestinationConfiguration\":{{{Base},{setting}}}}}");
        error.Type.ShouldBe("InvalidArgumentException");
        error.Message.ShouldContain(named);
    }

    [Theory]
    [AwsPage("https://docs.aws.amazon.com/firehose/latest/APIReference/API_CreateDeliveryStream.html")]
    [InlineData("{}", "InvalidArgumentException", "DeliveryStreamName")]
    [InlineData("{\"DeliveryStreamName\":\"s\"}", "InvalidArgumentException", "ExtendedS3DestinationConfiguration")]
    [InlineData("{\"DeliveryStreamName\":\"a b\",\"ExtendedS3DestinationConfiguration\":{BASE}}", "InvalidArgumentException", "DeliveryStreamName")]
    [InlineData("{\"DeliveryStreamName\":\"s\",\"DeliveryStreamType\":\"KinesisStreamAsSource\",\"ExtendedS3DestinationConfiguration\":{BASE}}", "InvalidArgumentException", "DeliveryStreamType")]
    [InlineData("{\"DeliveryStreamName\":\"s\",\"S3DestinationConfiguration\":{BASE}}", "InvalidArgumentException", "S3DestinationConfiguration")]
    [InlineData("{\"DeliveryStreamName\":\"s\",\"Tags\":[],\"ExtendedS3DestinationConfiguration\":{BASE}}", "InvalidArgumentException", "Tags")]
    [InlineData("{\"DeliveryStreamName\":\"s\",\"ExtendedS3DestinationConfiguration\":{\"BucketARN\":\"arn:aws:s3:::lake\"}}", "InvalidArgumentException", "RoleARN")]
    [InlineData("{\"DeliveryStreamName\":\"s\",\"ExtendedS3DestinationConfiguration\":{\"RoleARN\":\"arn:aws:iam::000000000000:role/r\",\"BucketARN\":\"lake\"}}", "InvalidArgumentException", "BucketARN")]
    [InlineData("{\"DeliveryStreamName\":7}", "SerializationException", "DeliveryStreamName")]
    [InlineData("[]", "SerializationException", "object")]
    [InlineData("{", "SerializationException", "JSON")]
    public async Task A_malformed_creation_is_refused(string body, string type, string named)
    {
        var error = await RefusedAsync("CreateDeliveryStream", body.Replace("BASE", Base));
        error.Type.ShouldBe(type);
        error.Message.ShouldContain(named);
    }

    [Theory]
    [AwsPage("https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecord.html")]
    [InlineData("PutRecord", "{\"DeliveryStreamName\":\"none\",\"Record\":{\"Data\":\"\"}}", "ResourceNotFoundException")]
    [InlineData("DescribeDeliveryStream", "{\"DeliveryStreamName\":\"none\"}", "ResourceNotFoundException")]
    [InlineData("DeleteDeliveryStream", "{\"DeliveryStreamName\":\"none\"}", "ResourceNotFoundException")]
    [InlineData("UpdateDestination", "{\"DeliveryStreamName\":\"none\",\"CurrentDeliveryStreamVersionId\":\"1\",\"DestinationId\":\"destinationId-000000000001\",\"ExtendedS3DestinationUpdate\":{}}", "ResourceNotFoundException")]
    [InlineData("PutRecord", "{\"DeliveryStreamName\":\"s\"}", "InvalidArgumentException")]
    [InlineData("PutRecord", "{\"DeliveryStreamName\":\"s\",\"Record\":{\"Data\":\"?\"}}", "SerializationException")]
    [InlineData("PutRecordBatch", "{\"DeliveryStreamName\":\"s\",\"Records\":[]}", "InvalidArgumentException")]
    [InlineData("PutRecordBatch", "{\"DeliveryStreamName\":\"s\",\"Records\":[1]}", "SerializationException")]
    [InlineData("ListDeliveryStreams", "{\"Limit\":0}", "InvalidArgumentException")]
    [InlineData("StartDeliveryStreamEncryption", "{\"DeliveryStreamName\":\"s\"}", "UnknownOperationException")]
    [InlineData("CreateDeliveryStream", "{\"DeliveryStreamName\":\"s\",\"ExtendedS3DestinationConfiguration\":{BASE}}", "ResourceInUseException")]
    public async Task Each_error_has_its_type(string operation, string body, string type)
    {
        await CallAsync("CreateDeliveryStream", $"{{\"DeliveryStreamName\":\"s\",\"ExtendedS3DestinationConfiguration\":{{{Base}}}}}");
        (await RefusedAsync(operation, body.Replace("BASE", Base))).Type.ShouldBe(type);
    }

    /// <summary>API_PutRecordBatch: 500 records, 4 MiB; API_Record: 1,000 KiB before base64.</summary>
    [Theory]
    [AwsPage("https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html")]
    [InlineData(500, 1, true)]
    [InlineData(501, 1, false)]
    [InlineData(1, 1_024_000, true)]
    [InlineData(1, 1_024_001, false)]
    [InlineData(4, 1_024_000, true)]
    [InlineData(5, 838_861, false)]
    public async Task A_batch_keeps_to_its_limits(int records, int bytes, bool taken)
    {
        await CallAsync("CreateDeliveryStream", $"{{\"DeliveryStreamName\":\"s\",\"ExtendedS3DestinationConfiguration\":{{{Base}}}}}");
        var data = Convert.ToBase64String(new byte[bytes]);
        var body = $"{{\"DeliveryStreamName\":\"s\",\"Records\":[{string.Join(',', Enumerable.Repeat($"{{\"Data\":\"{data}\"}}", records))}]}}";
        if (taken)
            (await CallAsync("PutRecordBatch", body)).GetProperty("FailedPutCount").GetInt32().ShouldBe(0);
        else
            (await RefusedAsync("PutRecordBatch", body)).Type.ShouldBe("InvalidArgumentException");
    }

    [Fact]
    public async Task A_description_gives_back_what_was_configured_with_the_documented_defaults()
    {
        await CallAsync("CreateDeliveryStream", $"{{\"DeliveryStreamName\":\"s\",\"ExtendedS3DestinationConfiguration\":{{{Base},\"ProcessingConfiguration\":{{\"Enabled\":false}}}}}}");
        var description = (await CallAsync("DescribeDeliveryStream", "{\"DeliveryStreamName\":\"s\"}")).GetProperty("DeliveryStreamDescription");
        description.GetProperty("DeliveryStreamARN").GetString().ShouldBe("arn:aws:firehose:ap-northeast-2:000000000000:deliverystream/s");
        description.GetProperty("VersionId").GetString().ShouldBe("1");
        var destination = description.GetProperty("Destinations")[0].GetProperty("ExtendedS3DestinationDescription");
        destination.GetProperty("BufferingHints").GetProperty("SizeInMBs").GetInt32().ShouldBe(5);
        destination.GetProperty("BufferingHints").GetProperty("IntervalInSeconds").GetInt32().ShouldBe(300);
        destination.GetProperty("CompressionFormat").GetString().ShouldBe("UNCOMPRESSED");
    }

    public async ValueTask DisposeAsync()
    {
        await _streams.StopAsync(CancellationToken.None);
        _meter.Dispose();
    }

    private async Task<JsonElement> CallAsync(string operation, string body)
    {
        var answer = new ArrayBufferWriter<byte>();
        await _service.HandleAsync(operation, Encoding.UTF8.GetBytes(body), answer, CancellationToken.None);
        return JsonDocument.Parse(answer.WrittenMemory).RootElement;
    }

    private Task<AwsException> RefusedAsync(string operation, string body) => Should.ThrowAsync<AwsException>(() => CallAsync(operation, body));
}
