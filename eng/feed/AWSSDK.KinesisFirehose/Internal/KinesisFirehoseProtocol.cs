using System.Text.Json;
using Amazon.KinesisFirehose.Model;
using Amazon.Runtime;
using Amazon.Runtime.Internal;
using ChatPlatform.Feed.AwsJson;

namespace Amazon.KinesisFirehose.Internal;

/// <summary>The shapes of Amazon Data Firehose on the wire, as its API reference lists them.</summary>
internal static class KinesisFirehoseProtocol
{
    private static readonly AwsJsonService Service =
        new("Amazon.KinesisFirehose", "Firehose_20150804", "application/x-amz-json-1.1", "2015-08-04", ToException);

    public static readonly AwsJsonOperation<CreateDeliveryStreamRequest, CreateDeliveryStreamResponse> CreateDeliveryStream =
        Service.Operation<CreateDeliveryStreamRequest, CreateDeliveryStreamResponse>(
            "CreateDeliveryStream",
            static (writer, request) =>
            {
                writer.Member("DeliveryStreamName", request.DeliveryStreamName);
                writer.Member("DeliveryStreamType", request.DeliveryStreamType);
                writer.Member("ExtendedS3DestinationConfiguration", request.ExtendedS3DestinationConfiguration, WriteS3);
            },
            static (reply, response) => response.DeliveryStreamARN = reply.Text("DeliveryStreamARN"));

    public static readonly AwsJsonOperation<DeleteDeliveryStreamRequest, DeleteDeliveryStreamResponse> DeleteDeliveryStream =
        Service.Operation<DeleteDeliveryStreamRequest, DeleteDeliveryStreamResponse>(
            "DeleteDeliveryStream",
            static (writer, request) =>
            {
                writer.Member("AllowForceDelete", request.AllowForceDelete);
                writer.Member("DeliveryStreamName", request.DeliveryStreamName);
            },
            static (_, _) => { });

    public static readonly AwsJsonOperation<DescribeDeliveryStreamRequest, DescribeDeliveryStreamResponse> DescribeDeliveryStream =
        Service.Operation<DescribeDeliveryStreamRequest, DescribeDeliveryStreamResponse>(
            "DescribeDeliveryStream",
            static (writer, request) =>
            {
                writer.Member("DeliveryStreamName", request.DeliveryStreamName);
                writer.Member("ExclusiveStartDestinationId", request.ExclusiveStartDestinationId);
                writer.Member("Limit", request.Limit);
            },
            static (reply, response) => response.DeliveryStreamDescription = reply.Object("DeliveryStreamDescription", ReadDescription));

    public static readonly AwsJsonOperation<ListDeliveryStreamsRequest, ListDeliveryStreamsResponse> ListDeliveryStreams =
        Service.Operation<ListDeliveryStreamsRequest, ListDeliveryStreamsResponse>(
            "ListDeliveryStreams",
            static (writer, request) =>
            {
                writer.Member("DeliveryStreamType", request.DeliveryStreamType);
                writer.Member("ExclusiveStartDeliveryStreamName", request.ExclusiveStartDeliveryStreamName);
                writer.Member("Limit", request.Limit);
            },
            static (reply, response) =>
            {
                response.DeliveryStreamNames = reply.List("DeliveryStreamNames", static name => name.GetString());
                response.HasMoreDeliveryStreams = reply.Flag("HasMoreDeliveryStreams");
            });

    public static readonly AwsJsonOperation<PutRecordRequest, PutRecordResponse> PutRecord =
        Service.Operation<PutRecordRequest, PutRecordResponse>(
            "PutRecord",
            static (writer, request) =>
            {
                writer.Member("DeliveryStreamName", request.DeliveryStreamName);
                writer.Member("Record", request.Record, WriteRecord);
            },
            static (reply, response) =>
            {
                response.Encrypted = reply.Flag("Encrypted");
                response.RecordId = reply.Text("RecordId");
            });

    public static readonly AwsJsonOperation<PutRecordBatchRequest, PutRecordBatchResponse> PutRecordBatch =
        Service.Operation<PutRecordBatchRequest, PutRecordBatchResponse>(
            "PutRecordBatch",
            static (writer, request) =>
            {
                writer.Member("DeliveryStreamName", request.DeliveryStreamName);
                writer.Members("Records", request.Records, WriteRecord);
            },
            static (reply, response) =>
            {
                response.Encrypted = reply.Flag("Encrypted");
                response.FailedPutCount = reply.Int("FailedPutCount");
                response.RequestResponses = reply.List("RequestResponses", static entry => new PutRecordBatchResponseEntry
                {
                    ErrorCode = entry.Text("ErrorCode"),
                    ErrorMessage = entry.Text("ErrorMessage"),
                    RecordId = entry.Text("RecordId"),
                });
            });

    private static AmazonServiceException ToException(ErrorResponse error) => error.Code switch
    {
        "InvalidArgumentException" => new InvalidArgumentException(error.Message, error.InnerException, error.Type, error.Code, error.RequestId, error.StatusCode),
        "LimitExceededException" => new LimitExceededException(error.Message, error.InnerException, error.Type, error.Code, error.RequestId, error.StatusCode),
        "ResourceInUseException" => new ResourceInUseException(error.Message, error.InnerException, error.Type, error.Code, error.RequestId, error.StatusCode),
        "ResourceNotFoundException" => new ResourceNotFoundException(error.Message, error.InnerException, error.Type, error.Code, error.RequestId, error.StatusCode),
        "ServiceUnavailableException" => new ServiceUnavailableException(error.Message, error.InnerException, error.Type, error.Code, error.RequestId, error.StatusCode),
        _ => new AmazonKinesisFirehoseException(error.Message, error.InnerException, error.Type, error.Code, error.RequestId, error.StatusCode),
    };

    private static void WriteRecord(Utf8JsonWriter writer, Record record) => writer.Member("Data", record.Data);

    private static void WriteS3(Utf8JsonWriter writer, ExtendedS3DestinationConfiguration s3)
    {
        writer.Member("BucketARN", s3.BucketARN);
        writer.Member("BufferingHints", s3.BufferingHints, static (inner, hints) =>
        {
            inner.Member("IntervalInSeconds", hints.IntervalInSeconds);
            inner.Member("SizeInMBs", hints.SizeInMBs);
        });
        writer.Member("CompressionFormat", s3.CompressionFormat);
        writer.Member("CustomTimeZone", s3.CustomTimeZone);
        writer.Member("ErrorOutputPrefix", s3.ErrorOutputPrefix);
        writer.Member("FileExtension", s3.FileExtension);
        writer.Member("Prefix", s3.Prefix);
        writer.Member("RoleARN", s3.RoleARN);
    }

    private static DeliveryStreamDescription ReadDescription(JsonElement stream) => new()
    {
        CreateTimestamp = stream.Time("CreateTimestamp"),
        DeliveryStreamARN = stream.Text("DeliveryStreamARN"),
        DeliveryStreamName = stream.Text("DeliveryStreamName"),
        DeliveryStreamStatus = stream.Text("DeliveryStreamStatus"),
        DeliveryStreamType = stream.Text("DeliveryStreamType"),
        Destinations = stream.List("Destinations", static destination => new DestinationDescription
        {
            DestinationId = destination.Text("DestinationId"),
            ExtendedS3DestinationDescription = destination.Object("ExtendedS3DestinationDescription", ReadS3),
        }),
        HasMoreDestinations = stream.Flag("HasMoreDestinations"),
        LastUpdateTimestamp = stream.Time("LastUpdateTimestamp"),
        VersionId = stream.Text("VersionId"),
    };

    private static ExtendedS3DestinationDescription ReadS3(JsonElement s3) => new()
    {
        BucketARN = s3.Text("BucketARN"),
        BufferingHints = s3.Object("BufferingHints", static hints => new BufferingHints
        {
            IntervalInSeconds = hints.Int("IntervalInSeconds"),
            SizeInMBs = hints.Int("SizeInMBs"),
        }),
        CompressionFormat = s3.Text("CompressionFormat"),
        CustomTimeZone = s3.Text("CustomTimeZone"),
        ErrorOutputPrefix = s3.Text("ErrorOutputPrefix"),
        FileExtension = s3.Text("FileExtension"),
        Prefix = s3.Text("Prefix"),
        RoleARN = s3.Text("RoleARN"),
    };
}
