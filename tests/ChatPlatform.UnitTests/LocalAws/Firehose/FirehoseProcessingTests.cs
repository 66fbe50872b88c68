using System.Buffers.Binary;
using System.Diagnostics.Metrics;
using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Json;
using ChatPlatform.AwsRules;
using ChatPlatform.LocalAws.Firehose;
using ChatPlatform.LocalAws.Firehose.Formats;
using ChatPlatform.LocalAws.Firehose.Processing;
using ChatPlatform.LocalAws.Glue;
using ChatPlatform.LocalAws.S3.Objects;
using Parquet.Serialization;
using Snappier;

namespace ChatPlatform.UnitTests.LocalAws.Firehose;

/// <summary>What becomes of records that are processed, partitioned, compressed or converted. Rules: https://docs.aws.amazon.com/firehose/latest/dev/.</summary>
public sealed class FirehoseProcessingTests : IDisposable
{
    private const string Function = "arn:aws:lambda:ap-northeast-2:000000000000:function:f";
    private readonly Meter _meter = new("test");
    private readonly ObjectStore _store = new(new MemoryMedium(), TimeProvider.System);
    private readonly GlueCatalog _catalog = new(null);

    [Fact]
    public async Task A_snappy_object_is_one_frame_stream()
    {
        var texts = Texts();
        var (key, bytes) = (await DeliverAsync(Plain with { CompressionFormat = "Snappy" }, texts)).ShouldHaveSingleItem();
        key.ShouldEndWith(".snappy");
        using var reader = new StreamReader(new SnappyStream(new MemoryStream(bytes), CompressionMode.Decompress));
        (await reader.ReadToEndAsync()).ShouldBe(string.Concat(texts));
    }

    [Fact]
    public async Task A_hadoop_snappy_object_is_blocks_of_lengths_and_raw_snappy()
    {
        var texts = Texts();
        var (key, bytes) = (await DeliverAsync(Plain with { CompressionFormat = "HADOOP_SNAPPY" }, texts)).ShouldHaveSingleItem();
        key.ShouldEndWith(".hsnappy");
        var text = new StringBuilder();
        for (var at = 0; at < bytes.Length;)
        {
            var plain = BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(at));
            var packed = BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(at + 4));
            var block = Snappy.DecompressToArray(bytes.AsSpan(at + 8, packed));
            block.Length.ShouldBe(plain);
            text.Append(Encoding.Latin1.GetString(block));
            at += 8 + packed;
        }

        Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(text.ToString())).ShouldBe(string.Concat(texts));
    }

    [Fact]
    public async Task A_delimiter_follows_every_record()
    {
        var destination = Plain with { Processing = Processors("""{"Type":"AppendDelimiterToRecord","Parameters":[{"ParameterName":"Delimiter","ParameterValue":"\\n"}]}""") };
        Text((await DeliverAsync(destination, "a", "b")).ShouldHaveSingleItem().Bytes).ShouldBe("a\nb\n");
    }

    [Fact]
    public async Task Records_are_partitioned_by_their_keys_and_what_has_none_goes_to_the_error_output()
    {
        var destination = Plain with
        {
            Prefix = "room=!{partitionKeyFromQuery:room}/",
            ErrorOutputPrefix = "errors/!{firehose:error-output-type}/",
            DynamicPartitioning = """{"Enabled":true}""",
            Processing = Processors("""{"Type":"MetadataExtraction","Parameters":[{"ParameterName":"MetadataExtractionQuery","ParameterValue":"{room:.roomId}"},{"ParameterName":"JsonParsingEngine","ParameterValue":"JQ-1.6"}]},{"Type":"AppendDelimiterToRecord"}"""),
        };
        var objects = await DeliverAsync(destination, """{"roomId":"a","n":1}""", """{"roomId":"b","n":2}""", """{"n":3}""", "no json", """{"roomId":"a","n":4}""");
        objects.Length.ShouldBe(3);
        Text(objects.Single(o => o.Key.StartsWith("room=a/", StringComparison.Ordinal)).Bytes).ShouldBe("{\"roomId\":\"a\",\"n\":1}\n{\"roomId\":\"a\",\"n\":4}\n");
        Text(objects.Single(o => o.Key.StartsWith("room=b/", StringComparison.Ordinal)).Bytes).ShouldBe("{\"roomId\":\"b\",\"n\":2}\n");
        var errors = Text(objects.Single(o => o.Key.StartsWith("errors/processing-failed/", StringComparison.Ordinal)).Bytes).TrimEnd('\n').Split('\n').Select(l => JsonDocument.Parse(l).RootElement).ToArray();
        errors.Select(e => Encoding.UTF8.GetString(e.GetProperty("rawData").GetBytesFromBase64())).ShouldBe(["{\"n\":3}", "no json"]);
        errors.ShouldAllBe(e => e.GetProperty("errorCode").GetString() == "DynamicPartitioning.MetadataExtractionFailed");
    }

    [Fact]
    public async Task More_partitions_than_may_be_active_go_to_the_error_output()
    {
        var destination = Plain with
        {
            Prefix = "!{partitionKeyFromQuery:k}/",
            ErrorOutputPrefix = "errors/",
            DynamicPartitioning = """{"Enabled":true}""",
            Processing = Processors("""{"Type":"MetadataExtraction","Parameters":[{"ParameterName":"MetadataExtractionQuery","ParameterValue":"{k:.k}"},{"ParameterName":"JsonParsingEngine","ParameterValue":"JQ-1.6"}]}"""),
        };
        var objects = await DeliverAsync(destination, [.. Enumerable.Range(0, 502).Select(i => $$"""{"k":{{i}}}""")]);
        objects.Length.ShouldBe(501);
        var errors = objects.Single(o => o.Key.StartsWith("errors/processing-failed", StringComparison.Ordinal));
        Text(errors.Bytes).TrimEnd('\n').Split('\n').Length.ShouldBe(2);
        Text(errors.Bytes).ShouldContain("ActivePartitionsLimitExceeded");
    }

    [Theory]
    [AwsPage("https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-multirecord-deaggergation.html")]
    [InlineData("JSON", null, "{\"a\":1}{\"a\":2} [3]", "{\"a\":1}|{\"a\":2}|[3]|")]
    [InlineData("JSON", null, "{\"a\":1}{broken", "{\"a\":1}|{broken|")]
    [InlineData("DELIMITED", "fHw=", "a||b||", "a|b|")]
    public async Task An_aggregated_record_is_taken_apart(string kind, string? delimiter, string record, string expected)
    {
        var more = delimiter is null ? "" : $$""",{"ParameterName":"Delimiter","ParameterValue":"{{delimiter}}"}""";
        var destination = Plain with
        {
            Processing = Processors($$"""{"Type":"RecordDeAggregation","Parameters":[{"ParameterName":"SubRecordType","ParameterValue":"{{kind}}"}{{more}}]},{"Type":"AppendDelimiterToRecord","Parameters":[{"ParameterName":"Delimiter","ParameterValue":"|"}]}"""),
        };
        Text((await DeliverAsync(destination, record)).ShouldHaveSingleItem().Bytes).ShouldBe(expected);
    }

    [Fact]
    public async Task A_function_transforms_drops_and_fails_records_and_its_keys_partition_them()
    {
        var lambda = new FakeLambda(records => records.Select(r => r.Data switch
        {
            "drop" => new { recordId = r.Id, result = "Dropped" },
            "fail" => new { recordId = r.Id, result = "ProcessingFailed" },
            "lost" => new { recordId = "99999999", result = "Dropped" },
            _ => (object)new { recordId = r.Id, result = "Ok", data = Convert.ToBase64String(Encoding.UTF8.GetBytes(r.Data.ToUpperInvariant())), metadata = new { partitionKeys = new { first = r.Data[..1] } } },
        }));
        var destination = Plain with
        {
            Prefix = "first=!{partitionKeyFromLambda:first}/",
            ErrorOutputPrefix = "errors/!{firehose:error-output-type}/",
            DynamicPartitioning = """{"Enabled":true}""",
            Processing = Processors(LambdaProcessor(0)),
        };
        var objects = await DeliverAsync(destination, lambda, "ab", "drop", "fail", "lost", "bb", "ac");
        objects.Length.ShouldBe(3);
        Text(objects.Single(o => o.Key.StartsWith("first=a/", StringComparison.Ordinal)).Bytes).ShouldBe("ABAC");
        var errors = Text(objects.Single(o => o.Key.StartsWith("errors/processing-failed/", StringComparison.Ordinal)).Bytes);
        errors.ShouldContain("Lambda.ProcessingFailedStatus");
        errors.ShouldContain("Lambda.MissingRecordId");
        errors.ShouldContain(Function);
    }

    [Theory]
    [AwsPage("https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html")]
    [InlineData(2, 3, 0)]
    [InlineData(2, 2, 2)]
    public async Task An_invocation_that_fails_is_tried_again_and_then_its_records_have_failed(int failures, int attempts, int failed)
    {
        var lambda = new FakeLambda(records => records.Select(r => new { recordId = r.Id, result = "Ok", data = Convert.ToBase64String("x"u8) })) { Failures = failures };
        var objects = await DeliverAsync(Plain with { Processing = Processors(LambdaProcessor(attempts - 1)) }, lambda, "a", "b");
        lambda.Calls.ShouldBe(attempts);
        objects.Count(o => o.Key.StartsWith("processing-failed", StringComparison.Ordinal)).ShouldBe(failed > 0 ? 1 : 0);
        if (failed > 0)
            Text(objects.Single().Bytes).TrimEnd('\n').Split('\n').Length.ShouldBe(failed);
    }

    [Fact]
    public async Task Records_become_parquet_rows_by_the_tables_schema_and_misfits_fail_singly()
    {
        _catalog.CreateDatabase("Lake", [], DateTimeOffset.UnixEpoch);
        _catalog.CreateTable("lake", "orders", JsonSerializer.Deserialize<System.Text.Json.Nodes.JsonObject>(
            """{"Name":"orders","StorageDescriptor":{"Columns":[{"Name":"orderid","Type":"string"},{"Name":"price","Type":"int"},{"Name":"at","Type":"timestamp"},{"Name":"tags","Type":"array<string>"}]}}""")!, DateTimeOffset.UnixEpoch);
        var destination = Plain with
        {
            ErrorOutputPrefix = "errors/!{firehose:error-output-type}/",
            DataFormatConversion = """{"InputFormatConfiguration":{"Deserializer":{"OpenXJsonSerDe":{}}},"OutputFormatConfiguration":{"Serializer":{"ParquetSerDe":{}}},"SchemaConfiguration":{"DatabaseName":"lake","TableName":"orders"}}""",
        };
        var objects = await DeliverAsync(destination, """{"orderId":"o1","price":5,"at":"2026-01-02T03:04:05Z","tags":["a","b"],"more":1}""", """{"orderId":"o2","price":"dear"}""", "{}");
        objects.Length.ShouldBe(2);
        var file = objects.Single(o => o.Key.EndsWith(".parquet", StringComparison.Ordinal));
        var rows = await ParquetSerializer.DeserializeUntypedAsync(new MemoryStream(file.Bytes));
        rows.Data.Count.ShouldBe(2);
        rows.Data[0]["orderid"].ShouldBe("o1");
        rows.Data[0]["price"].ShouldBe(5);
        (rows.Data[1].TryGetValue("price", out var price) ? price : null).ShouldBeNull();
        var error = JsonDocument.Parse(Text(objects.Single(o => o.Key.StartsWith("errors/format-conversion-failed/", StringComparison.Ordinal)).Bytes)).RootElement;
        error.GetProperty("errorMessage").GetString().ShouldBe("Column price: a JSON String is no int.");
        error.GetProperty("dataCatalogTable").GetProperty("tableName").GetString().ShouldBe("orders");
    }

    [Fact]
    public async Task Without_its_table_every_record_fails_and_none_is_lost()
    {
        var destination = Plain with
        {
            DataFormatConversion = """{"InputFormatConfiguration":{"Deserializer":{"OpenXJsonSerDe":{}}},"OutputFormatConfiguration":{"Serializer":{"ParquetSerDe":{}}},"SchemaConfiguration":{"DatabaseName":"lake","TableName":"none"}}""",
        };
        var (key, bytes) = (await DeliverAsync(destination, "{}", "{}")).ShouldHaveSingleItem();
        key.ShouldStartWith("format-conversion-failed");
        Text(bytes).TrimEnd('\n').Split('\n').Length.ShouldBe(2);
    }

    [Theory]
    [AwsPage("https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion.html")]
    [InlineData("string", "string")]
    [InlineData("varchar(10)", "string")]
    [InlineData("INTEGER", "int")]
    [InlineData("decimal(10,2)", "decimal")]
    [InlineData("array<struct<a:int,b:map<string,double>>>", "array")]
    public void A_hive_type_is_read(string text, string kind) => HiveType.Parse(text).Kind.ShouldBe(kind);

    [Theory]
    [AwsPage("https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion.html")]
    [InlineData("")]
    [InlineData("text")]
    [InlineData("array<int")]
    [InlineData("array<>")]
    [InlineData("map<int,int>")]
    [InlineData("struct<a>")]
    [InlineData("decimal(40,2)")]
    [InlineData("int x")]
    public void What_is_no_hive_type_is_refused(string text) => Should.Throw<FirehoseException>(() => HiveType.Parse(text)).Type.ShouldBe("InvalidArgumentException");

    public void Dispose() => _meter.Dispose();

    private static ExtendedS3Destination Plain => new() { RoleArn = "arn:aws:iam::000000000000:role/r", BucketArn = "arn:aws:s3:::lake", SizeInMBs = 64, IntervalInSeconds = 0 };

    private static string[] Texts() => [.. Enumerable.Range(0, 3_000).Select(i => $"{{\"n\":{i},\"text\":\"{new string((char)('가' + (i % 50)), 40)}\"}}\n")];

    private static string Processors(string list) => $$"""{"Enabled":true,"Processors":[{{list}}]}""";

    private static string LambdaProcessor(int retries) =>
        $$"""{"Type":"Lambda","Parameters":[{"ParameterName":"LambdaArn","ParameterValue":"{{Function}}"},{"ParameterName":"NumberOfRetries","ParameterValue":"{{retries}}"}]}""";

    private static string Text(byte[] bytes) => Encoding.UTF8.GetString(bytes);

    private Task<(string Key, byte[] Bytes)[]> DeliverAsync(ExtendedS3Destination destination, params string[] records) => DeliverAsync(destination, null, records);

    // Puts all records before the stream may deliver, so that they are one segment; gives all objects of the bucket.
    private async Task<(string Key, byte[] Bytes)[]> DeliverAsync(ExtendedS3Destination destination, FakeLambda? lambda, params string[] records)
    {
        var lake = _store.CreateBucket("lake", "ap-northeast-2");
        using var http = lambda is null ? null : new HttpClient(lambda);
        var context = TestDelivery.Context(
            _store, TimeProvider.System, _meter, catalog: _catalog, lambda: http is null ? null : new LambdaTransformation(http, new Uri("http://lambda"), TimeProvider.System));
        var stream = new DeliveryStream(new DeliveryStreamSettings("s", 1, DateTimeOffset.UnixEpoch, null, destination), null, context);
        stream.Put([.. records.Select(r => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(r))]).ShouldAllBe(o => o.RecordId != null);
        using var delivered = new SemaphoreSlim(0);
        using var listener = new MeterListener { InstrumentPublished = (i, l) => l.EnableMeasurementEvents(i) };
        listener.SetMeasurementEventCallback<double>((instrument, _, _, _) =>
        {
            if (instrument.Meter == _meter && instrument.Name.EndsWith("data_freshness", StringComparison.Ordinal))
                delivered.Release();
        });
        listener.Start();
        stream.Start();
        (await delivered.WaitAsync(TimeSpan.FromSeconds(30))).ShouldBeTrue("the segment is delivered");
        await stream.StopAsync();
        return [.. lake.List(new ListQuery("", "", "", false, 1_000)).Objects.Select(o => (o.Metadata.Key, Read(lake, o.Metadata)))];
    }

    private static byte[] Read(Bucket bucket, ObjectMetadata metadata)
    {
        using var bytes = new MemoryStream();
        using (var open = bucket.Open(metadata.Key, m => (0, m.Size)).Bytes)
            open.CopyTo(bytes);
        return bytes.ToArray();
    }

    /// <summary>Lambda's Invoke API with one function.</summary>
    private sealed class FakeLambda(Func<IEnumerable<(string Id, string Data)>, IEnumerable<object>> function) : HttpMessageHandler
    {
        /// <summary>How many of the first invocations end in a function error.</summary>
        public int Failures { get; init; }

        public int Calls { get; private set; }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Calls++;
            var answer = new HttpResponseMessage(HttpStatusCode.OK);
            if (Calls <= Failures)
            {
                answer.Headers.Add("X-Amz-Function-Error", "Unhandled");
                answer.Content = new StringContent("{}");
                return answer;
            }

            Uri.UnescapeDataString(request.RequestUri!.AbsolutePath).ShouldBe($"/2015-03-31/functions/{Function}/invocations");
            using var document = JsonDocument.Parse(await request.Content!.ReadAsByteArrayAsync(cancellationToken));
            document.RootElement.GetProperty("deliveryStreamArn").GetString().ShouldBe("arn:aws:firehose:ap-northeast-2:000000000000:deliverystream/s");
            var records = document.RootElement.GetProperty("records").EnumerateArray()
                .Select(r => (r.GetProperty("recordId").GetString()!, Encoding.UTF8.GetString(r.GetProperty("data").GetBytesFromBase64()))).ToArray();
            answer.Content = new StringContent(JsonSerializer.Serialize(new { records = function(records) }));
            return answer;
        }
    }
}
