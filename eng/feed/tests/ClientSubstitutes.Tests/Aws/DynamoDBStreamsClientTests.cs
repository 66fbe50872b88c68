using System.Net;
using Amazon;
using Amazon.DynamoDBStreams;
using Amazon.DynamoDBStreams.Model;
using Amazon.Runtime;

namespace ClientSubstitutes.Tests.Aws;

public sealed class DynamoDBStreamsClientTests : IAsyncLifetime
{
    private AwsJsonServer _server = null!;
    private AmazonDynamoDBStreamsClient _client = null!;

    public async Task InitializeAsync()
    {
        _server = await AwsJsonServer.StartAsync();
        _client = new AmazonDynamoDBStreamsClient(
            "key", "secret", new AmazonDynamoDBStreamsConfig { ServiceURL = _server.Url, AuthenticationRegion = "ap-northeast-2", MaxErrorRetry = 2 });
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task A_request_is_one_signed_post_of_json_1_0_with_only_the_members_that_are_set()
    {
        _server.Reply("""{"ShardIterator":"iterator-1"}""");

        var reply = await _client.GetShardIteratorAsync(new GetShardIteratorRequest
        {
            StreamArn = "arn:aws:dynamodb:ap-northeast-2:000000000000:table/chat-log/stream/1",
            ShardId = "shardId-한국어-\"1\"",
            ShardIteratorType = ShardIteratorType.TRIM_HORIZON,
        });

        reply.ShardIterator.ShouldBe("iterator-1");
        reply.HttpStatusCode.ShouldBe(HttpStatusCode.OK);
        reply.ResponseMetadata.RequestId.ShouldBe("request-1");
        var seen = _server.Seen.ShouldHaveSingleItem();
        seen.Method.ShouldBe("POST");
        seen.Path.ShouldBe("/");
        seen.Headers["X-Amz-Target"].ShouldBe("DynamoDBStreams_20120810.GetShardIterator");
        seen.Headers["Content-Type"].ShouldBe("application/x-amz-json-1.0");
        seen.Headers["Authorization"].ShouldStartWith("AWS4-HMAC-SHA256 Credential=key/");
        seen.Headers["Authorization"].ShouldContain("/ap-northeast-2/dynamodb/aws4_request");
        seen.Headers["Authorization"].ShouldContain("x-amz-target");
        seen.Headers["User-Agent"].ShouldContain("DynamoDB");
        seen.Body.ShouldBe(
            """{"ShardId":"shardId-한국어-\"1\"","ShardIteratorType":"TRIM_HORIZON","StreamArn":"arn:aws:dynamodb:ap-northeast-2:000000000000:table/chat-log/stream/1"}""");
    }

    [Fact]
    public async Task Records_are_read_with_every_kind_of_value_and_byte_for_byte()
    {
        _server.Reply("""
            {"NextShardIterator":"next","Records":[{"awsRegion":"ap-northeast-2","eventID":"e1","eventName":"INSERT","eventSource":"aws:dynamodb","eventVersion":"1.1",
             "somethingNew":{"deep":[1,2,{"x":null}]},
             "dynamodb":{"ApproximateCreationDateTime":1700000000.25,"SequenceNumber":"000000000000000000001","SizeBytes":123456789012,"StreamViewType":"NEW_AND_OLD_IMAGES",
              "Keys":{"roomId":{"S":"r1"},"seq":{"N":"1"}},
              "NewImage":{"s":{"S":"\u0000\u001f 안녕 👋\n\"\\"},"n":{"N":"123456789012345678901234567890.12345678"},"t":{"BOOL":true},"f":{"BOOL":false},"z":{"NULL":true},
               "b":{"B":"AAH/"},"m":{"M":{"inner":{"L":[{"S":"x"},{"M":{}},{"L":[]}]}}},"ss":{"SS":["a","b"]},"ns":{"NS":["1","2"]},"bs":{"BS":["AA==","AQ=="]},"e":{"S":""}}}},
             {"eventName":"REMOVE","userIdentity":{"PrincipalId":"dynamodb.amazonaws.com","Type":"Service"},"dynamodb":{"OldImage":{"a":{"S":"x"}}}}]}
            """);

        var reply = await _client.GetRecordsAsync(new GetRecordsRequest { ShardIterator = "i", Limit = 1000 });

        _server.Seen.Single().Body.ShouldBe("""{"Limit":1000,"ShardIterator":"i"}""");
        reply.NextShardIterator.ShouldBe("next");
        reply.Records.Count.ShouldBe(2);
        var first = reply.Records[0];
        first.EventName.ShouldBe(OperationType.INSERT);
        first.EventID.ShouldBe("e1");
        first.AwsRegion.ShouldBe("ap-northeast-2");
        first.UserIdentity.ShouldBeNull();
        var change = first.Dynamodb;
        change.ApproximateCreationDateTime.ShouldBe(new DateTime(2023, 11, 14, 22, 13, 20, 250, DateTimeKind.Utc));
        change.ApproximateCreationDateTime!.Value.Kind.ShouldBe(DateTimeKind.Utc);
        change.SequenceNumber.ShouldBe("000000000000000000001");
        change.SizeBytes.ShouldBe(123456789012);
        change.StreamViewType.ShouldBe(StreamViewType.NEW_AND_OLD_IMAGES);
        change.OldImage.ShouldBeNull();
        change.Keys["seq"].N.ShouldBe("1");
        var image = change.NewImage;
        image["s"].S.ShouldBe("\0\u001f 안녕 👋\n\"\\");
        image["n"].N.ShouldBe("123456789012345678901234567890.12345678");
        image["t"].BOOL.ShouldBe(true);
        image["f"].BOOL.ShouldBe(false);
        image["z"].NULL.ShouldBe(true);
        image["b"].B.ToArray().ShouldBe(new byte[] { 0, 1, 255 });
        image["m"].M["inner"].L.Count.ShouldBe(3);
        image["m"].M["inner"].L[1].M.ShouldBeEmpty();
        image["m"].M["inner"].L[2].L.ShouldBeEmpty();
        image["ss"].SS.ShouldBe(["a", "b"]);
        image["ns"].NS.ShouldBe(["1", "2"]);
        image["bs"].BS.Select(bytes => bytes.ToArray()).ShouldBe([[0], [1]]);
        image["e"].S.ShouldBe("");
        image["e"].M.ShouldBeNull();
        reply.Records[1].UserIdentity.PrincipalId.ShouldBe("dynamodb.amazonaws.com");
        reply.Records[1].UserIdentity.Type.ShouldBe("Service");
    }

    [Fact]
    public async Task A_closed_and_drained_shard_has_no_next_iterator()
    {
        _server.Reply("""{"Records":[],"NextShardIterator":null}""");

        var reply = await _client.GetRecordsAsync("i");

        reply.NextShardIterator.ShouldBeNull();
        reply.Records.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_stream_is_described_with_its_shards()
    {
        _server.Reply("""
            {"StreamDescription":{"StreamArn":"arn","StreamLabel":"2023","StreamStatus":"ENABLED","StreamViewType":"NEW_IMAGE","TableName":"t","CreationRequestDateTime":1700000000,
             "KeySchema":[{"AttributeName":"roomId","KeyType":"HASH"},{"AttributeName":"seq","KeyType":"RANGE"}],"LastEvaluatedShardId":"s2",
             "Shards":[{"ShardId":"s1","SequenceNumberRange":{"StartingSequenceNumber":"1","EndingSequenceNumber":"9"}},{"ShardId":"s2","ParentShardId":"s1","SequenceNumberRange":{"StartingSequenceNumber":"10"}}]}}
            """);

        var stream = (await _client.DescribeStreamAsync(new DescribeStreamRequest { StreamArn = "arn", Limit = 2, ExclusiveStartShardId = "s0" })).StreamDescription;

        _server.Seen.Single().Body.ShouldBe("""{"ExclusiveStartShardId":"s0","Limit":2,"StreamArn":"arn"}""");
        stream.StreamStatus.ShouldBe(StreamStatus.ENABLED);
        stream.KeySchema.Select(key => key.KeyType).ShouldBe([KeyType.HASH, KeyType.RANGE]);
        stream.CreationRequestDateTime.ShouldBe(DateTime.UnixEpoch.AddSeconds(1700000000));
        stream.LastEvaluatedShardId.ShouldBe("s2");
        stream.Shards[0].SequenceNumberRange.EndingSequenceNumber.ShouldBe("9");
        stream.Shards[1].ParentShardId.ShouldBe("s1");
        stream.Shards[1].SequenceNumberRange.EndingSequenceNumber.ShouldBeNull();
    }

    [Fact]
    public async Task Streams_are_listed()
    {
        _server.Reply("""{"Streams":[{"StreamArn":"arn","StreamLabel":"l","TableName":"t"}],"LastEvaluatedStreamArn":"arn"}""").Reply("{}");

        var reply = await _client.ListStreamsAsync(new ListStreamsRequest { TableName = "t", Limit = 1, ExclusiveStartStreamArn = "a" });
        var nothing = await _client.ListStreamsAsync();

        reply.Streams.Single().TableName.ShouldBe("t");
        reply.LastEvaluatedStreamArn.ShouldBe("arn");
        nothing.Streams.ShouldBeNull();
        _server.Seen.Select(seen => seen.Body).ShouldBe(["""{"ExclusiveStartStreamArn":"a","Limit":1,"TableName":"t"}""", "{}"]);
    }

    // Codes: DynamoDB API reference, "GetRecords", Errors. The type may carry a namespace before '#' and a URL after ':' (AWS JSON 1.0 protocol, operation error serialization).
    [Theory]
    [InlineData("com.amazonaws.dynamodb.v20120810#ExpiredIteratorException", typeof(ExpiredIteratorException))]
    [InlineData("com.amazonaws.dynamodb.v20120810#TrimmedDataAccessException", typeof(TrimmedDataAccessException))]
    [InlineData("ResourceNotFoundException", typeof(ResourceNotFoundException))]
    [InlineData("com.amazon.coral.validate#ValidationException", typeof(AmazonDynamoDBStreamsException))]
    public async Task An_error_reply_becomes_the_exception_of_its_code_and_is_not_tried_again(string type, Type expected)
    {
        _server.Reply($$"""{"__type":"{{type}}","message":"said the service"}""", 400);

        var thrown = await Should.ThrowAsync<AmazonDynamoDBStreamsException>(() => _client.GetRecordsAsync("i"));

        thrown.GetType().ShouldBe(expected);
        thrown.Message.ShouldBe("said the service");
        thrown.ErrorCode.ShouldBe(type[(type.IndexOf('#') + 1)..]);
        thrown.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        thrown.RequestId.ShouldBe("request-1");
        _server.Seen.Count.ShouldBe(1);
    }

    [Theory]
    [InlineData(500, "com.amazonaws.dynamodb.v20120810#InternalServerError", typeof(InternalServerErrorException))]
    [InlineData(400, "com.amazonaws.dynamodb.v20120810#LimitExceededException", typeof(LimitExceededException))]
    [InlineData(400, "com.amazonaws.dynamodb.v20120810#ThrottlingException", typeof(AmazonDynamoDBStreamsException))]
    public async Task A_failing_or_throttling_service_is_tried_again_and_then_reported(int status, string type, Type expected)
    {
        var error = $$"""{"__type":"{{type}}","message":"busy"}""";
        _server.Reply(error, status).Reply("""{"Records":[]}""");
        (await _client.GetRecordsAsync("i")).Records.ShouldBeEmpty();
        _server.Seen.Count.ShouldBe(2);

        _server.Reply(error, status).Reply(error, status).Reply(error, status);
        var thrown = await Should.ThrowAsync<AmazonDynamoDBStreamsException>(() => _client.GetRecordsAsync("i"));

        thrown.GetType().ShouldBe(expected);
        _server.Seen.Count.ShouldBe(5);
    }

    [Fact]
    public async Task A_reply_that_is_not_json_is_an_error_and_not_an_empty_response()
    {
        _server.Reply("<html>").Reply("<html>").Reply("<html>");

        await Should.ThrowAsync<Exception>(() => _client.GetRecordsAsync("i"));
    }

    [Fact]
    public async Task A_cancelled_call_ends_as_cancelled()
    {
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();

        await Should.ThrowAsync<OperationCanceledException>(() => _client.GetRecordsAsync("i", cancelled.Token));
    }

    [Fact]
    public void Without_a_configured_endpoint_requests_go_to_the_region()
    {
        using var client = new AmazonDynamoDBStreamsClient("key", "secret", new AmazonDynamoDBStreamsConfig
        {
            RegionEndpoint = RegionEndpoint.APNortheast2,
            IgnoreConfiguredEndpointUrls = true,
        });

        client.DetermineServiceOperationEndpoint(new ListStreamsRequest()).URL.ShouldBe("https://streams.dynamodb.ap-northeast-2.amazonaws.com/");
    }

    [Fact]
    public void A_client_without_region_and_endpoint_says_so()
    {
        var config = new AmazonDynamoDBStreamsConfig { IgnoreConfiguredEndpointUrls = true };
        if (config.RegionEndpoint is not null)
            return; // The machine has a default region.

        Should.Throw<AmazonClientException>(() => new AmazonDynamoDBStreamsClient("key", "secret", config)).Message.ShouldContain("egion");
    }
}
