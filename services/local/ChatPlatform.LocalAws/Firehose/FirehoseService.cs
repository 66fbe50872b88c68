using System.Buffers;
using System.Globalization;
using System.Text.Json;
using ChatPlatform.LocalAws.Protocol;

namespace ChatPlatform.LocalAws.Firehose;

/// <summary>Amazon Data Firehose's API (https://docs.aws.amazon.com/firehose/latest/APIReference/API_Operations.html). Thread-safe.</summary>
internal sealed class FirehoseService : IAwsJsonService
{
    private const int MaxRecords = 500;
    private const int MaxTags = 50;
    private const int MaxBatchBytes = 4 * 1024 * 1024;
    private const string DestinationId = "destinationId-000000000001";

    private readonly DeliveryStreams _streams;
    private readonly OperationTable<Func<JsonInput, Utf8JsonWriter, CancellationToken, Task>> _operations;

    public FirehoseService(DeliveryStreams streams)
    {
        _streams = streams;
        _operations = new(
            new("CreateDeliveryStream", CreateAsync, "DeliveryStreamName", "DeliveryStreamType", "ExtendedS3DestinationConfiguration", "Tags"),
            new("DescribeDeliveryStream", Now(Describe), "DeliveryStreamName", "Limit", "ExclusiveStartDestinationId"),
            new("ListDeliveryStreams", Now(List), "Limit", "DeliveryStreamType", "ExclusiveStartDeliveryStreamName"),
            new("DeleteDeliveryStream", DeleteAsync, "DeliveryStreamName", "AllowForceDelete"),
            new("UpdateDestination", Now(Update), "DeliveryStreamName", "CurrentDeliveryStreamVersionId", "DestinationId",
                "ExtendedS3DestinationUpdate"),
            new("TagDeliveryStream", Now(Tag), "DeliveryStreamName", "Tags"),
            new("UntagDeliveryStream", Now(Untag), "DeliveryStreamName", "TagKeys"),
            new("ListTagsForDeliveryStream", Now(ListTags), "DeliveryStreamName", "ExclusiveStartTagKey", "Limit"),
            new("PutRecord", Now(Put), "DeliveryStreamName", "Record"),
            new("PutRecordBatch", Now(PutBatch), "DeliveryStreamName", "Records"));
    }

    public string TargetPrefix => "Firehose_20150804";

    public string Name => "firehose";

    public string Title => "Firehose";

    public string ResourceKind => "deliveryStream";

    public IReadOnlyList<OperationDescription> Operations => _operations.Descriptions;

    public string ContentType => "application/x-amz-json-1.1";

    /// <summary>Puts have an error of their own for it (https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecord.html), the others the common one.</summary>
    public AwsException Throttling(string operation) =>
        operation is "PutRecord" or "PutRecordBatch" ? FirehoseException.Throttled() : new FirehoseException("ThrottlingException", "Rate exceeded");

    /// <summary>https://docs.aws.amazon.com/firehose/latest/APIReference/CommonErrors.html.</summary>
    public AwsException InternalError() => new FirehoseException("InternalFailure", "The request processing has failed because of an unknown error.", 500);

    public async ValueTask HandleAsync(string operation, ReadOnlyMemory<byte> body, IBufferWriter<byte> answer, CancellationToken cancellationToken)
    {
        var known = _operations.Get(TargetPrefix, operation);
        using var document = Parse(body);
        var input = JsonInput.Request(document.RootElement);
        input.Allow(known.Parameters);
        await using var json = new Utf8JsonWriter(answer);
        json.WriteStartObject();
        await known.Handler(input, json, cancellationToken);
        json.WriteEndObject();
    }

    private static JsonDocument Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            return JsonDocument.Parse(body);
        }
        catch (JsonException)
        {
            throw AwsException.Serialization("The request is not valid JSON.");
        }
    }

    private static Func<JsonInput, Utf8JsonWriter, CancellationToken, Task> Now(Action<JsonInput, Utf8JsonWriter> handler) => (input, json, _) =>
    {
        handler(input, json);
        return Task.CompletedTask;
    };

    /// <summary>AllowForceDelete concerns a KMS grant, which no stream here has.</summary>
    private Task DeleteAsync(JsonInput input, Utf8JsonWriter json, CancellationToken cancellationToken) =>
        _streams.DeleteAsync(input.RequiredText("DeliveryStreamName"), cancellationToken);

    private async Task CreateAsync(JsonInput input, Utf8JsonWriter json, CancellationToken cancellationToken)
    {
        var name = input.RequiredText("DeliveryStreamName");
        if (input.Text("DeliveryStreamType") is { } type && type != "DirectPut")
            throw FirehoseException.NotHonoured($"DeliveryStreamType={type}");
        if (input.Object("ExtendedS3DestinationConfiguration") is not { } destination)
            throw FirehoseException.InvalidArgument("ExtendedS3DestinationConfiguration is required.");
        var tags = input.Has("Tags") ? TagsOf(input) : [];
        await _streams.CreateAsync(name, DestinationReader.Read(destination, null, _streams.HasLambda), tags, cancellationToken);
        json.WriteString("DeliveryStreamARN", _streams.ArnOf(name));
    }

    private void Update(JsonInput input, Utf8JsonWriter json)
    {
        if (input.Object("ExtendedS3DestinationUpdate") is not { } update)
            throw FirehoseException.InvalidArgument("ExtendedS3DestinationUpdate is required.");
        if (input.RequiredText("DestinationId") is var id && id != DestinationId)
            throw FirehoseException.InvalidArgument($"DestinationId '{id}' is not a destination of this stream.");
        _streams.Update(input.RequiredText("DeliveryStreamName"), input.RequiredText("CurrentDeliveryStreamVersionId"), current => DestinationReader.Read(update, current, _streams.HasLambda));
    }

    private void Tag(JsonInput input, Utf8JsonWriter json)
    {
        var added = TagsOf(input);
        _streams.Tag(input.RequiredText("DeliveryStreamName"), tags =>
        {
            foreach (var (key, value) in added)
                tags[key] = value;
            if (tags.Count > MaxTags)
                throw new FirehoseException("LimitExceededException", $"A Firehose stream has at most {MaxTags} tags.");
        });
    }

    private void Untag(JsonInput input, Utf8JsonWriter json)
    {
        var keys = input.TextList("TagKeys") ?? throw FirehoseException.InvalidArgument("TagKeys is required.");
        if (keys.Count is 0 or > MaxTags)
            throw FirehoseException.InvalidArgument($"TagKeys must have between 1 and {MaxTags} entries.");
        _streams.Tag(input.RequiredText("DeliveryStreamName"), tags => keys.ForEach(key => tags.Remove(key)));
    }

    private void ListTags(JsonInput input, Utf8JsonWriter json)
    {
        var limit = input.Number("Limit") ?? MaxTags;
        if (limit is < 1 or > MaxTags)
            throw FirehoseException.InvalidArgument($"Limit is {limit}; it must be between 1 and {MaxTags}.");
        var after = input.Text("ExclusiveStartTagKey") ?? "";
        var tags = _streams.Get(input.RequiredText("DeliveryStreamName")).Settings.Tags.Where(t => string.CompareOrdinal(t.Key, after) > 0).ToArray();
        json.WriteStartArray("Tags");
        foreach (var (key, value) in tags.Take(limit))
        {
            json.WriteStartObject();
            json.WriteString("Key", key);
            json.WriteString("Value", value);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteBoolean("HasMoreTags", tags.Length > limit);
    }

    /// <summary>https://docs.aws.amazon.com/firehose/latest/APIReference/API_Tag.html</summary>
    private static Dictionary<string, string> TagsOf(JsonInput input)
    {
        var tags = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var tag in input.List("Tags") ?? [])
        {
            tag.Allow("Key", "Value");
            var (key, value) = (tag.RequiredText("Key"), tag.Text("Value") ?? "");
            if (key.Length is 0 or > 128 || key.StartsWith("aws:", StringComparison.Ordinal) || value.Length > 256)
                throw FirehoseException.InvalidArgument($"{tag.Path}: a key has 1 to 128 characters and does not begin with aws:, a value has at most 256.");
            tags[key] = value;
        }

        return tags.Count is >= 1 and <= MaxTags ? tags : throw FirehoseException.InvalidArgument($"Tags must have between 1 and {MaxTags} entries.");
    }

    private void List(JsonInput input, Utf8JsonWriter json)
    {
        var limit = input.Number("Limit") ?? 10;
        if (limit is < 1 or > 10_000)
            throw FirehoseException.InvalidArgument($"Limit is {limit}; it must be between 1 and 10000.");
        var after = input.Text("ExclusiveStartDeliveryStreamName") ?? "";
        var names = input.Text("DeliveryStreamType") is null or "DirectPut" ? _streams.Names.Where(n => string.CompareOrdinal(n, after) > 0).ToArray() : [];
        json.WriteStartArray("DeliveryStreamNames");
        foreach (var name in names.Take(limit))
            json.WriteStringValue(name);
        json.WriteEndArray();
        json.WriteBoolean("HasMoreDeliveryStreams", names.Length > limit);
    }

    private void Put(JsonInput input, Utf8JsonWriter json)
    {
        var stream = _streams.Get(input.RequiredText("DeliveryStreamName"));
        var outcome = stream.Put([DataOf(input.Object("Record") ?? throw FirehoseException.InvalidArgument("Record is required."))])[0];
        if (outcome.RecordId is null)
            throw new FirehoseException(outcome.ErrorCode!, outcome.ErrorMessage!, 503);
        json.WriteString("RecordId", outcome.RecordId);
        json.WriteBoolean("Encrypted", false);
    }

    private void PutBatch(JsonInput input, Utf8JsonWriter json)
    {
        var stream = _streams.Get(input.RequiredText("DeliveryStreamName"));
        var records = (input.List("Records") ?? []).Select(DataOf).ToList();
        if (records.Count is 0 or > MaxRecords)
            throw FirehoseException.InvalidArgument($"Records has {records.Count} entries; it must have between 1 and {MaxRecords}.");
        if (records.Sum(r => (long)r.Length) is var bytes && bytes > MaxBatchBytes)
            throw FirehoseException.InvalidArgument($"Records size exceeds 4 MB limit: {bytes} bytes.");
        var outcomes = stream.Put(records);
        json.WriteNumber("FailedPutCount", outcomes.Count(o => o.RecordId is null));
        json.WriteBoolean("Encrypted", false);
        json.WriteStartArray("RequestResponses");
        foreach (var outcome in outcomes)
        {
            json.WriteStartObject();
            if (outcome.RecordId is not null)
            {
                json.WriteString("RecordId", outcome.RecordId);
            }
            else
            {
                json.WriteString("ErrorCode", outcome.ErrorCode);
                json.WriteString("ErrorMessage", outcome.ErrorMessage);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static ReadOnlyMemory<byte> DataOf(JsonInput record)
    {
        record.Allow("Data");
        var data = record.Bytes("Data") ?? throw FirehoseException.InvalidArgument($"{record.Path}.Data is required.");
        return data.Length <= RecordSegment.MaxRecordBytes
            ? data
            : throw FirehoseException.InvalidArgument($"{record.Path}.Data has {data.Length} bytes; a record must have length less than or equal to {RecordSegment.MaxRecordBytes}.");
    }

    private void Describe(JsonInput input, Utf8JsonWriter json)
    {
        var settings = _streams.Get(input.RequiredText("DeliveryStreamName")).Settings;
        json.WriteStartObject("DeliveryStreamDescription");
        json.WriteString("DeliveryStreamName", settings.Name);
        json.WriteString("DeliveryStreamARN", _streams.ArnOf(settings.Name));
        json.WriteString("DeliveryStreamStatus", "ACTIVE");
        json.WriteString("DeliveryStreamType", "DirectPut");
        json.WriteString("VersionId", settings.Version.ToString(CultureInfo.InvariantCulture));
        WriteTime(json, "CreateTimestamp", settings.CreatedAt);
        if (settings.UpdatedAt is { } updated)
            WriteTime(json, "LastUpdateTimestamp", updated);
        json.WriteStartArray("Destinations");
        json.WriteStartObject();
        json.WriteString("DestinationId", DestinationId);
        WriteDestination(json, "S3DestinationDescription", settings.Destination, extended: false);
        WriteDestination(json, "ExtendedS3DestinationDescription", settings.Destination, extended: true);
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteBoolean("HasMoreDestinations", false);
        json.WriteEndObject();
    }

    private static void WriteTime(Utf8JsonWriter json, string name, DateTimeOffset time) => json.WriteNumber(name, time.ToUnixTimeMilliseconds() / 1000m);

    private static void WriteDestination(Utf8JsonWriter json, string name, ExtendedS3Destination destination, bool extended)
    {
        json.WriteStartObject(name);
        json.WriteString("RoleARN", destination.RoleArn);
        json.WriteString("BucketARN", destination.BucketArn);
        if (destination.Prefix is not null)
            json.WriteString("Prefix", destination.Prefix);
        if (destination.ErrorOutputPrefix is not null)
            json.WriteString("ErrorOutputPrefix", destination.ErrorOutputPrefix);
        json.WriteStartObject("BufferingHints");
        json.WriteNumber("SizeInMBs", destination.SizeInMBs);
        json.WriteNumber("IntervalInSeconds", destination.IntervalInSeconds);
        json.WriteEndObject();
        json.WriteString("CompressionFormat", destination.CompressionFormat);
        json.WriteStartObject("EncryptionConfiguration");
        json.WriteString("NoEncryptionConfig", "NoEncryption");
        json.WriteEndObject();
        if (extended)
        {
            json.WriteString("S3BackupMode", "Disabled");
            json.WriteString("CustomTimeZone", destination.CustomTimeZone);
            if (destination.FileExtension is not null)
                json.WriteString("FileExtension", destination.FileExtension);
            WriteGiven(json, "ProcessingConfiguration", destination.Processing);
            WriteGiven(json, "DynamicPartitioningConfiguration", destination.DynamicPartitioning);
            WriteGiven(json, "DataFormatConversionConfiguration", destination.DataFormatConversion);
        }

        json.WriteEndObject();
    }

    private static void WriteGiven(Utf8JsonWriter json, string name, string? given)
    {
        if (given is null)
            return;
        json.WritePropertyName(name);
        json.WriteRawValue(given);
    }
}
