using System.Buffers;
using System.Diagnostics.Metrics;
using System.Text;
using System.Text.Json;
using ChatPlatform.LocalAws.Firehose;
using ChatPlatform.LocalAws.Firehose.Processing;
using ChatPlatform.LocalAws.Protocol;
using ChatPlatform.LocalAws.S3.Objects;

namespace ChatPlatform.UnitTests.LocalAws.Firehose;

/// <summary>What processing, partitioning and conversion ask of a stream's configuration; each row names its page.</summary>
public sealed class FirehoseProcessingRuleTests : IAsyncDisposable
{
    private const string Api = "https://docs.aws.amazon.com/firehose/latest/APIReference/";
    private const string Destination = Api + "API_ExtendedS3DestinationConfiguration.html";
    private const string Parameter = Api + "API_ProcessorParameter.html";
    private const string Conversion = Api + "API_DataFormatConversionConfiguration.html";
    private const string ParquetSerDe = Api + "API_ParquetSerDe.html";
    private const string Convert = "https://docs.aws.amazon.com/firehose/latest/dev/enable-record-format-conversion.html";
    private const string Partitioning = "https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-enable.html";
    private const string Keys = "https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-partitioning-keys.html";
    private const string Tags = Api + "API_TagDeliveryStream.html";

    private const string Big = "\"BufferingHints\":{\"SizeInMBs\":64,\"IntervalInSeconds\":60}";
    private const string Columns = "\"SchemaConfiguration\":{\"Columns\":[{\"Name\":\"id\",\"Type\":\"string\"}]}";
    private const string OpenX = "\"InputFormatConfiguration\":{\"Deserializer\":{\"OpenXJsonSerDe\":{}}}";
    private const string Parquet = "\"OutputFormatConfiguration\":{\"Serializer\":{\"ParquetSerDe\":{}}}";
    private const string Query = "\"Type\":\"MetadataExtraction\",\"Parameters\":[{\"ParameterName\":\"MetadataExtractionQuery\",\"ParameterValue\":\"{room:.roomId}\"},{\"ParameterName\":\"JsonParsingEngine\",\"ParameterValue\":\"JQ-1.6\"}]";
    private const string On = "\"DynamicPartitioningConfiguration\":{\"Enabled\":true}";
    private const string ByRoom = "\"Prefix\":\"!{partitionKeyFromQuery:room}/\",\"ErrorOutputPrefix\":\"e/!{firehose:error-output-type}/\"";

    private readonly Meter _meter = new("test");
    private readonly HttpClient _http = new();
    private readonly DeliveryStreams _streams;
    private readonly FirehoseService _service;

    public FirehoseProcessingRuleTests()
    {
        var store = new ObjectStore(new MemoryMedium(), TimeProvider.System);
        _streams = new DeliveryStreams(null, TestDelivery.Context(store, TimeProvider.System, _meter, lambda: new LambdaTransformation(_http, new Uri("http://127.0.0.1:9"), TimeProvider.System)));
        _service = new FirehoseService(_streams);
    }

    /// <summary>Source, members of the destination (OPENX, PARQUET, COLUMNS, BIG, QUERY, ON and BYROOM stand for the constants), and what the refusal names (null: taken).</summary>
    [Theory]
    [InlineData(Destination, "\"CompressionFormat\":\"Snappy\"", null)]
    [InlineData(Destination, "\"CompressionFormat\":\"HADOOP_SNAPPY\"", null)]
    [InlineData(Destination, "\"CompressionFormat\":\"ZIP\"", null)]
    [InlineData(Destination, "\"CompressionFormat\":\"LZ4\"", "CompressionFormat")]
    [InlineData(Conversion, "\"DataFormatConversionConfiguration\":{\"Enabled\":false}", null)]
    [InlineData(Conversion, "\"DataFormatConversionConfiguration\":{}", "InputFormatConfiguration")]
    [InlineData(Conversion, "\"DataFormatConversionConfiguration\":{OPENX}", "OutputFormatConfiguration")]
    [InlineData(Conversion, "\"DataFormatConversionConfiguration\":{OPENX,PARQUET}", "SchemaConfiguration")]
    [InlineData(Convert, "\"DataFormatConversionConfiguration\":{OPENX,PARQUET,COLUMNS}", null)]
    [InlineData(Convert, "\"DataFormatConversionConfiguration\":{OPENX,PARQUET,COLUMNS},BIG", null)]
    [InlineData(Convert, "\"DataFormatConversionConfiguration\":{OPENX,PARQUET,COLUMNS},\"BufferingHints\":{\"SizeInMBs\":63,\"IntervalInSeconds\":60}", "SizeInMBs must be at least 64")]
    [InlineData(Convert, "\"DataFormatConversionConfiguration\":{OPENX,PARQUET,COLUMNS},\"CompressionFormat\":\"GZIP\"", "CompressionFormat")]
    [InlineData(Convert, "\"DataFormatConversionConfiguration\":{OPENX,PARQUET,COLUMNS},\"CompressionFormat\":\"UNCOMPRESSED\"", null)]
    [InlineData(Convert, "\"DataFormatConversionConfiguration\":{OPENX,\"OutputFormatConfiguration\":{\"Serializer\":{\"OrcSerDe\":{}}},COLUMNS}", "OrcSerDe")]
    [InlineData(Convert, "\"DataFormatConversionConfiguration\":{\"InputFormatConfiguration\":{\"Deserializer\":{}},PARQUET,COLUMNS}", "Deserializer")]
    [InlineData(Convert, "\"DataFormatConversionConfiguration\":{\"InputFormatConfiguration\":{\"Deserializer\":{\"HiveJsonSerDe\":{}}},PARQUET,COLUMNS}", null)]
    [InlineData(Convert, "\"DataFormatConversionConfiguration\":{\"InputFormatConfiguration\":{\"Deserializer\":{\"HiveJsonSerDe\":{\"TimestampFormats\":[\"yyyy\"]}}},PARQUET,COLUMNS}", "TimestampFormats")]
    [InlineData(Convert, "\"DataFormatConversionConfiguration\":{\"InputFormatConfiguration\":{\"Deserializer\":{\"OpenXJsonSerDe\":{\"ColumnToJsonKeyMappings\":{\"id\":\"i\"}}}},PARQUET,COLUMNS}", null)]
    [InlineData(Convert, "\"DataFormatConversionConfiguration\":{OPENX,PARQUET,\"SchemaConfiguration\":{\"DatabaseName\":\"d\"}}", "TableName")]
    [InlineData(Convert, "\"DataFormatConversionConfiguration\":{OPENX,PARQUET,\"SchemaConfiguration\":{\"DatabaseName\":\"d\",\"TableName\":\"t\"}}", null)]
    [InlineData(Convert, "\"DataFormatConversionConfiguration\":{OPENX,PARQUET,\"SchemaConfiguration\":{\"Columns\":[]}}", "no columns")]
    [InlineData(Convert, "\"DataFormatConversionConfiguration\":{OPENX,PARQUET,\"SchemaConfiguration\":{\"Columns\":[{\"Name\":\"a\",\"Type\":\"text\"}]}}", "text")]
    [InlineData(Convert, "\"DataFormatConversionConfiguration\":{OPENX,PARQUET,\"SchemaConfiguration\":{\"Columns\":[{\"Name\":\"a\",\"Type\":\"int\"},{\"Name\":\"A\",\"Type\":\"int\"}]}}", "twice")]
    [InlineData(ParquetSerDe, "\"DataFormatConversionConfiguration\":{OPENX,\"OutputFormatConfiguration\":{\"Serializer\":{\"ParquetSerDe\":{\"Compression\":\"GZIP\"}}},COLUMNS}", null)]
    [InlineData(ParquetSerDe, "\"DataFormatConversionConfiguration\":{OPENX,\"OutputFormatConfiguration\":{\"Serializer\":{\"ParquetSerDe\":{\"Compression\":\"ZSTD\"}}},COLUMNS}", "Compression")]
    [InlineData(ParquetSerDe, "\"DataFormatConversionConfiguration\":{OPENX,\"OutputFormatConfiguration\":{\"Serializer\":{\"ParquetSerDe\":{\"PageSizeBytes\":1}}},COLUMNS}", "PageSizeBytes")]
    [InlineData(ParquetSerDe, "\"DataFormatConversionConfiguration\":{OPENX,\"OutputFormatConfiguration\":{\"Serializer\":{\"ParquetSerDe\":{\"BlockSizeBytes\":1}}},COLUMNS}", "BlockSizeBytes")]
    [InlineData(ParquetSerDe, "\"DataFormatConversionConfiguration\":{OPENX,\"OutputFormatConfiguration\":{\"Serializer\":{\"ParquetSerDe\":{\"WriterVersion\":\"V3\"}}},COLUMNS}", "WriterVersion")]
    [InlineData(Partitioning, "ON,\"ProcessingConfiguration\":{\"Enabled\":true,\"Processors\":[{QUERY}]},BYROOM,BIG", null)]
    [InlineData(Partitioning, "ON,\"ProcessingConfiguration\":{\"Enabled\":true,\"Processors\":[{QUERY}]},BYROOM", "SizeInMBs must be at least 64")]
    [InlineData(Partitioning, "ON,\"ProcessingConfiguration\":{\"Enabled\":true,\"Processors\":[{QUERY}]},BIG", "Prefix must contain partition keys")]
    [InlineData(Partitioning, "ON,BYROOM,BIG", "no MetadataExtractionQuery")]
    [InlineData(Partitioning, "BYROOM", "dynamic partitioning")]
    [InlineData(Partitioning, "\"ProcessingConfiguration\":{\"Enabled\":true,\"Processors\":[{QUERY}]}", "MetadataExtraction")]
    [InlineData(Partitioning, "ON,\"Prefix\":\"!{partitionKeyFromLambda:x}/\",\"ErrorOutputPrefix\":\"e/\",BIG", "no processor of type Lambda")]
    [InlineData(Partitioning, "ON,\"Prefix\":\"!{partitionKeyFromQuery:room}/\",BIG", "ErrorOutputPrefix")]
    [InlineData(Partitioning, "\"DynamicPartitioningConfiguration\":{\"Enabled\":false,\"RetryOptions\":{\"DurationInSeconds\":7201}}", "DurationInSeconds")]
    [InlineData(Parameter, "\"ProcessingConfiguration\":{\"Enabled\":true,\"Processors\":[{\"Type\":\"AppendDelimiterToRecord\"}]}", null)]
    [InlineData(Parameter, "\"ProcessingConfiguration\":{\"Enabled\":true,\"Processors\":[{\"Type\":\"AppendDelimiterToRecord\"},{\"Type\":\"AppendDelimiterToRecord\"}]}", "once")]
    [InlineData(Parameter, "\"ProcessingConfiguration\":{\"Enabled\":true,\"Processors\":[{\"Type\":\"Other\"}]}", "Other")]
    [InlineData(Parameter, "\"ProcessingConfiguration\":{\"Enabled\":true,\"Processors\":[{\"Type\":\"Decompression\"}]}", "Decompression")]
    [InlineData(Parameter, "\"ProcessingConfiguration\":{\"Enabled\":true,\"Processors\":[{\"Type\":\"Lambda\"}]}", "LambdaArn")]
    [InlineData(Parameter, "\"ProcessingConfiguration\":{\"Enabled\":true,\"Processors\":[{\"Type\":\"Lambda\",\"Parameters\":[{\"ParameterName\":\"LambdaArn\",\"ParameterValue\":\"f\"}]}]}", "LambdaArn")]
    [InlineData(Parameter, "\"ProcessingConfiguration\":{\"Enabled\":true,\"Processors\":[{\"Type\":\"Lambda\",\"Parameters\":[{\"ParameterName\":\"LambdaArn\",\"ParameterValue\":\"arn:aws:lambda:eu-west-1:000000000000:function:f\"}]}]}", null)]
    [InlineData(Parameter, "\"ProcessingConfiguration\":{\"Enabled\":true,\"Processors\":[{\"Type\":\"Lambda\",\"Parameters\":[{\"ParameterName\":\"LambdaArn\",\"ParameterValue\":\"arn:aws:lambda:eu-west-1:000000000000:function:f\"},{\"ParameterName\":\"NumberOfRetries\",\"ParameterValue\":\"301\"}]}]}", "NumberOfRetries")]
    [InlineData(Parameter, "\"ProcessingConfiguration\":{\"Enabled\":true,\"Processors\":[{\"Type\":\"Lambda\",\"Parameters\":[{\"ParameterName\":\"LambdaArn\",\"ParameterValue\":\"arn:aws:lambda:eu-west-1:000000000000:function:f\"},{\"ParameterName\":\"BufferSizeInMBs\",\"ParameterValue\":\"3.1\"}]}]}", "BufferSizeInMBs")]
    [InlineData(Parameter, "\"ProcessingConfiguration\":{\"Enabled\":true,\"Processors\":[{\"Type\":\"Lambda\",\"Parameters\":[{\"ParameterName\":\"LambdaArn\",\"ParameterValue\":\"arn:aws:lambda:eu-west-1:000000000000:function:f\"},{\"ParameterName\":\"Delimiter\",\"ParameterValue\":\"x\"}]}]}", "Delimiter")]
    [InlineData(Parameter, "\"ProcessingConfiguration\":{\"Enabled\":true,\"Processors\":[{\"Type\":\"RecordDeAggregation\",\"Parameters\":[{\"ParameterName\":\"SubRecordType\",\"ParameterValue\":\"JSON\"}]}]}", null)]
    [InlineData(Parameter, "\"ProcessingConfiguration\":{\"Enabled\":true,\"Processors\":[{\"Type\":\"RecordDeAggregation\",\"Parameters\":[{\"ParameterName\":\"SubRecordType\",\"ParameterValue\":\"DELIMITED\"}]}]}", "Delimiter")]
    [InlineData(Parameter, "\"ProcessingConfiguration\":{\"Enabled\":true,\"Processors\":[{\"Type\":\"RecordDeAggregation\",\"Parameters\":[{\"ParameterName\":\"SubRecordType\",\"ParameterValue\":\"CSV\"}]}]}", "SubRecordType")]
    [InlineData(Keys, "ON,\"ProcessingConfiguration\":{\"Enabled\":true,\"Processors\":[{\"Type\":\"MetadataExtraction\",\"Parameters\":[{\"ParameterName\":\"MetadataExtractionQuery\",\"ParameterValue\":\"{room:.roomId}\"},{\"ParameterName\":\"JsonParsingEngine\",\"ParameterValue\":\"JQ-1.5\"}]}]},BYROOM,BIG", "JQ-1.6")]
    [InlineData(Keys, "ON,\"ProcessingConfiguration\":{\"Enabled\":true,\"Processors\":[{\"Type\":\"MetadataExtraction\",\"Parameters\":[{\"ParameterName\":\"JsonParsingEngine\",\"ParameterValue\":\"JQ-1.6\"}]}]},BYROOM,BIG", "MetadataExtractionQuery")]
    public async Task A_combination_is_taken_or_refused_by_name(string source, string members, string? refused)
    {
        source.ShouldStartWith("https://docs.aws.amazon.com/");
        members = members.Replace("OPENX", OpenX).Replace("PARQUET", Parquet).Replace("COLUMNS", Columns).Replace("BIG", Big).Replace("QUERY", Query).Replace("ON,", On + ",").Replace("BYROOM", ByRoom);
        var body = $"{{\"DeliveryStreamName\":\"s\",\"ExtendedS3DestinationConfiguration\":{{\"RoleARN\":\"arn:aws:iam::000000000000:role/r\",\"BucketARN\":\"arn:aws:s3:::lake\",{members}}}}}";
        if (refused is null)
        {
            await CallAsync("CreateDeliveryStream", body);
            return;
        }

        var error = await Should.ThrowAsync<AwsException>(() => CallAsync("CreateDeliveryStream", body));
        error.Type.ShouldBe("InvalidArgumentException");
        error.Message.ShouldContain(refused);
    }

    /// <summary>JQ queries, as far as they are plain paths; the value for the record <c>{"a":{"b":"x","c d":7},"l":[1,true],"n":null,"e":"","o":{}}</c>, or null for a failed record.</summary>
    [Theory]
    [InlineData(Keys, "{k:.a.b}", "x")]
    [InlineData(Keys, "{ k : .a.b }", "x")]
    [InlineData(Keys, "{\"k\":.a.b}", "x")]
    [InlineData(Keys, "{k:.a.\"c d\"}", "7")]
    [InlineData(Keys, "{k:.a[\"b\"]}", "x")]
    [InlineData(Keys, "{k:.[\"a\"].b}", "x")]
    [InlineData(Keys, "{k:.l[0]}", "1")]
    [InlineData(Keys, "{k:.l[-1]}", "true")]
    [InlineData(Keys, "{k:.l[2]}", null)]
    [InlineData(Keys, "{k:.n}", null)]
    [InlineData(Keys, "{k:.e}", null)]
    [InlineData(Keys, "{k:.o}", null)]
    [InlineData(Keys, "{k:.missing.deep}", null)]
    public void A_partition_key_is_what_its_path_gives(string source, string query, string? expected)
    {
        source.ShouldStartWith("https://docs.aws.amazon.com/");
        var values = new Dictionary<string, string>();
        var found = MetadataQuery.Parse(query).TryExtract("""{"a":{"b":"x","c d":7},"l":[1,true],"n":null,"e":"","o":{}}"""u8.ToArray(), values, out var problem);
        found.ShouldBe(expected is not null, problem);
        if (expected is not null)
            values["partitionKeyFromQuery:k"].ShouldBe(expected);
    }

    [Theory]
    [InlineData(Keys, "")]
    [InlineData(Keys, "{}")]
    [InlineData(Keys, "{k}")]
    [InlineData(Keys, "{k:}")]
    [InlineData(Keys, "{k:.}x")]
    [InlineData(Keys, "{k:.a|tostring}")]
    [InlineData(Keys, "{k:.ts|strftime(\"%Y\")}")]
    [InlineData(Keys, "{k:.l[]}")]
    [InlineData(Keys, "{k:.a,k:.b}")]
    [InlineData(Keys, ".a")]
    [InlineData(Keys, "{k:.a.\"open}")]
    public void A_query_that_is_more_than_paths_is_refused(string source, string query)
    {
        source.ShouldStartWith("https://docs.aws.amazon.com/");
        Should.Throw<FirehoseException>(() => MetadataQuery.Parse(query)).Message.ShouldContain("MetadataExtractionQuery");
    }

    [Fact]
    public async Task Tags_are_kept_changed_and_listed_in_pages() // Tags
    {
        await CallAsync("CreateDeliveryStream", """{"DeliveryStreamName":"s","Tags":[{"Key":"team","Value":"chat"}],"ExtendedS3DestinationConfiguration":{"RoleARN":"arn:aws:iam::000000000000:role/r","BucketARN":"arn:aws:s3:::lake"}}""");
        await CallAsync("TagDeliveryStream", """{"DeliveryStreamName":"s","Tags":[{"Key":"team","Value":"data"},{"Key":"a"},{"Key":"b","Value":"2"}]}""");
        await CallAsync("UntagDeliveryStream", """{"DeliveryStreamName":"s","TagKeys":["b","none"]}""");
        (await CallAsync("ListTagsForDeliveryStream", """{"DeliveryStreamName":"s","Limit":1}""")).GetRawText().ShouldBe("""{"Tags":[{"Key":"a","Value":""}],"HasMoreTags":true}""");
        (await CallAsync("ListTagsForDeliveryStream", """{"DeliveryStreamName":"s","ExclusiveStartTagKey":"a"}""")).GetRawText().ShouldBe("""{"Tags":[{"Key":"team","Value":"data"}],"HasMoreTags":false}""");
        var fiftyMore = string.Join(',', Enumerable.Range(0, 49).Select(i => $"{{\"Key\":\"k{i}\"}}"));
        (await Should.ThrowAsync<AwsException>(() => CallAsync("TagDeliveryStream", $"{{\"DeliveryStreamName\":\"s\",\"Tags\":[{fiftyMore}]}}"))).Type.ShouldBe("LimitExceededException");
    }

    [Theory]
    [InlineData(Tags, "[]")]
    [InlineData(Tags, "[{\"Key\":\"\"}]")]
    [InlineData(Tags, "[{\"Key\":\"aws:x\"}]")]
    [InlineData(Tags, "[{\"Value\":\"x\"}]")]
    public async Task A_tag_that_is_none_is_refused(string source, string tags)
    {
        source.ShouldStartWith("https://docs.aws.amazon.com/");
        (await Should.ThrowAsync<AwsException>(() => CallAsync("TagDeliveryStream", $"{{\"DeliveryStreamName\":\"s\",\"Tags\":{tags}}}"))).Type.ShouldBe("InvalidArgumentException");
    }

    [Fact]
    public async Task Partitioning_cannot_be_switched_on_later_and_the_description_gives_it_back() // Partitioning
    {
        await CallAsync("CreateDeliveryStream", """{"DeliveryStreamName":"plain","ExtendedS3DestinationConfiguration":{"RoleARN":"arn:aws:iam::000000000000:role/r","BucketARN":"arn:aws:s3:::lake"}}""");
        var update = $$"""{"DeliveryStreamName":"plain","CurrentDeliveryStreamVersionId":"1","DestinationId":"destinationId-000000000001","ExtendedS3DestinationUpdate":{ {{On}},"ProcessingConfiguration":{"Enabled":true,"Processors":[{ {{Query}} }]},{{ByRoom}},{{Big}} } }""";
        (await Should.ThrowAsync<AwsException>(() => CallAsync("UpdateDestination", update))).Message.ShouldContain("DynamicPartitioningConfiguration");
        await CallAsync("UpdateDestination", """{"DeliveryStreamName":"plain","CurrentDeliveryStreamVersionId":"1","DestinationId":"destinationId-000000000001","ExtendedS3DestinationUpdate":{"ProcessingConfiguration":{"Enabled":true,"Processors":[{"Type":"AppendDelimiterToRecord"}]}}}""");
        var description = (await CallAsync("DescribeDeliveryStream", """{"DeliveryStreamName":"plain"}""")).GetProperty("DeliveryStreamDescription");
        description.GetProperty("VersionId").GetString().ShouldBe("2");
        description.GetProperty("Destinations")[0].GetProperty("ExtendedS3DestinationDescription").GetProperty("ProcessingConfiguration").GetProperty("Processors")[0].GetProperty("Type").GetString()
            .ShouldBe("AppendDelimiterToRecord");
    }

    public async ValueTask DisposeAsync()
    {
        await _streams.StopAsync(CancellationToken.None);
        _http.Dispose();
        _meter.Dispose();
    }

    private async Task<JsonElement> CallAsync(string operation, string body)
    {
        var answer = new ArrayBufferWriter<byte>();
        await _service.HandleAsync(operation, Encoding.UTF8.GetBytes(body), answer, CancellationToken.None);
        return JsonDocument.Parse(answer.WrittenMemory).RootElement;
    }
}
