using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace ChatPlatform.ServiceTests.LocalAws.Conformance;

/// <summary>The first answer of a case that was not as expected.</summary>
internal sealed record Mismatch(string Where, string What, string Expected, string Answer)
{
    public string Found => $"{Where}: {What} {Answer}";

    public override string ToString() => $"{Where}: {What}\n  expected {Expected}\n  found    {Answer}";
}

/// <summary>
/// Plays one case against one server in raw AWS JSON, so that no SDK hides anything. In texts of the case <c>$name</c> is what an earlier step kept under that name,
/// <c>$i</c> the number of a repetition, <c>$past</c> a time five seconds ago, and any other <c>$name</c> the name of a table of this case alone.
/// </summary>
internal sealed partial class Conversation(HttpClient http, ConformanceCase test)
{
    /// <summary>How long a step that may become true <c>eventually</c> is asked again.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly Dictionary<string, JsonNode?> _kept = new(StringComparer.Ordinal)
    {
        ["past"] = (DateTimeOffset.UtcNow.ToUnixTimeSeconds() - 5).ToString(CultureInfo.InvariantCulture),
    };

    private readonly string _prefix = $"case{test.Number}-";

    /// <summary>Null when every answer was as the case says.</summary>
    public async Task<Mismatch?> PlayAsync()
    {
        for (var at = 0; at < test.Steps.Count; at++)
        {
            var step = test.Steps[at];
            var where = at < test.GivenSteps ? $"given {step["operation"]}" : $"step {at - test.GivenSteps + 1} {step["operation"]}";
            for (var i = 0; i < ((int?)step["times"] ?? 1); i++)
            {
                _kept["i"] = i.ToString(CultureInfo.InvariantCulture);
                if (await PlayAsync(step, where) is { } mismatch)
                    return mismatch;
            }
        }

        return null;
    }

    private async Task<Mismatch?> PlayAsync(JsonObject step, string where)
    {
        var watch = Stopwatch.StartNew();
        while (true)
        {
            var (ok, body) = await AskAsync(step);
            var mismatch = Judge(step, where, ok, body);
            if (mismatch is null)
            {
                foreach (var (name, path) in step["keep"]?.AsObject() ?? [])
                    _kept[name] = Pick(body, (string)path!) ?? throw new InvalidDataException($"{test.Id}: {where} has nothing to keep at {path}: {Pattern.Show(body)}");
                return null;
            }

            if (step["eventually"] is null || watch.Elapsed > Patience)
                return mismatch with { Answer = mismatch.Answer.Replace(_prefix, "$", StringComparison.Ordinal) };
            await Task.Delay(50);
        }
    }

    private Mismatch? Judge(JsonObject step, string where, bool ok, JsonNode body)
    {
        var answer = step["answer"] is { } expectedAnswer ? Fill(expectedAnswer) : null;
        if ((string?)step["error"] is not { } error)
        {
            if (!ok)
                return new(where, "answers", answer is null ? "success" : Pattern.Show(answer), $"{ErrorType(body)}: {Message(body)}");
            return answer is null ? null : Compare(where, answer, body);
        }

        if (ok)
            return new(where, "answers", error, Pattern.Show(body));
        if (ErrorType(body) != error)
            return new(where, "answers", error, $"{ErrorType(body)}: {Message(body)}");
        if (step["message"] is { } message && (string)Fill(message)! is var pattern && !Pattern.Matches(pattern, Message(body)))
            return new(where, "says", pattern, Message(body));
        if (answer is null)
            return null;
        var further = body.DeepClone().AsObject();
        foreach (var name in (ReadOnlySpan<string>)["__type", "message", "Message"])
            further.Remove(name);
        return Compare(where, answer, further);
    }

    private static Mismatch? Compare(string where, JsonNode expected, JsonNode found) =>
        Pattern.Compare(expected, found) is { } difference ? new(where, difference.Path, difference.Expected, difference.Found) : null;

    private static string ErrorType(JsonNode body) => ((string?)body["__type"] ?? "").Split('#')[^1];

    private static string Message(JsonNode body) => (string?)(body["message"] ?? body["Message"]) ?? "";

    private Task<(bool Ok, JsonNode Body)> AskAsync(JsonObject step)
    {
        var operation = (string)step["operation"]!;
        if (operation == "Streams.ReadAll")
            return ReadAllAsync((string)Fill(step["request"]!["StreamArn"]!)!);
        return PostAsync(operation, step["body"] is { } raw ? (string)raw! : Fill(step["request"]!)!.ToJsonString());
    }

    private async Task<(bool Ok, JsonNode Body)> PostAsync(string operation, string body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/") { Content = new StringContent(body, Encoding.UTF8, new MediaTypeHeaderValue("application/x-amz-json-1.0")) };
        var target = operation.StartsWith("Streams.", StringComparison.Ordinal) ? $"DynamoDBStreams_20120810.{operation[8..]}" : $"DynamoDB_20120810.{operation}";
        request.Headers.Add("X-Amz-Target", target);
        request.Headers.TryAddWithoutValidation("Authorization",
            "AWS4-HMAC-SHA256 Credential=conformance/20200101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=00");
        using var response = await http.SendAsync(request);
        return (response.IsSuccessStatusCode, Pattern.Parse(await response.Content.ReadAsStringAsync()));
    }

    /// <summary>Not an operation of AWS: all records of a stream, shard after shard, and the last shard that had any.</summary>
    private async Task<(bool Ok, JsonNode Body)> ReadAllAsync(string stream)
    {
        var (ok, description) = await PostAsync("Streams.DescribeStream", JsonSerializer.Serialize(new { StreamArn = stream }));
        if (!ok)
            return (false, description);
        var (records, last) = (new JsonArray(), "");
        foreach (var shard in description["StreamDescription"]!["Shards"]!.AsArray().Select(s => (string)s!["ShardId"]!))
        {
            var (given, answer) = await PostAsync("Streams.GetShardIterator", JsonSerializer.Serialize(new { StreamArn = stream, ShardId = shard, ShardIteratorType = "TRIM_HORIZON" }));
            if (!given)
                return (false, answer);
            for (var iterator = (string?)answer["ShardIterator"]; iterator is not null;)
            {
                var (read, page) = await PostAsync("Streams.GetRecords", JsonSerializer.Serialize(new { ShardIterator = iterator }));
                if (!read)
                    return (false, page);
                if (page["Records"]!.AsArray() is { Count: > 0 } some)
                {
                    foreach (var record in some)
                        records.Add(record!.DeepClone());
                    last = shard;
                    iterator = (string?)page["NextShardIterator"];
                }
                else
                {
                    iterator = null;
                }
            }
        }

        return (true, new JsonObject { ["Records"] = records, ["Shard"] = last });
    }

    private static JsonNode? Pick(JsonNode body, string path) => path.Split('.').Aggregate((JsonNode?)body,
        (node, name) => node is JsonArray list ? list[int.Parse(name, CultureInfo.InvariantCulture)] : node?[name])?.DeepClone();

    /// <summary>A copy with the placeholders replaced and the shorthands written out.</summary>
    private JsonNode? Fill(JsonNode? node)
    {
        switch (node)
        {
            case JsonValue value when value.TryGetValue<string>(out var text):
                if (text.StartsWith('$') && _kept.TryGetValue(text[1..], out var whole))
                    return whole?.DeepClone();
                return Fill(text);
            case JsonArray list:
                var elements = new JsonArray();
                foreach (var element in list)
                {
                    if (element is JsonObject { Count: 2 } each && each["each"] is { } count && each["of"] is { } pattern)
                    {
                        for (var i = 0; i < (int)count; i++)
                        {
                            _kept["i"] = i.ToString(CultureInfo.InvariantCulture);
                            elements.Add(Fill(pattern));
                        }
                    }
                    else
                    {
                        elements.Add(Fill(element));
                    }
                }

                return elements;
            case JsonObject { Count: 2 } shorthand when shorthand["repeat"] is { } part && shorthand["times"] is { } times:
                return new StringBuilder().Insert(0, (string)part!, (int)times).ToString();
            case JsonObject members:
                return new JsonObject(members.Select(m => KeyValuePair.Create(Fill(m.Key), Fill(m.Value))));
            default:
                return node?.DeepClone();
        }
    }

    private string Fill(string text) =>
        Placeholder().Replace(text, match => _kept.TryGetValue(match.Groups[1].Value, out var kept) ? (string)kept! : _prefix + match.Groups[1].Value);

    [GeneratedRegex(@"\$([A-Za-z]\w*)")]
    private static partial Regex Placeholder();
}
