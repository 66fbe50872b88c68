using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json;
using Amazon.DynamoDBStreams;
using Amazon.DynamoDBStreams.Model;
using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using Amazon.KinesisFirehose;
using Amazon.Runtime;
using Amazon.S3;
using AttributeValue = Amazon.DynamoDBv2.Model.AttributeValue;
using InternalServerErrorException = Amazon.DynamoDBv2.Model.InternalServerErrorException;

namespace ChatPlatform.ServiceTests.LocalAws;

/// <summary>Rules for the whole process: the tests of this class run one after the other and clear them.</summary>
public sealed class FaultTests(SharedObjectStorage shared) : IClassFixture<SharedObjectStorage>, IAsyncLifetime
{
    private static readonly BasicAWSCredentials Credentials = new("local", "local");
    private readonly ObjectStorageProcess _aws = shared.Storage;
    private readonly string _table = $"faults-{Guid.NewGuid():N}";
    private AmazonDynamoDBClient _tables = null!;

    public async Task InitializeAsync()
    {
        _tables = new(Credentials, new AmazonDynamoDBConfig { ServiceURL = _aws.Url, AuthenticationRegion = "ap-northeast-2", MaxErrorRetry = 0, Timeout = TimeSpan.FromSeconds(20) });
        await _tables.CreateTableAsync(new CreateTableRequest(_table, [new("pk", Amazon.DynamoDBv2.KeyType.HASH)], [new("pk", ScalarAttributeType.S)], null)
        {
            BillingMode = BillingMode.PAY_PER_REQUEST,
            StreamSpecification = new() { StreamEnabled = true, StreamViewType = Amazon.DynamoDBv2.StreamViewType.NEW_IMAGE },
        });
    }

    public async Task DisposeAsync()
    {
        (await _aws.Http.DeleteAsync($"{_aws.Url}/_localaws/faults")).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        _tables.Dispose();
    }

    [Fact]
    public async Task Each_service_throttles_with_its_own_error()
    {
        foreach (var service in (string[])["dynamodb", "dynamodbstreams", "s3", "firehose"])
            await SetAsync($$"""{"service":"{{service}}","kind":"throttling"}""");

        await Should.ThrowAsync<ProvisionedThroughputExceededException>(() => PutAsync("a"));
        (await Should.ThrowAsync<AmazonDynamoDBException>(() => _tables.ListTablesAsync())).ErrorCode.ShouldBe("ThrottlingException");
        using var streams = Streams();
        (await Should.ThrowAsync<AmazonDynamoDBStreamsException>(() => streams.ListStreamsAsync(new ListStreamsRequest()))).ErrorCode.ShouldBe("ThrottlingException");
        await Should.ThrowAsync<Amazon.DynamoDBStreams.Model.LimitExceededException>(() => streams.GetRecordsAsync(new GetRecordsRequest { ShardIterator = "any" }));
        var slowDown = await Should.ThrowAsync<AmazonS3Exception>(() => _aws.Buckets.ListBucketsAsync());
        (slowDown.ErrorCode, slowDown.StatusCode).ShouldBe(("SlowDown", HttpStatusCode.ServiceUnavailable));
        await Should.ThrowAsync<Amazon.KinesisFirehose.Model.ServiceUnavailableException>(() => _aws.Firehose.PutRecordAsync("none", new() { Data = new MemoryStream([1]) }));
        (await Should.ThrowAsync<AmazonKinesisFirehoseException>(() => _aws.Firehose.ListDeliveryStreamsAsync(new()))).ErrorCode.ShouldBe("ThrottlingException");
    }

    [Theory]
    [InlineData("internalError")]
    [InlineData("throttling")]
    [InlineData("reset")]
    public async Task A_fault_before_a_write_leaves_nothing_and_one_after_it_loses_only_the_answer(string kind)
    {
        // Without a count: the SDK sends a request whose connection was reset once more.
        var before = await SetAsync($$"""{"service":"dynamodb","operation":"PutItem","table":"{{_table}}","kind":"{{kind}}"}""");
        await Should.ThrowAsync<Exception>(() => PutAsync("before"));
        await _aws.Http.DeleteAsync($"{_aws.Url}/_localaws/faults/{before}");
        var after = await SetAsync($$"""{"service":"dynamodb","operation":"PutItem","table":"{{_table}}","kind":"{{kind}}","when":"after"}""");
        await Should.ThrowAsync<Exception>(() => PutAsync("after"));
        await _aws.Http.DeleteAsync($"{_aws.Url}/_localaws/faults/{after}");

        (await HasAsync("before")).ShouldBeFalse();
        (await HasAsync("after")).ShouldBeTrue();
        await PutAsync("the rules are gone");
    }

    [Fact]
    public async Task A_rule_for_a_table_finds_it_in_batches_and_transactions_and_by_its_streams_and_leaves_others_alone()
    {
        var other = $"{_table}-other";
        await _tables.CreateTableAsync(new CreateTableRequest(other, [new("pk", Amazon.DynamoDBv2.KeyType.HASH)], [new("pk", ScalarAttributeType.S)], null)
        {
            BillingMode = BillingMode.PAY_PER_REQUEST,
        });
        await SetAsync($$"""{"service":"dynamodb","table":"{{_table}}","kind":"internalError"}""");
        await SetAsync($$"""{"service":"dynamodbstreams","table":"{{_table}}","kind":"internalError"}""");
        var key = new Dictionary<string, AttributeValue> { ["pk"] = new() { S = "a" }, ["TableName"] = new() { S = _table } };

        await _tables.PutItemAsync(other, key);
        await _tables.TransactWriteItemsAsync(new() { TransactItems = [new() { Put = new() { TableName = other, Item = key } }] });
        await Should.ThrowAsync<InternalServerErrorException>(() => _tables.TransactWriteItemsAsync(new() { TransactItems = [new() { Put = new() { TableName = _table, Item = key } }] }));
        await Should.ThrowAsync<InternalServerErrorException>(() => _tables.BatchWriteItemAsync(new Dictionary<string, List<WriteRequest>>
        {
            [other] = [new() { PutRequest = new(key) }],
            [_table] = [new() { PutRequest = new(key) }],
        }));
        using var streams = Streams();
        (await streams.ListStreamsAsync(new ListStreamsRequest { TableName = other })).Streams.ShouldBeEmpty();
        await Should.ThrowAsync<Amazon.DynamoDBStreams.Model.InternalServerErrorException>(() => streams.ListStreamsAsync(new ListStreamsRequest { TableName = _table }));
        await Should.ThrowAsync<Amazon.DynamoDBStreams.Model.InternalServerErrorException>(() => streams.DescribeStreamAsync(
            new DescribeStreamRequest { StreamArn = $"arn:aws:dynamodb:ap-northeast-2:000000000000:table/{_table}/stream/2026-01-01T00:00:00.000" }));
    }

    [Fact]
    public async Task Count_ends_a_rule_and_probability_spares_some()
    {
        var id = await SetAsync("""{"service":"dynamodb","operation":"ListTables","kind":"throttling","count":3}""");
        for (var i = 0; i < 3; i++)
            await Should.ThrowAsync<AmazonDynamoDBException>(() => _tables.ListTablesAsync());
        await _tables.ListTablesAsync();
        (await RulesAsync()).Single().GetProperty("struck").GetInt64().ShouldBe(3);
        (await _aws.Http.DeleteAsync($"{_aws.Url}/_localaws/faults/{id}")).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        (await _aws.Http.DeleteAsync($"{_aws.Url}/_localaws/faults/{id}")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await RulesAsync()).ShouldBeEmpty();

        await SetAsync("""{"service":"dynamodb","operation":"ListTables","kind":"throttling","probability":0.5}""");
        var (struck, spared) = (0, 0);
        for (var i = 0; i < 200 && (struck == 0 || spared == 0); i++)
        {
            try
            {
                await _tables.ListTablesAsync();
                spared++;
            }
            catch (AmazonDynamoDBException)
            {
                struck++;
            }
        }

        (struck > 0 && spared > 0).ShouldBeTrue($"{struck} struck, {spared} spared");
    }

    [Fact]
    public async Task Latency_delays_and_still_answers()
    {
        await SetAsync("""{"service":"dynamodb","operation":"ListTables","kind":"latency","latencyMs":400}""");
        await SetAsync("""{"service":"s3","operation":"ListBuckets","kind":"latency","latencyMs":400,"when":"after"}""");
        var watch = Stopwatch.StartNew();
        (await _tables.ListTablesAsync()).TableNames.ShouldContain(_table);
        watch.ElapsedMilliseconds.ShouldBeGreaterThanOrEqualTo(400);
        var bucket = await shared.NewBucketAsync();
        watch.Restart();
        (await _aws.Buckets.ListBucketsAsync()).Buckets.ShouldContain(b => b.BucketName == bucket);
        watch.ElapsedMilliseconds.ShouldBeGreaterThanOrEqualTo(400);
    }

    [Theory]
    [InlineData("internalError")]
    [InlineData("reset")]
    public async Task A_bucket_loses_the_answer_and_keeps_the_object(string kind)
    {
        var (bucket, other) = (await shared.NewBucketAsync(), await shared.NewBucketAsync());
        await SetAsync($$"""{"service":"s3","operation":"PutObject","bucket":"{{bucket}}","kind":"{{kind}}","when":"after"}""");
        await _aws.Buckets.PutObjectAsync(new() { BucketName = other, Key = "k", ContentBody = "other" });
        var error = await Should.ThrowAsync<Exception>(() => _aws.Buckets.PutObjectAsync(new() { BucketName = bucket, Key = "k", ContentBody = "kept" }));
        if (kind == "internalError")
            error.ShouldBeOfType<AmazonS3Exception>().ErrorCode.ShouldBe("InternalError");
        using var kept = await _aws.Buckets.GetObjectAsync(bucket, "k");
        using var reader = new StreamReader(kept.ResponseStream);
        (await reader.ReadToEndAsync()).ShouldBe("kept");

        await SetAsync($$"""{"service":"s3","operation":"GetObject","bucket":"{{bucket}}","kind":"{{kind}}"}""");
        await Should.ThrowAsync<Exception>(() => _aws.Buckets.GetObjectAsync(bucket, "k"));
        await _aws.Http.DeleteAsync($"{_aws.Url}/_localaws/faults");
        using var again = await _aws.Buckets.GetObjectAsync(bucket, "k");
    }

    [Theory]
    [InlineData("""{"service":"sqs","kind":"reset"}""", "service is 'sqs'; it must be one of dynamodb, dynamodbstreams, firehose, glue, s3.")]
    [InlineData("""{"kind":"reset"}""", "service is ''; it must be one of")]
    [InlineData("""{"service":"dynamodb"}""", "kind is ''; it must be one of throttling, internalError, latency, reset.")]
    [InlineData("""{"service":"dynamodb","kind":"explode"}""", "kind is 'explode'")]
    [InlineData("""{"service":"dynamodb","kind":"reset","bucket":"b"}""", "'bucket' is no member of a rule for dynamodb")]
    [InlineData("""{"service":"s3","kind":"reset","table":"t"}""", "'table' is no member of a rule for s3")]
    [InlineData("""{"service":"s3","kind":"reset","operation":"PutItem"}""", "operation is 'PutItem'; it must be one of")]
    [InlineData("""{"service":"dynamodb","kind":"reset","table":7}""", "table is 7; it must be a name.")]
    [InlineData("""{"service":"dynamodb","kind":"reset","when":"during"}""", "when is 'during'; it must be one of before, after.")]
    [InlineData("""{"service":"dynamodb","kind":"reset","probability":0}""", "probability is 0; it must be a number above 0 and at most 1.")]
    [InlineData("""{"service":"dynamodb","kind":"reset","probability":"half"}""", "probability is \"half\"")]
    [InlineData("""{"service":"dynamodb","kind":"reset","count":1.5}""", "count is 1.5; it must be a whole number from 1.")]
    [InlineData("""{"service":"dynamodb","kind":"latency"}""", "latencyMs must be there with kind 'latency'")]
    [InlineData("""{"service":"dynamodb","kind":"reset","latencyMs":5}""", "latencyMs must be there with kind 'latency', and only with it.")]
    [InlineData("""{"service":"dynamodb","kind":"latency","latencyMs":-1}""", "latencyMs is -1; it must be a whole number from 1 to 600000.")]
    [InlineData("""["service"]""", "The body must be one JSON object.")]
    [InlineData("""{"service":""", "The body must be one JSON object.")]
    public async Task A_rule_that_cannot_be_honoured_is_refused_by_name(string rule, string message)
    {
        using var answer = await _aws.Http.PostAsync($"{_aws.Url}/_localaws/faults", new StringContent(rule, Encoding.UTF8, "application/json"));
        var text = await answer.Content.ReadAsStringAsync();
        answer.StatusCode.ShouldBe(HttpStatusCode.BadRequest, text);
        JsonDocument.Parse(text).RootElement.GetProperty("message").GetString()!.ShouldStartWith(message);
        (await RulesAsync()).ShouldBeEmpty();
    }

    private AmazonDynamoDBStreamsClient Streams() =>
        new(Credentials, new AmazonDynamoDBStreamsConfig { ServiceURL = _aws.Url, AuthenticationRegion = "ap-northeast-2", MaxErrorRetry = 0 });

    private Task PutAsync(string key) => _tables.PutItemAsync(_table, new() { ["pk"] = new() { S = key } });

    private async Task<bool> HasAsync(string key) => (await _tables.GetItemAsync(_table, new() { ["pk"] = new() { S = key } })).IsItemSet;

    private async Task<string> SetAsync(string rule)
    {
        using var answer = await _aws.Http.PostAsync($"{_aws.Url}/_localaws/faults", new StringContent(rule, Encoding.UTF8, "application/json"));
        var text = await answer.Content.ReadAsStringAsync();
        answer.StatusCode.ShouldBe(HttpStatusCode.Created, text);
        return JsonDocument.Parse(text).RootElement.GetProperty("id").GetString()!;
    }

    private async Task<List<JsonElement>> RulesAsync() =>
        [.. JsonDocument.Parse(await _aws.Http.GetStringAsync($"{_aws.Url}/_localaws/faults")).RootElement.GetProperty("faults").EnumerateArray()];
}
