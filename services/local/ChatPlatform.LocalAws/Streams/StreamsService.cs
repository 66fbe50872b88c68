using System.Buffers;
using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text.Json;
using ChatPlatform.LocalAws.DynamoDb;
using ChatPlatform.LocalAws.DynamoDb.Operations;
using ChatPlatform.LocalAws.DynamoDb.Values;
using ChatPlatform.LocalAws.Protocol;

namespace ChatPlatform.LocalAws.Streams;

/// <summary>DynamoDB Streams' API (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB_Streams.html). Thread-safe.</summary>
internal sealed class StreamsService : IAwsJsonService
{
    private const int MaxRecords = 1000;
    private const int MaxAnswer = 1024 * 1024;

    private readonly DynamoStore _store;
    private readonly OperationTable<Action<Request, Utf8JsonWriter>> _operations;

    public StreamsService(DynamoStore store)
    {
        _store = store;
        _operations = new(
            new("ListStreams", ListStreams, "TableName", "Limit", "ExclusiveStartStreamArn"),
            new("DescribeStream", DescribeStream, "StreamArn", "Limit", "ExclusiveStartShardId", "ShardFilter"),
            new("GetShardIterator", GetShardIterator, "StreamArn", "ShardId", "ShardIteratorType", "SequenceNumber"),
            new("GetRecords", GetRecords, "ShardIterator", "Limit"));
    }

    public string TargetPrefix => "DynamoDBStreams_20120810";

    public string Name => "dynamodbstreams";

    public string Title => "DynamoDB Streams";

    public string ResourceKind => "table";

    public IReadOnlyList<OperationDescription> Operations => _operations.Descriptions;

    public string ContentType => "application/x-amz-json-1.0";

    /// <summary>GetRecords has an error of its own for it (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html).</summary>
    public AwsException Throttling(string operation) =>
        operation == "GetRecords" ? DynamoDbErrors.Error("LimitExceededException", "Rate exceeded for shard") : DynamoDbErrors.Throttling();

    public AwsException InternalError() => DynamoDbErrors.InternalError("Internal server error");

    public async ValueTask HandleAsync(string operation, ReadOnlyMemory<byte> body, IBufferWriter<byte> answer, CancellationToken cancellationToken)
    {
        DynamoDbService.Run(_operations.Get(TargetPrefix, operation), body, answer);
        // A reader must not act on a change that a crash could take back.
        await _store.WhenDurableAsync();
    }

    private void ListStreams(Request request, Utf8JsonWriter json)
    {
        var table = request.Element("TableName") is null ? null : request.TableName();
        var limit = (int)(request.Int("Limit", 1, 100) ?? 100);
        var start = request.String("ExclusiveStartStreamArn");
        lock (_store.Gate)
        {
            var streams = _store.Streams.Select(s => s.Definition).Where(s => table is null || s.TableName == table).OrderBy(s => s.Number).ToList();
            if (start is not null)
            {
                var at = streams.FindIndex(s => _store.StreamArn(s) == start);
                streams = at < 0 ? throw DynamoDbErrors.Validation("Invalid ExclusiveStartStreamArn") : streams[(at + 1)..];
            }

            json.WriteStartArray("Streams");
            foreach (var stream in streams.Take(limit))
            {
                json.WriteStartObject();
                json.WriteString("StreamArn", _store.StreamArn(stream));
                json.WriteString("TableName", stream.TableName);
                json.WriteString("StreamLabel", stream.Label);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            if (streams.Count > limit)
                json.WriteString("LastEvaluatedStreamArn", _store.StreamArn(streams[limit - 1]));
        }
    }

    private void DescribeStream(Request request, Utf8JsonWriter json)
    {
        var limit = (int)(request.Int("Limit", 1, 100) ?? 100);
        var start = request.String("ExclusiveStartShardId");
        // https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_ShardFilter.html
        var filter = request.Structure("ShardFilter")?.Allow("Type", "ShardId");
        var parent = filter?.RequiredString("ShardId");
        filter?.Choice("Type", "", "CHILD_SHARDS");
        lock (_store.Gate)
        {
            var definition = Require(request.RequiredString("StreamArn")).Definition;
            var shards = definition.Shards
                .Where(s => (start is null || string.CompareOrdinal(s.Id, start) > 0) && (parent is null || s.ParentId == parent))
                .OrderBy(s => s.Id, StringComparer.Ordinal).ToList();
            json.WriteStartObject("StreamDescription");
            json.WriteString("StreamArn", _store.StreamArn(definition));
            json.WriteString("StreamLabel", definition.Label);
            json.WriteString("StreamStatus", definition.ClosedAt is null ? "ENABLED" : "DISABLED");
            json.WriteString("StreamViewType", definition.ViewType);
            json.WriteNumber("CreationRequestDateTime", definition.CreatedAt.ToUnixTimeMilliseconds() / 1000.0);
            json.WriteString("TableName", definition.TableName);
            DynamoDbService.WriteKeys(json, definition.Keys);
            json.WriteStartArray("Shards");
            foreach (var shard in shards.Take(limit))
            {
                json.WriteStartObject();
                json.WriteString("ShardId", shard.Id);
                if (shard.ParentId is not null)
                    json.WriteString("ParentShardId", shard.ParentId);
                json.WriteStartObject("SequenceNumberRange");
                json.WriteString("StartingSequenceNumber", ChangeStream.Format(shard.StartSequence));
                if (shard.EndSequence is { } end)
                    json.WriteString("EndingSequenceNumber", ChangeStream.Format(end));
                json.WriteEndObject();
                json.WriteEndObject();
            }

            json.WriteEndArray();
            if (shards.Count > limit)
                json.WriteString("LastEvaluatedShardId", shards[limit - 1].Id);
            json.WriteEndObject();
        }
    }

    private void GetShardIterator(Request request, Utf8JsonWriter json)
    {
        var arn = request.RequiredString("StreamArn");
        var shardId = request.RequiredString("ShardId");
        request.RequiredString("ShardIteratorType");
        var type = request.Choice("ShardIteratorType", "", "AFTER_SEQUENCE_NUMBER", "AT_SEQUENCE_NUMBER", "LATEST", "TRIM_HORIZON");
        var number = request.String("SequenceNumber");
        var numbered = type is "AT_SEQUENCE_NUMBER" or "AFTER_SEQUENCE_NUMBER";
        if (numbered && number is null)
            throw DynamoDbErrors.Validation($"SequenceNumber must be specified when ShardIteratorType is {type}");
        if (!numbered && number is not null)
            throw DynamoDbErrors.Validation($"SequenceNumber may not be specified when ShardIteratorType is {type}");
        var sequence = 0L;
        if (numbered && !ChangeStream.TryParse(number!, out sequence))
            throw DynamoDbErrors.Validation($"Invalid SequenceNumber: {number}");

        lock (_store.Gate)
        {
            var stream = Require(arn);
            RequireShard(stream, shardId);
            if (numbered)
            {
                sequence += type == "AFTER_SEQUENCE_NUMBER" ? 1 : 0;
                if (sequence <= stream.TrimmedTo(shardId, Horizon(_store.Now)))
                    throw Trimmed();
            }
            else
            {
                sequence = type == "LATEST" ? _store.LastSequence + 1 : 0;
            }

            json.WriteString("ShardIterator", new ShardIterator(stream.Definition.Number, shardId, sequence, type == "TRIM_HORIZON", _store.Now.ToUnixTimeMilliseconds()).Encode(arn));
        }
    }

    private void GetRecords(Request request, Utf8JsonWriter json)
    {
        var limit = (int)(request.Int("Limit", 1, MaxRecords) ?? MaxRecords);
        var iterator = ShardIterator.Decode(request.RequiredString("ShardIterator")) ?? throw DynamoDbErrors.Validation("Invalid ShardIterator");
        var now = _store.Now;
        if (now.ToUnixTimeMilliseconds() - iterator.IssuedAt > ShardIterator.Lifetime.TotalMilliseconds)
        {
            throw DynamoDbErrors.Error("ExpiredIteratorException", $"Iterator expired. The iterator was created at time {DateTimeOffset.FromUnixTimeMilliseconds(iterator.IssuedAt):R} "
                + $"while right now it is {now:R} which is further in the future than the tolerated delay of {ShardIterator.Lifetime.TotalMilliseconds} milliseconds.");
        }

        ChangeStream stream;
        StreamDefinition definition;
        List<StreamRecord> records;
        long? end;
        lock (_store.Gate)
        {
            stream = _store.Streams.FirstOrDefault(s => s.Definition.Number == iterator.Stream) ?? throw DynamoDbErrors.ResourceNotFound("Requested resource not found: Stream not found");
            definition = stream.Definition;
            end = RequireShard(stream, iterator.Shard).EndSequence;
            if (!iterator.Trimmed && iterator.Sequence <= stream.TrimmedTo(iterator.Shard, Horizon(now)))
                throw Trimmed();
            stream.Reached(iterator.Shard, iterator.Sequence);
            records = stream.Read(iterator.Shard, iterator.Sequence, limit, Horizon(now));
        }

        var arn = _store.StreamArn(definition);
        var (next, size) = (iterator.Sequence, 0);
        json.WriteStartArray("Records");
        foreach (var record in records)
        {
            var recordSize = SizeOf(definition, record);
            if (size > 0 && size + recordSize > MaxAnswer)
                break;
            size += recordSize;
            next = record.Sequence + 1;
            Write(json, definition, record, recordSize);
        }

        json.WriteEndArray();
        if (next > iterator.Sequence)
        {
            lock (_store.Gate)
                stream.Reached(iterator.Shard, next);
        }

        // A closed shard that has been read to its end has no next iterator: that is how a reader knows.
        if (end is not null && records.Count < limit && (records.Count == 0 || next > records[^1].Sequence))
            return;
        json.WriteString("NextShardIterator", (iterator with { Sequence = next, Trimmed = iterator.Trimmed && next == iterator.Sequence, IssuedAt = now.ToUnixTimeMilliseconds() }).Encode(arn));
    }

    private void Write(Utf8JsonWriter json, StreamDefinition stream, StreamRecord record, int size)
    {
        json.WriteStartObject();
        json.WriteString("eventID", EventId(stream, record));
        json.WriteString("eventName", record.Old is null ? "INSERT" : record.New is null ? "REMOVE" : "MODIFY");
        json.WriteString("eventVersion", "1.1");
        json.WriteString("eventSource", "aws:dynamodb");
        json.WriteString("awsRegion", _store.Region);
        if (record.Expired)
        {
            json.WriteStartObject("userIdentity");
            json.WriteString("PrincipalId", "dynamodb.amazonaws.com");
            json.WriteString("Type", "Service");
            json.WriteEndObject();
        }

        json.WriteStartObject("dynamodb");
        json.WriteNumber("ApproximateCreationDateTime", record.Time / 1000);
        json.WritePropertyName("Keys");
        AttributeJson.Write(json, ItemRules.KeyOf(stream.Keys, new Item(record.New ?? record.Old)));
        if (stream.ViewType is "NEW_IMAGE" or "NEW_AND_OLD_IMAGES" && record.New is not null)
        {
            json.WritePropertyName("NewImage");
            AttributeJson.Write(json, new Item(record.New));
        }

        if (stream.ViewType is "OLD_IMAGE" or "NEW_AND_OLD_IMAGES" && record.Old is not null)
        {
            json.WritePropertyName("OldImage");
            AttributeJson.Write(json, new Item(record.Old));
        }

        json.WriteString("SequenceNumber", ChangeStream.Format(record.Sequence));
        json.WriteNumber("SizeBytes", size);
        json.WriteString("StreamViewType", stream.ViewType);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>The billed bytes of what the view shows.</summary>
    private static int SizeOf(StreamDefinition stream, StreamRecord record)
    {
        var size = ItemRules.KeyOf(stream.Keys, new Item(record.New ?? record.Old)).BilledSize();
        if (stream.ViewType is "NEW_IMAGE" or "NEW_AND_OLD_IMAGES" && record.New is not null)
            size += new Item(record.New).BilledSize();
        if (stream.ViewType is "OLD_IMAGE" or "NEW_AND_OLD_IMAGES" && record.Old is not null)
            size += new Item(record.Old).BilledSize();
        return size;
    }

    /// <summary>32 hexadecimal digits, the same for a record however often it is read.</summary>
    private static string EventId(StreamDefinition stream, StreamRecord record)
    {
        Span<byte> identity = stackalloc byte[16];
        BinaryPrimitives.WriteInt64LittleEndian(identity, record.Sequence);
        BinaryPrimitives.WriteInt64LittleEndian(identity[8..], stream.CreatedAt.Ticks);
        return Convert.ToHexStringLower(XxHash128.Hash(identity));
    }

    private ChangeStream Require(string arn) => _store.Streams.FirstOrDefault(s => _store.StreamArn(s.Definition) == arn)
        ?? throw DynamoDbErrors.ResourceNotFound($"Requested resource not found: Stream: {arn} not found");

    private static ShardDefinition RequireShard(ChangeStream stream, string id) => stream.Find(id)
        ?? throw DynamoDbErrors.ResourceNotFound($"Requested resource not found: Shard: {id} not found");

    /// <summary>Records from before are gone, in epoch milliseconds.</summary>
    private static long Horizon(DateTimeOffset now) => (now - ChangeStream.Retention).ToUnixTimeMilliseconds();

    private static AwsException Trimmed() => DynamoDbErrors.Error("TrimmedDataAccessException", "The requested records are older than 24 hours and have been trimmed.");
}
