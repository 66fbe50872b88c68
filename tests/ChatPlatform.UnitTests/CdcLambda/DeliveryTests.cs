using System.Net;
using System.Text;
using System.Text.Json;
using ChatPlatform.AwsRules;
using ChatPlatform.CdcLambda;
using ChatPlatform.CdcLambda.Delivery;
using ChatPlatform.CdcLambda.Runtime;
using ChatPlatform.CdcLambda.Streams;

namespace ChatPlatform.UnitTests.CdcLambda;

/// <summary>Rules of https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html and of Lambda's partial batch response.</summary>
public sealed class DeliveryTests
{
    private static readonly CdcSettings Settings = CdcSettings.Read(Variables());

    [Fact]
    public async Task Calls_hold_at_most_500_records_in_order()
    {
        var firehose = new FakeFirehose();
        (await InvokeAsync(firehose, Enumerable.Range(0, 1_201).Select(i => Item($"{i}")))).ShouldBe("""{"batchItemFailures":[]}""");
        firehose.Calls.Select(c => c.Count).ShouldBe([500, 500, 201]);
        firehose.Calls.SelectMany(c => c).ShouldBe(Enumerable.Range(0, 1_201).Select(i => $$"""{"a":"{{i}}"}""" + "\n"));
    }

    [Fact]
    public async Task Calls_hold_at_most_4_MiB_of_data()
    {
        var firehose = new FakeFirehose();
        // A line of exactly 512 KiB: eight fill a call.
        var text = new string('x', (512 * 1024) - """{"a":""}""".Length - 1);
        await InvokeAsync(firehose, Enumerable.Range(0, 9).Select(_ => Item(text)));
        firehose.Calls.Select(c => c.Sum(l => l.Length)).ShouldBe([4 * 1024 * 1024, 512 * 1024]);
    }

    [Fact]
    public async Task A_record_that_is_refused_singly_never_lands_after_a_later_one_of_its_item()
    {
        // Items a and b in turn; every first try of a call refuses its first record.
        var events = new[] { "a1", "b1", "a2", "b2", "a3", "c1" };
        var answers = new FakeFirehose { Answers = { [0] = FakeFirehose.Fail(0), [2] = FakeFirehose.Fail(0), [4] = FakeFirehose.Fail(0) } };
        (await InvokeAsync(answers, events, text => $$$"""{{{Item(text)}}},"Keys":{"id":{"S":"{{{text[..1]}}}"}}""")).ShouldBe("""{"batchItemFailures":[]}""");
        answers.Calls.Select(c => string.Join(' ', c.Select(l => l[6..8]))).ShouldBe(["a1 b1", "a1", "a2 b2", "a2", "a3 c1", "a3"]);
    }

    [Fact]
    public async Task Only_the_records_that_failed_are_sent_again()
    {
        var firehose = new FakeFirehose { Answers = { [0] = FakeFirehose.Fail(1, 3), [1] = FakeFirehose.Fail(0) } };
        (await InvokeAsync(firehose, ["0", "1", "2", "3"], i => Item(i))).ShouldBe("""{"batchItemFailures":[]}""");
        firehose.Calls.Select(c => string.Concat(c.Select(l => l[6]))).ShouldBe(["0123", "13", "1"]);
    }

    [Theory]
    [AwsPage("https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html")]
    [InlineData(HttpStatusCode.ServiceUnavailable, """{"__type":"ServiceUnavailableException"}""")]
    [InlineData(HttpStatusCode.InternalServerError, "no json")]
    [InlineData(HttpStatusCode.TooManyRequests, "")]
    [InlineData(HttpStatusCode.BadRequest, """{"__type":"ThrottlingException"}""")]
    [InlineData(HttpStatusCode.OK, "{")]
    [InlineData(HttpStatusCode.OK, """{"FailedPutCount":0,"RequestResponses":[]}""")]
    public async Task A_call_that_failed_as_a_whole_is_repeated(HttpStatusCode status, string body)
    {
        var firehose = new FakeFirehose { Answers = { [0] = _ => (status, body) } };
        (await InvokeAsync(firehose, ["0", "1"], i => Item(i))).ShouldBe("""{"batchItemFailures":[]}""");
        firehose.Calls.Select(c => c.Count).ShouldBe([2, 2]);
    }

    [Fact]
    public async Task A_refused_call_is_reported_and_nothing_after_it_is_sent()
    {
        var firehose = new FakeFirehose { Answers = { [1] = _ => (HttpStatusCode.BadRequest, """{"__type":"ResourceNotFoundException"}""") } };
        var answer = await InvokeAsync(firehose, Enumerable.Range(0, 1_500).Select(i => Item($"{i}")));
        firehose.Calls.Count.ShouldBe(2);
        using var json = JsonDocument.Parse(answer);
        json.RootElement.GetProperty("batchItemFailures").EnumerateArray().Select(f => f.GetProperty("itemIdentifier").GetString())
            .ShouldBe(Enumerable.Range(500, 1_000).Select(i => $"{i + 1_000}"));
    }

    [Fact]
    public async Task A_malformed_record_is_reported_with_what_follows_after_the_records_before_it_were_sent()
    {
        var firehose = new FakeFirehose();
        (await InvokeAsync(firehose, ["""{"a":{"S":"0"}}""", """{"a":{"N":"x"}}""", """{"a":{"S":"2"}}"""]))
            .ShouldBe("""{"batchItemFailures":[{"itemIdentifier":"1001"},{"itemIdentifier":"1002"}]}""");
        firehose.Calls.ShouldHaveSingleItem().ShouldBe(["{\"a\":\"0\"}\n"]);
    }

    [Fact]
    public async Task A_line_over_1000_KiB_is_reported_and_one_of_exactly_that_is_sent()
    {
        var longest = new string('x', (1_000 * 1024) - """{"a":""}""".Length - 1);
        var firehose = new FakeFirehose();
        (await InvokeAsync(firehose, [Item(longest), Item(longest + "x")])).ShouldBe("""{"batchItemFailures":[{"itemIdentifier":"1001"}]}""");
        firehose.Calls.ShouldHaveSingleItem().ShouldHaveSingleItem().Length.ShouldBe(1_000 * 1024);
    }

    [Fact]
    public async Task What_firehose_refuses_until_the_deadline_is_reported_lowest_first()
    {
        var firehose = new FakeFirehose { Always = FakeFirehose.Fail(1, 2) };
        firehose.After(1, () => firehose.Always = FakeFirehose.Fail(0, 1));
        (await InvokeAsync(firehose, ["0", "1", "2", "3"], i => Item(i), TimeSpan.FromMilliseconds(400)))
            .ShouldBe("""{"batchItemFailures":[{"itemIdentifier":"1001"},{"itemIdentifier":"1002"}]}""");
    }

    [Fact]
    public async Task A_batch_without_lines_calls_nobody()
    {
        var firehose = new FakeFirehose();
        (await InvokeAsync(firehose, [])).ShouldBe("""{"batchItemFailures":[]}""");
        firehose.Calls.ShouldBeEmpty();
    }

    [Fact]
    public void The_signature_is_the_one_of_the_aws_documentation()
    {
        // The worked example of https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html (IAM ListUsers).
        var signer = new SigV4("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", null, "us-east-1", "iam");
        signer.Authorization(
                "GET",
                "Action=ListUsers&Version=2010-05-08",
                [("content-type", "application/x-www-form-urlencoded; charset=utf-8"), ("host", "iam.amazonaws.com"), ("x-amz-date", "20150830T123600Z")],
                [],
                "20150830T123600Z")
            .ShouldEndWith("SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
    }

    [Theory]
    [OwnRules]
    [InlineData("DELIVERY_STREAM", null)]
    [InlineData("DELIVERY_STREAM", "has space")]
    [InlineData("AWS_ACCESS_KEY_ID", "")]
    [InlineData("AWS_SECRET_ACCESS_KEY", null)]
    [InlineData("AWS_ENDPOINT_URL", "127.0.0.1:4566")]
    [InlineData("AWS_ENDPOINT_URL_FIREHOSE", "ftp://x")]
    public void A_missing_or_wrong_setting_is_named(string name, string? value) =>
        Should.Throw<InvalidSettingException>(() => CdcSettings.Read(Variables((name, value)))).Message.ShouldStartWith(name);

    [Fact]
    public void The_services_own_endpoint_wins_over_the_general_one_and_aws_is_the_default()
    {
        CdcSettings.Read(Variables(("AWS_ENDPOINT_URL_FIREHOSE", "http://127.0.0.1:2"))).FirehoseEndpoint.Port.ShouldBe(2);
        CdcSettings.Read(Variables()).FirehoseEndpoint.Port.ShouldBe(1);
        CdcSettings.Read(Variables(("AWS_ENDPOINT_URL", null))).FirehoseEndpoint.Host.ShouldBe("firehose.ap-northeast-2.amazonaws.com");
    }

    private static Func<string, string?> Variables(params (string Name, string? Value)[] changes)
    {
        var variables = new Dictionary<string, string?>
        {
            ["DELIVERY_STREAM"] = "s",
            ["AWS_REGION"] = "ap-northeast-2",
            ["AWS_ACCESS_KEY_ID"] = "k",
            ["AWS_SECRET_ACCESS_KEY"] = "s",
            ["AWS_SESSION_TOKEN"] = "t",
            ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1",
        };
        foreach (var (name, value) in changes)
            variables[name] = value;
        return name => variables.GetValueOrDefault(name);
    }

    private static string Item(string text) => $$$"""{"a":{"S":"{{{text}}}"}}""";

    private static Task<string> InvokeAsync(FakeFirehose firehose, IEnumerable<string> values, Func<string, string> item, TimeSpan? time = null) =>
        InvokeAsync(firehose, values.Select(item), time);

    /// <summary>Record i has the sequence number 1000 + i.</summary>
    private static async Task<string> InvokeAsync(FakeFirehose firehose, IEnumerable<string> images, TimeSpan? time = null)
    {
        var records = images.Select((image, i) => $$$"""{"dynamodb":{"NewImage":{{{image}}},"SequenceNumber":"{{{i + 1_000}}}"}}""");
        using var http = new HttpClient(firehose);
        var client = new FirehoseClient(http, Settings, TimeProvider.System, new NoJitter());
        var function = new CdcFunction(new StreamEventReader([], "kind"u8.ToArray(), []), client, TimeProvider.System, TextWriter.Null);
        using var answer = new LineBuffer(16);
        var text = Encoding.UTF8.GetBytes($$"""{"Records":[{{string.Join(',', records)}}]}""");
        await function.HandleAsync(new Invocation("id", text, DateTimeOffset.UtcNow + (time ?? TimeSpan.FromMinutes(1))), answer);
        return Encoding.UTF8.GetString(answer.Span);
    }

    /// <summary>Full jitter's shortest pause.</summary>
    private sealed class NoJitter : Random
    {
        public override double NextDouble() => 0.01;
    }

    private sealed class FakeFirehose : HttpMessageHandler
    {
        private (int Calls, Action Do)? _after;

        public List<List<string>> Calls { get; } = [];

        /// <summary>Answers by number of the call; the others succeed, or as <see cref="Always"/> says.</summary>
        public Dictionary<int, Func<int, (HttpStatusCode, string)>> Answers { get; } = [];

        public Func<int, (HttpStatusCode, string)> Always { get; set; } = Fail();

        public static Func<int, (HttpStatusCode, string)> Fail(params int[] failed) => count => (HttpStatusCode.OK, JsonSerializer.Serialize(new
        {
            FailedPutCount = failed.Length,
            RequestResponses = Enumerable.Range(0, count).Select(i => failed.Contains(i)
                ? new Dictionary<string, string> { ["ErrorCode"] = "ServiceUnavailableException", ["ErrorMessage"] = "Slow down." }
                : new Dictionary<string, string> { ["RecordId"] = "r" }),
        }));

        public void After(int calls, Action action) => _after = (calls, action);

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Headers.GetValues("X-Amz-Target").ShouldBe(["Firehose_20150804.PutRecordBatch"]);
            request.Headers.GetValues("X-Amz-Security-Token").ShouldBe(["t"]);
            request.Headers.GetValues("Authorization").Single().ShouldStartWith("AWS4-HMAC-SHA256 Credential=k/");
            request.Content!.Headers.ContentType!.ToString().ShouldBe("application/x-amz-json-1.1");
            using var json = JsonDocument.Parse(await request.Content.ReadAsByteArrayAsync(cancellationToken));
            json.RootElement.GetProperty("DeliveryStreamName").GetString().ShouldBe("s");
            var lines = json.RootElement.GetProperty("Records").EnumerateArray().Select(r => Encoding.UTF8.GetString(r.GetProperty("Data").GetBytesFromBase64())).ToList();
            var (status, body) = (Answers.GetValueOrDefault(Calls.Count) ?? Always)(lines.Count);
            Calls.Add(lines);
            if (_after is { } after && Calls.Count == after.Calls)
                after.Do();
            return new HttpResponseMessage(status) { Content = new StringContent(body) };
        }
    }
}
