using System.Text;
using System.Text.Json;
using ChatPlatform.AwsRules;
using ChatPlatform.LambdaEmulator;
using ChatPlatform.LambdaEmulator.Mappings;
using ChatPlatform.LambdaEmulator.Protocol;
using ChatPlatform.LambdaEmulator.Streams;
using Microsoft.Extensions.Configuration;

namespace ChatPlatform.UnitTests.LambdaEmulator;

public sealed class MappingRuleTests
{
    private const string Create = "https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html";
    private const string Params = "https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html";
    private const string Partial = "https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html";
    private const string Arn = "arn:aws:dynamodb:ap-northeast-2:000000000000:table/chat-log/stream/2025-01-01T00:00:00.000";

    /// <summary>Source, the body beside the three required parameters, and the parameter that the refusal names (null: taken).</summary>
    [Theory]
    [InlineData(Params, """{"BatchSize":1}""", null)]
    [InlineData(Params, """{"BatchSize":10000}""", null)]
    [InlineData(Params, """{"BatchSize":0}""", "BatchSize")]
    [InlineData(Params, """{"BatchSize":10001}""", "BatchSize")]
    [InlineData(Params, """{"BatchSize":"5"}""", "BatchSize")]
    [InlineData(Params, """{"BatchSize":1.5}""", "BatchSize")]
    [InlineData(Params, """{"MaximumBatchingWindowInSeconds":0}""", null)]
    [InlineData(Params, """{"MaximumBatchingWindowInSeconds":300}""", null)]
    [InlineData(Params, """{"MaximumBatchingWindowInSeconds":301}""", "MaximumBatchingWindowInSeconds")]
    [InlineData(Params, """{"MaximumBatchingWindowInSeconds":-1}""", "MaximumBatchingWindowInSeconds")]
    [InlineData(Params, """{"ParallelizationFactor":10}""", null)]
    [InlineData(Params, """{"ParallelizationFactor":0}""", "ParallelizationFactor")]
    [InlineData(Params, """{"ParallelizationFactor":11}""", "ParallelizationFactor")]
    [InlineData(Params, """{"MaximumRetryAttempts":-1}""", null)]
    [InlineData(Params, """{"MaximumRetryAttempts":10000}""", null)]
    [InlineData(Params, """{"MaximumRetryAttempts":10001}""", "MaximumRetryAttempts")]
    [InlineData(Create, """{"MaximumRecordAgeInSeconds":-1}""", null)]
    [InlineData(Create, """{"MaximumRecordAgeInSeconds":60}""", null)]
    [InlineData(Create, """{"MaximumRecordAgeInSeconds":604800}""", null)]
    [InlineData(Create, """{"MaximumRecordAgeInSeconds":59}""", "MaximumRecordAgeInSeconds")]
    [InlineData(Create, """{"MaximumRecordAgeInSeconds":0}""", "MaximumRecordAgeInSeconds")]
    [InlineData(Create, """{"MaximumRecordAgeInSeconds":604801}""", "MaximumRecordAgeInSeconds")]
    [InlineData(Create, """{"BisectBatchOnFunctionError":true}""", null)]
    [InlineData(Create, """{"BisectBatchOnFunctionError":"yes"}""", "BisectBatchOnFunctionError")]
    [InlineData(Create, """{"FunctionResponseTypes":["ReportBatchItemFailures"]}""", null)]
    [InlineData(Create, """{"FunctionResponseTypes":[]}""", null)]
    [InlineData(Create, """{"FunctionResponseTypes":["Other"]}""", "FunctionResponseTypes")]
    [InlineData(Create, """{"FunctionResponseTypes":["ReportBatchItemFailures","ReportBatchItemFailures"]}""", "FunctionResponseTypes")]
    [InlineData(Create, """{"StartingPosition":"AT_TIMESTAMP"}""", "StartingPosition")]
    [InlineData(Create, """{"StartingPosition":null}""", "StartingPosition")]
    [InlineData(Create, """{"EventSourceArn":"arn:aws:sqs:ap-northeast-2:000000000000:queue"}""", "EventSourceArn")]
    [InlineData(Create, """{"EventSourceArn":"arn:aws:dynamodb:ap-northeast-2:000000000000:table/chat-log"}""", "EventSourceArn")]
    [InlineData(Create, """{"FunctionName":null}""", "FunctionName")]
    [InlineData(Create, """{"TumblingWindowInSeconds":0}""", null)]
    [InlineData(Create, """{"TumblingWindowInSeconds":30}""", "TumblingWindowInSeconds")]
    [InlineData(Create, """{"FilterCriteria":{"Filters":[]}}""", null)]
    [InlineData(Create, """{"FilterCriteria":{}}""", null)]
    [InlineData(Create, """{"FilterCriteria":{"Filters":null}}""", null)]
    [InlineData(Create, """{"FilterCriteria":{"Filters":[{"Pattern":"{\"eventName\":[\"INSERT\"]}"}]}}""", null)]
    [InlineData(Create, """{"FilterCriteria":{"Filters":[{"Pattern":"{}"}]}}""", "FilterCriteria")]
    [InlineData(Create, """{"FilterCriteria":{"Filters":[{"Pattern":""}]}}""", "FilterCriteria")]
    [InlineData(Create, """{"FilterCriteria":{"Filters":[{}]}}""", "FilterCriteria")]
    [InlineData(Create, """{"FilterCriteria":{"Filters":[{"Pattern":1}]}}""", "FilterCriteria")]
    [InlineData(Create, """{"FilterCriteria":{"Filters":{"Pattern":"{}"}}}""", "FilterCriteria")]
    [InlineData(Create, """{"FilterCriteria":{"Filter":[]}}""", "FilterCriteria")]
    [InlineData(Create, """{"FilterCriteria":[]}""", "FilterCriteria")]
    [InlineData(Create, """{"DestinationConfig":{"OnFailure":{}}}""", null)]
    [InlineData(Create, """{"DestinationConfig":{}}""", null)]
    [InlineData(Create, """{"DestinationConfig":{"OnFailure":null}}""", null)]
    [InlineData(Create, """{"DestinationConfig":{"OnSuccess":{},"OnFailure":{"Destination":"arn:aws:s3:::failed-records"}}}""", null)]
    [InlineData(Create, """{"DestinationConfig":{"OnFailure":{"Destination":"arn:aws:s3:::failed-records"}}}""", null)]
    [InlineData(Create, """{"DestinationConfig":{"OnFailure":{"Destination":"kafka://failed.records"}}}""", null)]
    [InlineData(Create, """{"DestinationConfig":{"OnFailure":{"Destination":"arn:aws:s3:::B"}}}""", "DestinationConfig")]
    [InlineData(Create, """{"DestinationConfig":{"OnFailure":{"Destination":"kafka://a b"}}}""", "DestinationConfig")]
    [InlineData(Create, """{"DestinationConfig":{"OnFailure":{"Destination":"arn:aws:sqs:ap-northeast-2:000000000000:dead"}}}""", "DestinationConfig")]
    [InlineData(Create, """{"DestinationConfig":{"OnFailure":{"Destination":"arn:aws:sns:ap-northeast-2:000000000000:dead"}}}""", "DestinationConfig")]
    [InlineData(Create, """{"DestinationConfig":{"OnFailure":{"Destination":7}}}""", "DestinationConfig")]
    [InlineData(Create, """{"DestinationConfig":{"OnFailure":{"Queue":"q"}}}""", "DestinationConfig")]
    [InlineData(Create, """{"DestinationConfig":{"OnSuccess":{"Destination":"arn:aws:s3:::failed-records"}}}""", "DestinationConfig")]
    [InlineData(Create, """{"DestinationConfig":{"Other":{}}}""", "DestinationConfig")]
    [InlineData(Create, """{"DestinationConfig":"arn:aws:s3:::failed-records"}""", "DestinationConfig")]
    [InlineData(Create, """{"StartingPositionTimestamp":1}""", "StartingPositionTimestamp")]
    [InlineData(Create, """{"ScalingConfig":{"MaximumConcurrency":2}}""", "ScalingConfig")]
    [InlineData(Create, """{"batchSize":5}""", "batchSize")]
    public void A_parameter_is_honoured_or_refused_by_name(string source, string body, string? refused)
    {
        source.ShouldStartWith("https://docs.aws.amazon.com/");
        if (refused is null)
        {
            Read(body);
            return;
        }

        var error = Should.Throw<LambdaException>(() => Read(body));
        (error.Type, error.Status).ShouldBe(("InvalidParameterValueException", 400));
        error.Message.ShouldContain(refused);
    }

    [Fact]
    public void Defaults_are_those_of_the_documentation() // Params
    {
        var mapping = Read("{}");
        (mapping.BatchSize, mapping.MaximumBatchingWindowInSeconds, mapping.ParallelizationFactor, mapping.MaximumRetryAttempts, mapping.MaximumRecordAgeInSeconds)
            .ShouldBe((100, 0, 1, -1, -1));
        (mapping.BisectBatchOnFunctionError, mapping.ReportBatchItemFailures, mapping.Enabled).ShouldBe((false, false, true));
    }

    [Fact]
    public void Source_and_position_cannot_be_changed()
    {
        var mapping = Read("{}");
        Should.Throw<LambdaException>(() => Update(mapping, """{"StartingPosition":"LATEST"}""")).Message.ShouldContain("StartingPosition");
        Should.Throw<LambdaException>(() => Update(mapping, $$"""{"EventSourceArn":"{{Arn}}"}""")).Message.ShouldContain("EventSourceArn");
        Update(mapping, """{"BatchSize":7,"Enabled":false}""").ShouldBe(mapping with { BatchSize = 7, Enabled = false });
    }

    /// <summary>The function's answer to records 1, 2, 3 and the first to be handled again: 3 is success, 0 complete failure.</summary>
    [Theory]
    [InlineData(Partial, "", 3)]
    [InlineData(Partial, "null", 3)]
    [InlineData(Partial, "{}", 3)]
    [InlineData(Partial, "\"\"", 3)]
    [InlineData(Partial, """{"batchItemFailures":null}""", 3)]
    [InlineData(Partial, """{"batchItemFailures":[]}""", 3)]
    [InlineData(Partial, """{"batchItemFailures":[{"itemIdentifier":"2"}]}""", 1)]
    [InlineData(Partial, """{"batchItemFailures":[{"itemIdentifier":"3"},{"itemIdentifier":"2"}]}""", 1)]
    [InlineData(Partial, """{"batchItemFailures":[{"itemIdentifier":"1"}]}""", 0)]
    [InlineData(Partial, """{"batchItemFailures":[{"itemIdentifier":""}]}""", 0)]
    [InlineData(Partial, """{"batchItemFailures":[{"itemIdentifier":null}]}""", 0)]
    [InlineData(Partial, """{"batchItemFailures":[{"bad_key":"2"}]}""", 0)]
    [InlineData(Partial, """{"batchItemFailures":[{"itemIdentifier":"3"},{"itemIdentifier":""}]}""", 0)]
    [InlineData(Partial, """{"batchItemFailures":[{"itemIdentifier":"99"}]}""", 0)]
    [InlineData(Partial, """{"batchItemFailures":[{"itemIdentifier":2}]}""", 0)]
    [InlineData(Partial, """{"batchItemFailures":{}}""", 0)]
    [InlineData(Partial, "[1]", 0)]
    [InlineData(Partial, "\"done\"", 0)]
    [InlineData(Partial, "{not json", 0)]
    public void A_partial_answer_is_read_as_documented(string source, string answer, int first)
    {
        source.ShouldStartWith("https://docs.aws.amazon.com/");
        StreamRecord[] records = [Record("1"), Record("2"), Record("3")];
        BatchResponse.FirstFailure(Encoding.UTF8.GetBytes(answer), records, 0, 3).ShouldBe(first);
    }

    [Fact]
    public void A_checkpoint_never_passes_a_record_that_is_open()
    {
        var progress = new ShardProgress(null);
        StreamRecord[] records = [Record("1"), Record("2"), Record("3"), Record("4")];
        progress.Read(records);
        progress.Handled(records, 1, 3).ShouldBeFalse();
        progress.Checkpoint.ShouldBeNull();
        progress.Handled(records, 0, 1).ShouldBeTrue();
        progress.Checkpoint.ShouldBe("3");
        progress.Open.ShouldBe(1);
    }

    [Theory]
    [OwnRules]
    [InlineData("Functions:f:TimeoutSeconds", "901")]
    [InlineData("Functions:f:MemorySize", "127")]
    [InlineData("Functions:f:Command", "")]
    [InlineData("Functions:f:Timeout", "5")]
    [InlineData("Functions:bad name:Command", "x")]
    [InlineData("PollInterval", "fast")]
    [InlineData("MaximumConcurrency", "0")]
    public void A_wrong_setting_is_named_with_its_key(string key, string value)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { ["Functions:f:Command"] = "x", [key] = value }).Build();
        Should.Throw<InvalidOptionException>(() => EmulatorOptions.Read(configuration)).Message.ShouldContain(key.Split(':')[^1] == "Command" && value == "x" ? "bad name" : key);
    }

    [Fact]
    public void A_record_has_the_shape_and_order_that_lambda_documents() // https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
    {
        var record = new Amazon.DynamoDBStreams.Model.Record
        {
            EventID = "e1",
            EventName = Amazon.DynamoDBStreams.OperationType.INSERT,
            EventVersion = "1.1",
            EventSource = "aws:dynamodb",
            AwsRegion = "ap-northeast-2",
            Dynamodb = new Amazon.DynamoDBStreams.Model.StreamRecord
            {
                ApproximateCreationDateTime = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000).UtcDateTime,
                Keys = new() { ["roomId"] = new() { S = "r" } },
                NewImage = new()
                {
                    ["z"] = new() { N = "1.50" },
                    ["a"] = new() { S = "안 \"<&'+\n" },
                    ["b"] = new() { B = new MemoryStream([1, 2, 3]) },
                    ["l"] = new() { L = [new() { NULL = true }, new() { BOOL = false }] },
                    ["m"] = new() { M = new() { ["x"] = new() { SS = ["p"] }, ["y"] = new() { NS = ["2"] }, ["v"] = new() { BS = [new MemoryStream([9])] } } },
                    ["e"] = new() { M = [] },
                    ["f"] = new() { L = [] },
                },
                SequenceNumber = "000000000000000000001",
                SizeBytes = 26,
                StreamViewType = Amazon.DynamoDBStreams.StreamViewType.NEW_AND_OLD_IMAGES,
            },
        };
        Encoding.UTF8.GetString(new StreamEventWriter(Arn).Write(record).Json).ShouldBe(
            $$$$$$"""
            {"eventID":"e1","eventName":"INSERT","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"ap-northeast-2","dynamodb":{
            "ApproximateCreationDateTime":1700000000,"Keys":{"roomId":{"S":"r"}},
            "NewImage":{"z":{"N":"1.50"},"a":{"S":"안 \"<&'+\n"},"b":{"B":"AQID"},"l":{"L":[{"NULL":true},{"BOOL":false}]},
            "m":{"M":{"x":{"SS":["p"]},"y":{"NS":["2"]},"v":{"BS":["CQ=="]}}},"e":{"M":{}},"f":{"L":[]}},
            "SequenceNumber":"000000000000000000001","SizeBytes":26,"StreamViewType":"NEW_AND_OLD_IMAGES"},"eventSourceARN":"{{{{{{Arn}}}}}}"}
            """.ReplaceLineEndings(""));
    }

    private static StreamRecord Record(string sequence) => new(sequence, [], DateTimeOffset.UnixEpoch, 0);

    private static EventSourceMapping Read(string changes)
    {
        var body = new Dictionary<string, JsonElement>();
        foreach (var text in (string[])[$$"""{"EventSourceArn":"{{Arn}}","FunctionName":"f","StartingPosition":"TRIM_HORIZON"}""", changes])
        {
            foreach (var property in JsonSerializer.Deserialize<JsonElement>(text).EnumerateObject())
                body[property.Name] = property.Value;
        }

        return MappingParameters.ReadNew(JsonSerializer.SerializeToElement(body), Function, kafka: true, DateTimeOffset.UnixEpoch);
    }

    private static EventSourceMapping Update(EventSourceMapping mapping, string changes) =>
        MappingParameters.ReadUpdate(JsonSerializer.Deserialize<JsonElement>(changes), mapping, Function, kafka: true, DateTimeOffset.UnixEpoch);

    private static (string Name, string Arn) Function(string name) => (name, $"arn:aws:lambda:ap-northeast-2:000000000000:function:{name}");
}
