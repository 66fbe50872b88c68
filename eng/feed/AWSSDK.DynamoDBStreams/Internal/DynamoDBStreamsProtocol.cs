using System.Text.Json;
using Amazon.DynamoDBStreams.Model;
using Amazon.Runtime;
using Amazon.Runtime.Internal;
using ChatPlatform.Feed.AwsJson;

namespace Amazon.DynamoDBStreams.Internal;

/// <summary>The shapes of DynamoDB Streams on the wire, as the "Amazon DynamoDB Streams" part of the DynamoDB API reference lists them.</summary>
internal static class DynamoDBStreamsProtocol
{
    private static readonly AwsJsonService Service =
        new("Amazon.DynamoDBStreams", "DynamoDBStreams_20120810", "application/x-amz-json-1.0", "2012-08-10", ToException);

    public static readonly AwsJsonOperation<DescribeStreamRequest, DescribeStreamResponse> DescribeStream =
        Service.Operation<DescribeStreamRequest, DescribeStreamResponse>(
            "DescribeStream",
            static (writer, request) =>
            {
                writer.Member("ExclusiveStartShardId", request.ExclusiveStartShardId);
                writer.Member("Limit", request.Limit);
                writer.Member("StreamArn", request.StreamArn);
            },
            static (reply, response) => response.StreamDescription = reply.Object("StreamDescription", ReadDescription));

    public static readonly AwsJsonOperation<GetRecordsRequest, GetRecordsResponse> GetRecords =
        Service.Operation<GetRecordsRequest, GetRecordsResponse>(
            "GetRecords",
            static (writer, request) =>
            {
                writer.Member("Limit", request.Limit);
                writer.Member("ShardIterator", request.ShardIterator);
            },
            static (reply, response) =>
            {
                response.NextShardIterator = reply.Text("NextShardIterator");
                response.Records = reply.List("Records", ReadRecord);
            });

    public static readonly AwsJsonOperation<GetShardIteratorRequest, GetShardIteratorResponse> GetShardIterator =
        Service.Operation<GetShardIteratorRequest, GetShardIteratorResponse>(
            "GetShardIterator",
            static (writer, request) =>
            {
                writer.Member("SequenceNumber", request.SequenceNumber);
                writer.Member("ShardId", request.ShardId);
                writer.Member("ShardIteratorType", request.ShardIteratorType);
                writer.Member("StreamArn", request.StreamArn);
            },
            static (reply, response) => response.ShardIterator = reply.Text("ShardIterator"));

    public static readonly AwsJsonOperation<ListStreamsRequest, ListStreamsResponse> ListStreams =
        Service.Operation<ListStreamsRequest, ListStreamsResponse>(
            "ListStreams",
            static (writer, request) =>
            {
                writer.Member("ExclusiveStartStreamArn", request.ExclusiveStartStreamArn);
                writer.Member("Limit", request.Limit);
                writer.Member("TableName", request.TableName);
            },
            static (reply, response) =>
            {
                response.LastEvaluatedStreamArn = reply.Text("LastEvaluatedStreamArn");
                response.Streams = reply.List("Streams", static stream => new StreamSummary
                {
                    StreamArn = stream.Text("StreamArn"),
                    StreamLabel = stream.Text("StreamLabel"),
                    TableName = stream.Text("TableName"),
                });
            });

    private static AmazonServiceException ToException(ErrorResponse error) => error.Code switch
    {
        "ExpiredIteratorException" => new ExpiredIteratorException(error.Message, error.InnerException, error.Type, error.Code, error.RequestId, error.StatusCode),
        "InternalServerError" => new InternalServerErrorException(error.Message, error.InnerException, error.Type, error.Code, error.RequestId, error.StatusCode),
        "LimitExceededException" => new LimitExceededException(error.Message, error.InnerException, error.Type, error.Code, error.RequestId, error.StatusCode),
        "ResourceNotFoundException" => new ResourceNotFoundException(error.Message, error.InnerException, error.Type, error.Code, error.RequestId, error.StatusCode),
        "TrimmedDataAccessException" => new TrimmedDataAccessException(error.Message, error.InnerException, error.Type, error.Code, error.RequestId, error.StatusCode),
        _ => new AmazonDynamoDBStreamsException(error.Message, error.InnerException, error.Type, error.Code, error.RequestId, error.StatusCode),
    };

    private static StreamDescription ReadDescription(JsonElement stream) => new()
    {
        CreationRequestDateTime = stream.Time("CreationRequestDateTime"),
        KeySchema = stream.List("KeySchema", static key => new KeySchemaElement { AttributeName = key.Text("AttributeName"), KeyType = key.Text("KeyType") }),
        LastEvaluatedShardId = stream.Text("LastEvaluatedShardId"),
        Shards = stream.List("Shards", static shard => new Shard
        {
            ParentShardId = shard.Text("ParentShardId"),
            SequenceNumberRange = shard.Object("SequenceNumberRange", static range => new SequenceNumberRange
            {
                EndingSequenceNumber = range.Text("EndingSequenceNumber"),
                StartingSequenceNumber = range.Text("StartingSequenceNumber"),
            }),
            ShardId = shard.Text("ShardId"),
        }),
        StreamArn = stream.Text("StreamArn"),
        StreamLabel = stream.Text("StreamLabel"),
        StreamStatus = stream.Text("StreamStatus"),
        StreamViewType = stream.Text("StreamViewType"),
        TableName = stream.Text("TableName"),
    };

    private static Record ReadRecord(JsonElement record) => new()
    {
        AwsRegion = record.Text("awsRegion"),
        Dynamodb = record.Object("dynamodb", ReadChange),
        EventID = record.Text("eventID"),
        EventName = record.Text("eventName"),
        EventSource = record.Text("eventSource"),
        EventVersion = record.Text("eventVersion"),
        UserIdentity = record.Object("userIdentity", static identity => new Identity
        {
            PrincipalId = identity.Text("PrincipalId"),
            Type = identity.Text("Type"),
        }),
    };

    private static StreamRecord ReadChange(JsonElement change) => new()
    {
        ApproximateCreationDateTime = change.Time("ApproximateCreationDateTime"),
        Keys = change.Map("Keys", ReadValue),
        NewImage = change.Map("NewImage", ReadValue),
        OldImage = change.Map("OldImage", ReadValue),
        SequenceNumber = change.Text("SequenceNumber"),
        SizeBytes = change.Long("SizeBytes"),
        StreamViewType = change.Text("StreamViewType"),
    };

    private static AttributeValue ReadValue(JsonElement value)
    {
        var read = new AttributeValue();
        foreach (var member in value.EnumerateObject())
        {
            // One member is set; a name that is not known belongs to a newer service and is left out, as the SDK does.
            switch (member.Name)
            {
                case "S": read.S = member.Value.GetString(); break;
                case "N": read.N = member.Value.GetString(); break;
                case "BOOL": read.BOOL = member.Value.GetBoolean(); break;
                case "NULL": read.NULL = member.Value.GetBoolean(); break;
                case "B": read.B = ReadBytes(member.Value); break;
                case "M": read.M = value.Map("M", ReadValue); break;
                case "L": read.L = value.List("L", ReadValue); break;
                case "SS": read.SS = value.List("SS", static item => item.GetString()); break;
                case "NS": read.NS = value.List("NS", static item => item.GetString()); break;
                case "BS": read.BS = value.List("BS", ReadBytes); break;
            }
        }

        return read;
    }

    private static MemoryStream ReadBytes(JsonElement value) => new(value.GetBytesFromBase64());
}
