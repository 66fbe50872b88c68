using System.Text;
using System.Text.Json;

namespace ChatPlatform.LocalAwsModel;

/// <summary>Several clients, the accounts they share, and the comparison of everything that is stored and streamed with the model.</summary>
internal sealed class ModelRun
{
    private const int ScanSegments = 3;
    private readonly SharedAccounts _accounts = new();
    private readonly Dictionary<string, StreamReading> _streams = ModelTables.All.ToDictionary(t => t, t => new StreamReading(t));
    private long _done;

    public ModelRun(int clients, int seed) => Clients = [.. Enumerable.Range(0, clients).Select(n => new ModelClient(n, seed, NoTransport, _accounts))];

    public IReadOnlyList<ModelClient> Clients { get; }

    /// <summary>Operations that were answered, by all clients.</summary>
    public long Done => Interlocked.Read(ref _done);

    /// <summary>Makes the tables and the accounts.</summary>
    public static async Task PrepareAsync(ModelTransport transport)
    {
        await ModelTables.CreateAsync(transport);
        for (var account = 0; account < SharedAccounts.Count; account++)
        {
            var request = $$"""{"TableName":"{{ModelTables.Things}}","Item":{{SharedAccounts.Opened(account)}}}""";
            using var answer = await transport("DynamoDB_20120810.PutItem", Encoding.UTF8.GetBytes(request));
            answer.RequireSuccess("PutItem");
        }
    }

    /// <summary>Lets all clients work at once until <paramref name="total"/> operations are done or the service is gone.</summary>
    public async Task WorkAsync(ModelTransport transport, long total)
    {
        await Task.WhenAll(Clients.Select(client => Task.Run(async () =>
        {
            client.Transport = transport;
            try
            {
                await client.SettleAsync();
                while (Done < total)
                {
                    await client.StepAsync();
                    Interlocked.Increment(ref _done);
                }
            }
            catch (ConnectionLostException)
            {
                // Settled when the service is back.
            }
        })));
    }

    /// <summary>Settles what is unknown, then compares all tables and what the streams brought since the last time.</summary>
    public async Task CompareAsync(ModelTransport transport)
    {
        foreach (var client in Clients)
        {
            client.Transport = transport;
            await client.SettleAsync();
        }

        var expected = Clients.SelectMany(c => c.Items).ToDictionary();
        var versions = new Dictionary<int, long>();
        foreach (var table in ModelTables.All)
        {
            await foreach (var item in ScanAsync(transport, table))
            {
                var place = ItemPlace.Of(table, item);
                if (SharedAccounts.Account(place) is { } account)
                    versions.Add(account, SharedAccounts.Version(item));
                else if (!expected.Remove(place, out var wanted) || !wanted.Matches(item))
                    throw new ModelMismatchException($"{place} is stored as {item.GetRawText()}; the model says {wanted?.ToString() ?? "it is not there"}.");
            }
        }

        if (expected.Count > 0)
            throw new ModelMismatchException($"{expected.Count} items are missing, e.g. {expected.First().Key}: {expected.First().Value}.");

        foreach (var table in ModelTables.All)
            await CompareStreamAsync(transport, table);
        _accounts.RequireComplete(versions);
        foreach (var client in Clients)
            client.ForgetChanges();
    }

    private async Task CompareStreamAsync(ModelTransport transport, string table)
    {
        var due = Clients.SelectMany(c => c.Changes).Where(c => c.Place.Table == table)
            .GroupBy(c => c.Place).ToDictionary(g => g.Key, g => new Queue<ModelChange>(g));
        await _streams[table].ReadNewAsync(transport, record =>
        {
            var change = record.GetProperty("dynamodb");
            JsonElement? old = change.TryGetProperty("OldImage", out var before) ? before : null;
            JsonElement? now = change.TryGetProperty("NewImage", out var after) ? after : null;
            var place = ItemPlace.Of(table, change.GetProperty("Keys"));
            if (SharedAccounts.Account(place) is { } account)
            {
                _accounts.Streamed(account, old, now ?? throw new ModelMismatchException($"The stream says that account {account} was deleted."));
                return;
            }

            if (!due.TryGetValue(place, out var writes) || !writes.TryDequeue(out var write) || !Says(old, write.Old) || !Says(now, write.New)
                || record.GetProperty("eventName").GetString() != (write.Old is null ? "INSERT" : write.New is null ? "REMOVE" : "MODIFY"))
            {
                throw new ModelMismatchException($"The stream of {table} has {record.GetRawText()}; the writes of that item left are {string.Join(" | ", writes ?? [])}.");
            }
        });
        if (due.Values.FirstOrDefault(q => q.Count > 0) is { } missing)
            throw new ModelMismatchException($"The stream of {table} lacks {due.Values.Sum(q => q.Count)} writes, e.g. {missing.Peek()}.");
    }

    private static bool Says(JsonElement? image, ModelItem? item) => item is null ? image is null : image is not null && item.Matches(image.Value);

    private static async IAsyncEnumerable<JsonElement> ScanAsync(ModelTransport transport, string table)
    {
        for (var segment = 0; segment < ScanSegments; segment++)
        {
            var start = "";
            do
            {
                var request = $$"""{"TableName":"{{table}}","Segment":{{segment}},"TotalSegments":{{ScanSegments}}{{start}}}""";
                using var page = await transport("DynamoDB_20120810.Scan", Encoding.UTF8.GetBytes(request));
                page.RequireSuccess("Scan");
                foreach (var item in page.Body.GetProperty("Items").EnumerateArray())
                    yield return item;
                start = page.Body.TryGetProperty("LastEvaluatedKey", out var last) ? $",\"ExclusiveStartKey\":{last.GetRawText()}" : "";
            }
            while (start.Length > 0);
        }
    }

    private static Task<ModelAnswer> NoTransport(string target, ReadOnlyMemory<byte> body) => throw new InvalidOperationException("No service yet.");
}

/// <summary>Reads a table's stream as a consumer does: parents before children, each shard once and in order. Not thread-safe.</summary>
internal sealed class StreamReading(string table)
{
    private readonly Dictionary<string, string?> _reached = [];
    private readonly HashSet<string> _finished = [];

    /// <summary>Gives every record that was not given before.</summary>
    public async Task ReadNewAsync(ModelTransport transport, Action<JsonElement> take)
    {
        string arn;
        using (var streams = await SendAsync(transport, "ListStreams", $$"""{"TableName":"{{table}}"}"""))
            arn = streams.Body.GetProperty("Streams").EnumerateArray().Single().GetProperty("StreamArn").GetString()!;
        foreach (var shard in await ShardsAsync(transport, arn))
        {
            if (_finished.Contains(shard))
                continue;
            var last = _reached.GetValueOrDefault(shard);
            var place = last is null ? "\"ShardIteratorType\":\"TRIM_HORIZON\"" : $"\"ShardIteratorType\":\"AFTER_SEQUENCE_NUMBER\",\"SequenceNumber\":\"{last}\"";
            string? iterator;
            using (var first = await SendAsync(transport, "GetShardIterator", $$"""{"StreamArn":"{{arn}}","ShardId":"{{shard}}",{{place}}}"""))
                iterator = first.Body.GetProperty("ShardIterator").GetString();
            while (iterator is not null)
            {
                using var page = await SendAsync(transport, "GetRecords", $$"""{"ShardIterator":"{{iterator}}"}""");
                iterator = page.Body.TryGetProperty("NextShardIterator", out var next) ? next.GetString() : null;
                var records = page.Body.GetProperty("Records");
                foreach (var record in records.EnumerateArray())
                {
                    var sequence = record.GetProperty("dynamodb").GetProperty("SequenceNumber").GetString()!;
                    if (last is not null && !IsAfter(sequence, last))
                        throw new ModelMismatchException($"In shard {shard} of {table} {sequence} follows {last}.");
                    last = sequence;
                    take(record);
                }

                if (iterator is null)
                    _finished.Add(shard);
                if (records.GetArrayLength() == 0)
                    break;
            }

            _reached[shard] = last;
        }
    }

    private static bool IsAfter(string sequence, string last) =>
        sequence.Length != last.Length ? sequence.Length > last.Length : string.CompareOrdinal(sequence, last) > 0;

    /// <summary>All shards, each after its parent.</summary>
    private static async Task<List<string>> ShardsAsync(ModelTransport transport, string arn)
    {
        var parents = new Dictionary<string, string?>();
        var start = "";
        do
        {
            using var page = await SendAsync(transport, "DescribeStream", $$"""{"StreamArn":"{{arn}}"{{start}}}""");
            var description = page.Body.GetProperty("StreamDescription");
            foreach (var shard in description.GetProperty("Shards").EnumerateArray())
                parents.Add(shard.GetProperty("ShardId").GetString()!, shard.TryGetProperty("ParentShardId", out var parent) ? parent.GetString() : null);
            start = description.TryGetProperty("LastEvaluatedShardId", out var last) ? $",\"ExclusiveStartShardId\":\"{last.GetString()}\"" : "";
        }
        while (start.Length > 0);
        return [.. parents.Keys.OrderBy(Depth).ThenBy(id => id, StringComparer.Ordinal)];

        int Depth(string id) => parents.GetValueOrDefault(id) is { } parent ? 1 + Depth(parent) : 0;
    }

    private static async Task<ModelAnswer> SendAsync(ModelTransport transport, string operation, string body)
    {
        var answer = await transport($"DynamoDBStreams_20120810.{operation}", Encoding.UTF8.GetBytes(body));
        answer.RequireSuccess(operation);
        return answer;
    }
}
