using System.Globalization;
using System.Text.Json;
using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using Amazon.Runtime;
using ChatPlatform.Contracts.Json;
using ChatPlatform.Smoke.Conversations;

namespace ChatPlatform.ServiceTests.Cdc;

/// <summary>What a test writes: items in versions from 1 on, and the line that each version must become. Items are numbered from <see cref="First"/> on.</summary>
/// <param name="Item">An item in a version; its key is <c>id</c>.</param>
/// <param name="Line">Exactly what unwrapping makes of it.</param>
/// <param name="Identify">Item and version of a line.</param>
internal sealed record Changes(
    int First, int Items, int Versions, Func<int, int, Dictionary<string, AttributeValue>> Item, Func<int, int, string> Line, Func<JsonElement, (int Item, int Version)> Identify)
{
    private const int Writers = 4;
    private static readonly JsonSerializerOptions Readable = new() { Encoder = WireEncoder.Instance };

    public int Count => Items * Versions;

    /// <summary>Items that have something of every kind of value.</summary>
    public static Changes Generated(int first, int items, int versions) => new(
        first,
        items,
        versions,
        (item, version) => new()
        {
            ["id"] = new() { S = $"item-{item}" },
            ["version"] = new() { N = version.ToString(CultureInfo.InvariantCulture) },
            ["text"] = new() { S = $"안녕 \"{item}\" 🚲" },
            ["list"] = new() { L = [new() { N = "1.5" }, new() { S = "a" }, new() { NULL = true }, new() { BOOL = true }] },
            ["map"] = new() { M = new() { ["deep"] = new() { M = new() { ["x"] = new() { S = "y" } } } } },
        },
        (item, version) => $$$$"""{"id":"item-{{{{item}}}}","version":{{{{version}}}},"text":"안녕 \"{{{{item}}}}\" 🚲","list":[1.5,"a",null,true],"map":{"deep":{"x":"y"}}}""",
        line => (int.Parse(line.GetProperty("id").GetString()!.AsSpan("item-".Length), CultureInfo.InvariantCulture), line.GetProperty("version").GetInt32()));

    /// <summary>The conversation file, each message an item.</summary>
    public static Changes Conversation()
    {
        var messages = ConversationLoader.Load(Path.Combine(AppContext.BaseDirectory, "data", "conversation.jsonl")).Messages;
        return new(
            0,
            messages.Count,
            1,
            (item, _) => new()
            {
                ["id"] = new() { S = $"{messages[item].Room}#{item}" },
                ["seq"] = new() { N = item.ToString(CultureInfo.InvariantCulture) },
                ["from"] = new() { S = messages[item].From },
                ["text"] = new() { S = messages[item].Text },
            },
            (item, _) => $$"""{"id":{{Text($"{messages[item].Room}#{item}")}},"seq":{{item}},"from":{{Text(messages[item].From)}},"text":{{Text(messages[item].Text)}}}""",
            line => (line.GetProperty("seq").GetInt32(), 1));
    }

    /// <summary>
    /// Writes every version of every item, an item's in their order; what the store refuses, or has not acknowledged when it is killed, is written again.
    /// </summary>
    public Task WriteAsync(CdcSystem system) =>
        Task.WhenAll(Enumerable.Range(First, Items).Chunk((Items + Writers - 1) / Writers).Select(part => Task.Run(() => WriteAsync(system, part))));

    private async Task WriteAsync(CdcSystem system, int[] items)
    {
        using var dynamo = system.NewDynamoDb();
        for (var version = 1; version <= Versions; version++)
        {
            foreach (var group in items.Chunk(25))
            {
                var rest = group.Select(i => new WriteRequest(new PutRequest(Item(i, version)))).ToList();
                while (rest.Count > 0)
                {
                    try
                    {
                        var answer = await dynamo.BatchWriteItemAsync(new BatchWriteItemRequest(new Dictionary<string, List<WriteRequest>> { [CdcSystem.Table] = rest }));
                        rest = answer.UnprocessedItems?.GetValueOrDefault(CdcSystem.Table) ?? [];
                    }
                    catch (Exception error) when (error is AmazonServiceException or AmazonClientException or HttpRequestException or TaskCanceledException)
                    {
                        await Task.Delay(50);
                    }
                }
            }
        }
    }

    private static string Text(string value) => JsonSerializer.Serialize(value, Readable);
}

/// <summary>
/// Reads the lake against what was written: every line is one of the changes, and an item's versions come first in their order. A byte an item, whatever their
/// number. Not thread-safe.
/// </summary>
internal sealed class LakeComparison(Changes changes)
{
    private readonly byte[] _newest = new byte[changes.Items];

    /// <summary>Changes that were read at least once.</summary>
    public int Found { get; private set; }

    public long Lines { get; private set; }

    public void Add(string line)
    {
        Lines++;
        using var json = JsonDocument.Parse(line);
        var (item, version) = changes.Identify(json.RootElement);
        if (line != changes.Line(item, version))
            line.ShouldBe(changes.Line(item, version));
        ref var newest = ref _newest[item - changes.First];
        if (version > newest + 1)
            throw new ShouldAssertException($"Item {item}: version {version} is in the lake and version {newest + 1} is not before it.");
        if (version <= newest)
            return;
        newest++;
        Found++;
    }
}
