using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ChatPlatform.ServiceTests.Lambda;

/// <summary>
/// A DynamoDB stream and a Firehose delivery stream under the test's control, over the AWS JSON protocol: shards with parents, closing shards, expiring iterators, throttling,
/// refused records. Thread-safe.
/// </summary>
public sealed class FakeAws : IAsyncDisposable
{
    public const string StreamArn = "arn:aws:dynamodb:ap-northeast-2:000000000000:table/orders/stream/2025-01-01T00:00:00.000";

    private readonly WebApplication _app;
    private readonly Lock _gate = new();
    private readonly List<Shard> _shards = [];
    private long _sequence = 100;

    private FakeAws(WebApplication app) => _app = app;

    private sealed record Shard(string Id, string? Parent)
    {
        public List<(string Sequence, JsonObject Record)> Records { get; } = [];

        public bool Closed { get; set; }
    }

    /// <summary>Errors to answer instead, e.g. <c>GetRecords</c> → <c>ExpiredIteratorException</c>; each is used once.</summary>
    public ConcurrentQueue<(string Operation, string Error)> Faults { get; } = new();

    /// <summary>The lines that Firehose accepted, in order.</summary>
    public ConcurrentQueue<string> Delivered { get; } = new();

    /// <summary>What was put into buckets, by <c>bucket/key</c>.</summary>
    public ConcurrentDictionary<string, string> Objects { get; } = new();

    /// <summary>How many of the next PutRecordBatch calls refuse their first record.</summary>
    public int RefuseFirstRecord { get; set; }

    public string Url => _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();

    public static async Task<FakeAws> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var aws = new FakeAws(app);
        app.MapPost("/", aws.HandleAsync);
        app.MapPut("/{bucket}/{**key}", aws.StoreAsync);
        await app.StartAsync();
        return aws;
    }

    public void AddShard(string id, string? parent = null)
    {
        lock (_gate)
            _shards.Add(new Shard(id, parent));
    }

    public void CloseShard(string id)
    {
        lock (_gate)
            _shards.Single(s => s.Id == id).Closed = true;
    }

    /// <summary>Appends an INSERT of item <paramref name="key"/>; gives its sequence number.</summary>
    public string Put(string shardId, string key, string text, DateTimeOffset? at = null)
    {
        lock (_gate)
        {
            var sequence = (++_sequence).ToString("D21", CultureInfo.InvariantCulture);
            var record = new JsonObject
            {
                ["eventID"] = Guid.NewGuid().ToString("N"),
                ["eventName"] = "INSERT",
                ["eventVersion"] = "1.1",
                ["eventSource"] = "aws:dynamodb",
                ["awsRegion"] = "ap-northeast-2",
                ["dynamodb"] = new JsonObject
                {
                    ["ApproximateCreationDateTime"] = (at ?? DateTimeOffset.UtcNow).ToUnixTimeSeconds(),
                    ["Keys"] = new JsonObject { ["id"] = new JsonObject { ["S"] = key } },
                    ["NewImage"] = new JsonObject
                    {
                        ["text"] = new JsonObject { ["S"] = text },
                        ["id"] = new JsonObject { ["S"] = key },
                        ["n"] = new JsonObject { ["N"] = "1.50" },
                        ["secret"] = new JsonObject { ["S"] = "s" },
                    },
                    ["SequenceNumber"] = sequence,
                    ["SizeBytes"] = 20,
                    ["StreamViewType"] = "NEW_AND_OLD_IMAGES",
                },
            };
            _shards.Single(s => s.Id == shardId).Records.Add((sequence, record));
            return sequence;
        }
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task HandleAsync(HttpContext context)
    {
        var target = context.Request.Headers["X-Amz-Target"].ToString();
        var operation = target[(target.IndexOf('.') + 1)..];
        using var document = await JsonDocument.ParseAsync(context.Request.Body);
        var body = document.RootElement;
        context.Response.ContentType = "application/x-amz-json-1.0";
        if (Faults.TryPeek(out var fault) && fault.Operation == operation && Faults.TryDequeue(out _))
        {
            await ErrorAsync(context, fault.Error);
            return;
        }

        JsonNode? answer;
        lock (_gate)
        {
            answer = operation switch
            {
                "DescribeStream" => Describe(body),
                "GetShardIterator" => Iterator(body),
                "GetRecords" => Records(body),
                "PutRecordBatch" => PutRecords(body),
                _ => null,
            };
        }

        if (answer is null)
            await ErrorAsync(context, "ResourceNotFoundException");
        else
            await context.Response.WriteAsync(answer.ToJsonString());
    }

    private async Task StoreAsync(string bucket, string key, HttpContext context)
    {
        if (Faults.TryPeek(out var fault) && fault.Operation == "PutObject" && Faults.TryDequeue(out _))
        {
            context.Response.StatusCode = (int)HttpStatusCode.ServiceUnavailable;
            await context.Response.WriteAsync($"<Error><Code>{fault.Error}</Code><Message>as the test asked</Message></Error>");
            return;
        }

        using var body = new StreamReader(context.Request.Body);
        Objects[$"{bucket}/{key}"] = await body.ReadToEndAsync();
        context.Response.Headers.ETag = "\"00000000000000000000000000000000\"";
    }

    private static Task ErrorAsync(HttpContext context, string type)
    {
        context.Response.StatusCode = (int)HttpStatusCode.BadRequest;
        return context.Response.WriteAsync($$"""{"__type":"com.amazonaws.dynamodb.v20120810#{{type}}","message":"as the test asked"}""");
    }

    private JsonObject? Describe(JsonElement body)
    {
        if (body.GetProperty("StreamArn").GetString() != StreamArn)
            return null;
        var shards = _shards.Select(s => (JsonNode)new JsonObject
        {
            ["ShardId"] = s.Id,
            ["ParentShardId"] = s.Parent,
            ["SequenceNumberRange"] = new JsonObject { ["StartingSequenceNumber"] = "1", ["EndingSequenceNumber"] = s.Closed ? "9" : null },
        });
        return new JsonObject
        {
            ["StreamDescription"] = new JsonObject { ["StreamArn"] = StreamArn, ["StreamStatus"] = "ENABLED", ["TableName"] = "orders", ["Shards"] = new JsonArray([.. shards]) },
        };
    }

    private JsonObject Iterator(JsonElement body)
    {
        var shard = _shards.Single(s => s.Id == body.GetProperty("ShardId").GetString());
        var index = body.GetProperty("ShardIteratorType").GetString() switch
        {
            "LATEST" => shard.Records.Count,
            "AFTER_SEQUENCE_NUMBER" => shard.Records.FindIndex(r => r.Sequence == body.GetProperty("SequenceNumber").GetString()) + 1,
            _ => 0,
        };
        return new JsonObject { ["ShardIterator"] = $"{shard.Id}/{index}" };
    }

    private JsonObject Records(JsonElement body)
    {
        var parts = body.GetProperty("ShardIterator").GetString()!.Split('/');
        var shard = _shards.Single(s => s.Id == parts[0]);
        var index = int.Parse(parts[1], CultureInfo.InvariantCulture);
        var page = shard.Records.Skip(index).Take(body.GetProperty("Limit").GetInt32()).ToArray();
        var next = index + page.Length;
        return new JsonObject
        {
            ["Records"] = new JsonArray([.. page.Select(r => r.Record.DeepClone())]),
            ["NextShardIterator"] = shard.Closed && next == shard.Records.Count ? null : $"{shard.Id}/{next}",
        };
    }

    private JsonObject PutRecords(JsonElement body)
    {
        var refuse = RefuseFirstRecord-- > 0;
        var answers = new JsonArray();
        foreach (var record in body.GetProperty("Records").EnumerateArray())
        {
            if (refuse && answers.Count == 0)
            {
                answers.Add((JsonNode)new JsonObject { ["ErrorCode"] = "ServiceUnavailableException", ["ErrorMessage"] = "Slow down." });
                continue;
            }

            Delivered.Enqueue(Encoding.UTF8.GetString(record.GetProperty("Data").GetBytesFromBase64()));
            answers.Add((JsonNode)new JsonObject { ["RecordId"] = "r" });
        }

        return new JsonObject { ["FailedPutCount"] = refuse ? 1 : 0, ["RequestResponses"] = answers };
    }
}
