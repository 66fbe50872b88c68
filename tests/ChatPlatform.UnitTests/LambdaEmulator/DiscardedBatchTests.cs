using System.Text;
using System.Text.Json;
using ChatPlatform.LambdaEmulator.Destinations;
using ChatPlatform.LambdaEmulator.Mappings;
using ChatPlatform.LambdaEmulator.Streams;

namespace ChatPlatform.UnitTests.LambdaEmulator;

/// <summary>https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html, "Example invocation record".</summary>
public sealed class DiscardedBatchTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 9, 8, 7, 654, TimeSpan.Zero);

    private static readonly EventSourceMapping Mapping = new()
    {
        Uuid = Guid.Parse("12345678-1234-1234-1234-123456789012"),
        EventSourceArn = "arn:aws:dynamodb:ap-northeast-2:000000000000:table/t/stream/x",
        FunctionName = "f",
        FunctionArn = "arn:aws:lambda:ap-northeast-2:000000000000:function:f",
        StartingPosition = "LATEST",
        Created = Now,
        LastModified = Now,
    };

    private static readonly StreamRecord[] Records =
        [.. Enumerable.Range(0, 4).Select(i => new StreamRecord($"{100 + i}", Encoding.UTF8.GetBytes($$"""{"n":{{i}}}"""), Now.AddSeconds(i - 10), 0))];

    [Fact]
    public void The_record_has_the_documented_members_and_the_whole_event()
    {
        var batch = new DiscardedBatch("shardId-1", "RetryAttemptsExhausted", Records, 1, 3, 4, "request-1", "Unhandled");
        Encoding.UTF8.GetString(batch.ToJson(Mapping, Now)).ShouldBe(
            """
            {"requestContext":{"requestId":"request-1","functionArn":"arn:aws:lambda:ap-northeast-2:000000000000:function:f","condition":"RetryAttemptsExhausted","approximateInvokeCount":4},
            "responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"version":"1.0","timestamp":"2026-03-01T09:08:07.654Z",
            "DDBStreamBatchInfo":{"shardId":"shardId-1","startSequenceNumber":"101","endSequenceNumber":"102","approximateArrivalOfFirstRecord":"2026-03-01T09:07:58Z",
            "approximateArrivalOfLastRecord":"2026-03-01T09:07:59Z","batchSize":2,"streamArn":"arn:aws:dynamodb:ap-northeast-2:000000000000:table/t/stream/x"},
            "payload":"{\"Records\":[{\"n\":1},{\"n\":2}]}"}
            """.ReplaceLineEndings(""));
    }

    [Fact]
    public void Without_an_invocation_there_is_no_response()
    {
        using var json = JsonDocument.Parse(new DiscardedBatch("s", "MaximumRecordAgeExceeded", Records, 0, 1, 0, null, null).ToJson(Mapping, Now));
        json.RootElement.TryGetProperty("responseContext", out _).ShouldBeFalse();
        json.RootElement.GetProperty("requestContext").GetProperty("approximateInvokeCount").GetInt32().ShouldBe(0);
    }

    [Fact]
    public void The_object_lies_where_lambda_puts_it() =>
        new DiscardedBatch("shardId-1", "x", Records, 0, 1, 1, null, null).ObjectKey(Mapping.Uuid, Now, Guid.Empty)
            .ShouldBe("aws/lambda/12345678-1234-1234-1234-123456789012/shardId-1/2026/03/01/2026-03-01T09.08.07-00000000-0000-0000-0000-000000000000");
}
