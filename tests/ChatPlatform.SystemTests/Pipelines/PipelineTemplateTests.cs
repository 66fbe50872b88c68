using System.Diagnostics;
using System.Text.Json.Nodes;

namespace ChatPlatform.SystemTests.Pipelines;

/// <summary>
/// <c>./dev pipeline</c>: what it writes holds against AWS's schemas, says the same as the pipeline that runs on the laptop, and a wrong option is one line.
/// </summary>
public sealed class PipelineTemplateTests : IDisposable
{
    private const string StreamArn = "arn:aws:dynamodb:ap-northeast-2:123456789012:table/chat-log/stream/2026-03-01T00:00:00.000";
    private const string FirehoseArn = "arn:aws:firehose:ap-northeast-2:123456789012:deliverystream/lake-of-the-team";
    private readonly ResourceSchemas _schemas = ResourceSchemas.Load(StartProblemTests.RepositoryRoot);

    [Theory]
    [InlineData("chat-log", true, "cloudformation")]
    [InlineData("chat-rooms", false, "cloudformation")]
    [InlineData("chat-members", false, "serverless")]
    [InlineData("orders", true, "serverless")]
    public async Task A_pipelines_template_has_every_required_property_and_none_that_AWS_does_not_know(string name, bool hasDeliveryStream, string format)
    {
        string[] delivery = hasDeliveryStream ? ["--firehose-arn", FirehoseArn] : [];
        var (code, output, error) = await RunAsync(["pipeline", name, "--stream-arn", StreamArn, "--format", format, .. delivery]);

        code.ShouldBe(0, error);
        var written = JsonNode.Parse(output)!.AsObject();
        var template = format == "serverless" ? written["resources"]!.AsObject() : written;
        var resources = template["Resources"]!.AsObject();
        _schemas.Problems(resources).ShouldBeEmpty();
        var made = resources.Select(r => (string)r.Value!["Type"]!).ToList();
        made.ShouldContain("AWS::Lambda::EventSourceMapping");
        made.ShouldContain("AWS::IAM::Role");
        made.Contains("AWS::KinesisFirehose::DeliveryStream").ShouldBe(!hasDeliveryStream);
        made.Contains("AWS::Lambda::Function").ShouldBe(format == "cloudformation");

        var functions = written["functions"]?.AsObject() ?? [];
        string[] known = [.. template["Parameters"]!.AsObject().Select(p => p.Key), .. resources.Select(r => r.Key), .. functions.Select(f => f.Key + "LambdaFunction"), "AWS::Partition"];
        References(written).ShouldNotBeEmpty();
        References(written).Except(known).ShouldBeEmpty();
        if (format == "serverless")
        {
            var function = functions.Single().Value!;
            ((string?)function["name"]).ShouldBe($"{name}-cdc");
            ((string?)function["handler"]).ShouldBe("bootstrap");
            ((string?)written["provider"]!["region"]).ShouldBe("ap-northeast-2");
        }
    }

    [Fact]
    public async Task A_template_sets_what_the_pipeline_of_the_laptop_sets()
    {
        var (_, output, _) = await RunAsync(["pipeline", "chat-log", "--stream-arn", StreamArn, "--firehose-arn", FirehoseArn, "--bucket", "the-lake"]);
        var template = JsonNode.Parse(output)!;
        var mapping = template["Resources"]!["ChatLogMapping"]!["Properties"]!;
        var function = template["Resources"]!["ChatLogFunction"]!["Properties"]!;

        ((string?)mapping["EventSourceArn"]).ShouldBe(StreamArn);
        ((string?)mapping["StartingPosition"]).ShouldBe("TRIM_HORIZON");
        ((bool)mapping["BisectBatchOnFunctionError"]!).ShouldBeTrue();
        mapping["FunctionResponseTypes"]!.ToJsonString().ShouldBe("""["ReportBatchItemFailures"]""");
        ((string?)function["FunctionName"]).ShouldBe("chat-log-cdc");
        function["Environment"]!["Variables"]!.ToJsonString().ShouldBe("""{"DELIVERY_STREAM":"lake-of-the-team","KIND_FIELD":"type"}""");
        ((string?)template["Parameters"]!["LakeBucket"]!["Default"]).ShouldBe("the-lake");
        Statement(template, "firehose:PutRecordBatch")["Resource"]!.ToJsonString().ShouldBe($"[\"{FirehoseArn}\"]");
        Statement(template, "dynamodb:GetRecords")["Resource"]!.ToJsonString().ShouldBe($"[\"{StreamArn}\"]");
    }

    [Fact]
    public void A_property_that_is_missing_unknown_or_of_another_type_is_found()
    {
        var resources = JsonNode.Parse(
            """
            {"F":{"Type":"AWS::Lambda::Function","Properties":{"Code":{"S3Bucket":"b"},"Timeout":"60","Colour":"red"}},
             "D":{"Type":"AWS::KinesisFirehose::DeliveryStream","Properties":{"ExtendedS3DestinationConfiguration":{"BucketARN":"a","CompressionFormat":"LZ4"}}},
             "X":{"Type":"AWS::Lambda::Nothing","Properties":{}}}
            """)!.AsObject();

        _schemas.Problems(resources).ShouldBe(
            [
                "F.Role is required", "F.Timeout is no number", "F.Colour is no property", "D.ExtendedS3DestinationConfiguration.RoleARN is required",
                "D.ExtendedS3DestinationConfiguration.CompressionFormat is LZ4, which is not among [\"UNCOMPRESSED\",\"GZIP\",\"ZIP\",\"Snappy\",\"HADOOP_SNAPPY\"]", "X: there is no AWS::Lambda::Nothing",
            ],
            ignoreOrder: true);
    }

    [Theory]
    [InlineData("chat: name a pipeline: ")]
    [InlineData("chat: there is no pipeline 'chat-users'; there are chat-log, chat-rooms, chat-members, orders.", "chat-users", "--stream-arn", StreamArn)]
    [InlineData("chat: --stream-arn is missing; ", "chat-log")]
    [InlineData("chat: --stream-arn is 'arn:aws:s3:::lake'; it must be a stream's ARN", "chat-log", "--stream-arn", "arn:aws:s3:::lake")]
    [InlineData("chat: --firehose-arn is 'lake'; it must be a delivery stream's ARN", "chat-log", "--stream-arn", StreamArn, "--firehose-arn", "lake")]
    [InlineData("chat: --format is 'sam'; it must be cloudformation or serverless.", "chat-log", "--stream-arn", StreamArn, "--format", "sam")]
    [InlineData("chat: unknown option '--stream'", "chat-log", "--stream", StreamArn)]
    public async Task A_wrong_option_is_one_line_that_says_what_is_allowed(string message, params string[] words)
    {
        var (code, output, error) = await RunAsync(["pipeline", .. words]);

        code.ShouldBe(1);
        output.ShouldBeEmpty();
        error.ShouldStartWith(message);
        error.ShouldNotContain('\n');
    }

    public void Dispose() => _schemas.Dispose();

    private static JsonNode Statement(JsonNode template, string action) =>
        template["Resources"]!["ChatLogFunctionRole"]!["Properties"]!["Policies"]![0]!["PolicyDocument"]!["Statement"]!.AsArray()
            .Single(s => s!["Action"]!.AsArray().Any(a => (string?)a == action))!;

    /// <summary>The logical ids that <c>Ref</c> and <c>Fn::GetAtt</c> name.</summary>
    internal static IEnumerable<string> References(JsonNode? node) => node switch
    {
        JsonObject members => members.SelectMany(member => (member.Key, member.Value) switch
        {
            ("Ref", JsonValue id) => [(string)id!],
            ("Fn::GetAtt", JsonArray parts) => [(string)parts[0]!],
            var (_, value) => References(value),
        }),
        JsonArray items => items.SelectMany(References),
        _ => [],
    };

    private static async Task<(int Code, string Output, string Error)> RunAsync(string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [StartProblemTests.AppHostAssembly, .. arguments]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        finally
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
        }

        return (process.ExitCode, await output, (await error).Trim());
    }
}
