using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text;
using ChatPlatform.LocalAws.DynamoDb;
using ChatPlatform.LocalAws.Faults;
using ChatPlatform.LocalAws.Firehose;
using ChatPlatform.LocalAws.Protocol;
using ChatPlatform.LocalAws.S3;
using ChatPlatform.LocalAws.Storage;
using ChatPlatform.LocalAws.Streams;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace ChatPlatform.UnitTests.LocalAws;

public sealed class TelemetryTests
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 5, 11, 12, 0, 0, TimeSpan.Zero));

    [Fact]
    public async Task Each_request_has_one_span_with_the_names_of_operation_and_table_and_one_measurement()
    {
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Microsoft.AspNetCore" || source.Name.StartsWith("ChatPlatform.", StringComparison.Ordinal),
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);

        await using var app = await StartAsync();
        var durations = new ConcurrentQueue<(double Value, Dictionary<string, object?> Tags)>();
        using var meters = Listen(app.Services.GetRequiredService<IMeterFactory>(), (name, value, tags) =>
        {
            if (name == "localaws.operation.duration")
                durations.Enqueue((value, tags));
        });
        // The tests of a class share nothing, but those of other classes have spans too: theirs have other trace ids.
        var trace = ActivityTraceId.CreateRandom();
        using var http = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
        await SendAsync("DynamoDB_20120810.CreateTable", """
            {"TableName":"spans","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"}
            """);
        await SendAsync("DynamoDB_20120810.PutItem", """{"TableName":"spans","Item":{"id":{"S":"1"}},"ConditionExpression":"attribute_exists(id)"}""");
        await SendAsync("DynamoDB_20120810.TransactGetItems", """{"TransactItems":[{"Get":{"TableName":"spans","Key":{"id":{"S":"1"}}}},{"Get":{"TableName":"none","Key":{"id":{"S":"1"}}}}]}""");
        using (var request = new HttpRequestMessage(HttpMethod.Get, "/bucket/key") { Headers = { { "traceparent", Parent() } } })
            await http.SendAsync(request);

        await WaitForAsync(() => spans.Count(s => s.TraceId == trace) >= 4 && durations.Count >= 4);
        var own = spans.Where(s => s.TraceId == trace).ToList();
        own.Select(s => s.DisplayName).ShouldBe(["DynamoDB.CreateTable", "DynamoDB.PutItem", "DynamoDB.TransactGetItems", "S3.GetObject"]);
        own.ShouldAllBe(s => (string?)s.GetTagItem("rpc.system") == "aws-api" && s.GetTagItem("aws.request_id") != null);
        own.Select(s => s.GetTagItem("rpc.method")).ShouldBe(["CreateTable", "PutItem", "TransactGetItems", "GetObject"]);
        own.Select(s => s.GetTagItem("error.type")).ShouldBe([null, "ConditionalCheckFailedException", "ResourceNotFoundException", "NoSuchBucket"]);
        own[1].GetTagItem("db.system.name").ShouldBe("aws.dynamodb");
        own[1].GetTagItem("aws.dynamodb.table_names").ShouldBe(new[] { "spans" });
        own[2].GetTagItem("aws.dynamodb.table_names").ShouldBe(new[] { "spans", "none" });
        own[3].GetTagItem("aws.s3.bucket").ShouldBe("bucket");

        durations.Select(d => (d.Tags["service"], d.Tags["operation"], d.Tags.GetValueOrDefault("error.type"))).ShouldBe(
        [
            ("dynamodb", "CreateTable", null), ("dynamodb", "PutItem", "ConditionalCheckFailedException"),
            ("dynamodb", "TransactGetItems", "ResourceNotFoundException"), ("s3", "GetObject", "NoSuchBucket"),
        ]);
        durations.ShouldAllBe(d => d.Value > 0 && d.Value < 60);

        async Task SendAsync(string target, string body)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/")
            {
                Content = new StringContent(body, Encoding.UTF8, "application/x-amz-json-1.0"),
                Headers = { { "X-Amz-Target", target }, { "traceparent", Parent() } },
            };
            request.Headers.TryAddWithoutValidation("Authorization", "local");
            await http.SendAsync(request);
        }

        string Parent() => $"00-{trace}-{ActivitySpanId.CreateRandom()}-01";
    }

    [Fact]
    public async Task Gauges_tell_the_items_of_a_table_and_how_far_the_furthest_reader_of_its_stream_is_behind()
    {
        await using var aws = new LocalAwsServices(null, _time, ("DynamoDb:ShardsPerStream", "1"));
        var measured = new Dictionary<string, (double Value, Dictionary<string, object?> Tags)>();
        aws.Store.Sweep();
        using var meters = Listen(aws.Get<IMeterFactory>(), (name, value, tags) => measured[name] = (value, tags));
        await aws.SendAsync("dynamodb", "CreateTable", """
            {"TableName":"rooms","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],
             "BillingMode":"PAY_PER_REQUEST","StreamSpecification":{"StreamEnabled":true,"StreamViewType":"KEYS_ONLY"}}
            """);
        Measure("localaws.stream.lag.records").ShouldBe(0);
        Measure("localaws.stream.lag.age").ShouldBe(0);
        for (var i = 0; i < 5; i++)
        {
            await aws.SendAsync("dynamodb", "PutItem", $$$$"""{"TableName":"rooms","Item":{"id":{"S":"{{{{i}}}}"}}}""");
            _time.Advance(TimeSpan.FromSeconds(10));
        }

        Measure("localaws.table.items").ShouldBe(5);
        // Each item: "id" and one letter.
        Measure("localaws.table.size").ShouldBe(15);
        measured["localaws.table.size"].Tags["table"].ShouldBe("rooms");
        Measure("localaws.stream.records").ShouldBe(5);
        Measure("localaws.stream.lag.records").ShouldBe(5);
        Measure("localaws.stream.lag.age").ShouldBe(50);

        var stream = (await aws.SendAsync("dynamodbstreams", "ListStreams", "{}")).GetProperty("Streams")[0].GetProperty("StreamArn").GetString();
        var shard = (await aws.SendAsync("dynamodbstreams", "DescribeStream", $$"""{"StreamArn":"{{stream}}"}""")).GetProperty("StreamDescription").GetProperty("Shards")[0].GetProperty("ShardId").GetString();
        var iterator = (await aws.SendAsync("dynamodbstreams", "GetShardIterator", $$"""{"StreamArn":"{{stream}}","ShardId":"{{shard}}","ShardIteratorType":"TRIM_HORIZON"}"""))
            .GetProperty("ShardIterator").GetString();
        var page = await aws.SendAsync("dynamodbstreams", "GetRecords", $$"""{"ShardIterator":"{{iterator}}","Limit":3}""");
        Measure("localaws.stream.lag.records").ShouldBe(2);
        Measure("localaws.stream.lag.age").ShouldBe(20);
        // One that is further behind changes nothing.
        await aws.SendAsync("dynamodbstreams", "GetRecords", $$"""{"ShardIterator":"{{iterator}}","Limit":1}""");
        Measure("localaws.stream.lag.records").ShouldBe(2);
        await aws.SendAsync("dynamodbstreams", "GetRecords", $$"""{"ShardIterator":"{{page.GetProperty("NextShardIterator").GetString()}}"}""");
        Measure("localaws.stream.lag.records").ShouldBe(0);
        Measure("localaws.stream.lag.age").ShouldBe(0);

        double Measure(string name)
        {
            measured.Clear();
            meters.RecordObservableInstruments();
            return measured[name].Value;
        }
    }

    private static MeterListener Listen(IMeterFactory factory, Action<string, double, Dictionary<string, object?>> take)
    {
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter.Name == Meters.Name && ReferenceEquals(instrument.Meter.Scope, factory))
                    self.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => take(instrument.Name, value, tags.ToArray().ToDictionary(t => t.Key, t => t.Value)));
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => take(instrument.Name, value, tags.ToArray().ToDictionary(t => t.Key, t => t.Value)));
        listener.Start();
        return listener;
    }

    private static async Task<WebApplication> StartAsync()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.AddDataFolder().AddAwsJson();
        builder.Services.AddDynamoDb().AddStreams().AddObjectStore().AddFirehose();
        var app = builder.Build();
        app.MapFaults();
        app.MapAwsJson();
        app.MapS3();
        await app.StartAsync();
        return app;
    }

    private static async Task WaitForAsync(Func<bool> condition)
    {
        for (var watch = Stopwatch.StartNew(); !condition();)
        {
            watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(20), "the telemetry has not come");
            await Task.Delay(10);
        }
    }
}
