using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Amazon.DynamoDBv2.DocumentModel;
using Amazon.DynamoDBv2.Model;
using ChatPlatform.CdcLambda;
using ChatPlatform.CdcLambda.Streams;
using ChatPlatform.Contracts.Json;
using ChatPlatform.Smoke.Conversations;

namespace ChatPlatform.Benchmarks.Cdc;

/// <summary>What the comparison came to.</summary>
/// <param name="MegabytesPerSecond">Of the event, by the CDC function's reader.</param>
/// <param name="Ratio">To the same in Node.</param>
internal sealed record UnwrapResult(double MegabytesPerSecond, double Ratio);

/// <summary>
/// From a stream event's UTF-8 to flat JSON lines: the CDC function's reader, next to what AWS offers: <c>unmarshall</c> of <c>@aws-sdk/util-dynamodb</c> in
/// Node (bytes → <c>JSON.parse</c> → <c>unmarshall</c> → <c>JSON.stringify</c> → bytes) and <c>Document.ToJson</c> of the SDK for .NET (event →
/// <see cref="AttributeValue"/> → <see cref="Document"/> → text). Input: the conversation file as one event, each record whole as Lambda gives it. Each on one
/// thread, in turn, the median of five rounds after a warm-up. MB are those of the event. The lines of ours and of Node must say the same.
/// </summary>
internal static class UnwrapComparison
{
    private const int Rounds = 5;
    private const string Arn = "arn:aws:dynamodb:ap-northeast-2:123456789012:table/chat-log/stream/2026-03-01T00:00:00.000";

    /// <exception cref="InvalidOperationException">Node fails, or makes other lines.</exception>
    public static async Task<UnwrapResult> RunAsync(TextWriter output, string root, bool quick)
    {
        var time = TimeSpan.FromSeconds(quick ? 0.3 : 1);
        var conversation = ConversationLoader.Load(Path.Combine(AppContext.BaseDirectory, "data", "conversation.jsonl"));
        var source = Event(conversation);
        var count = conversation.Messages.Count;
        using var lines = new LineBuffer(1 << 20);
        var records = new List<StreamRecord>(count);
        var reader = new StreamEventReader([], "type"u8.ToArray(), []);

        var ours = new List<Measure>();
        var sdk = new List<Measure>();
        for (var round = 0; round <= Rounds; round++)
        {
            var (a, b) = (Time(() => Unwrap(reader, source, lines, records), time), Time(() => UnwrapWithSdk(source), time));
            if (round == 0)
                continue;
            ours.Add(a);
            sdk.Add(b);
        }

        var (mine, peer) = (Median(ours), Median(sdk));
        var node = await NodeAsync(root, source, lines.Written, time);
        output.WriteLine($"unwrap: {count} records, {source.Length / 1e6:0.00} MB an event; {lines.Length / 1e6:0.00} MB of lines, the same from Node");
        output.WriteLine($"{"",-34}{"MB/s",10}{"records/s",12}{"bytes allocated/record",26}{"ours is",10}");
        output.WriteLine($"{"StreamEventReader",-34}{Speed(mine.Seconds),10:0.0}{count / mine.Seconds,12:0}{mine.Allocated / count,26:0}");
        output.WriteLine($"{"Node, @aws-sdk/util-dynamodb",-34}{Speed(node),10:0.0}{count / node,12:0}{"",26}{node / mine.Seconds,9:0.0}x");
        output.WriteLine($"{".NET SDK, Document.ToJson",-34}{Speed(peer.Seconds),10:0.0}{count / peer.Seconds,12:0}{peer.Allocated / count,26:0}{peer.Seconds / mine.Seconds,9:0.0}x");
        return new UnwrapResult(Speed(mine.Seconds), node / mine.Seconds);

        double Speed(double seconds) => source.Length / 1e6 / seconds;
    }

    /// <summary>The seconds of a pass in Node.</summary>
    private static async Task<double> NodeAsync(string root, byte[] source, ReadOnlyMemory<byte> expected, TimeSpan time)
    {
        var folder = Directory.CreateTempSubdirectory("bench-cdc-").FullName;
        try
        {
            var (eventFile, linesFile) = (Path.Combine(folder, "event.json"), Path.Combine(folder, "lines"));
            await File.WriteAllBytesAsync(eventFile, source);
            using var process = Process.Start(new ProcessStartInfo(
                "node",
                [
                    Path.Combine(root, "tests/ChatPlatform.Benchmarks/Cdc/unwrap.mjs"), eventFile, linesFile, time.TotalSeconds.ToString(CultureInfo.InvariantCulture), $"{Rounds}",
                    Path.Combine(root, "eng/npm/package.json"),
                ])
            { RedirectStandardOutput = true })!;
            var seconds = await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            if (process.ExitCode != 0)
                throw new InvalidOperationException($"Node ended with {process.ExitCode}.");
            if (!Plain(Encoding.UTF8.GetString(expected.Span)).SequenceEqual(Plain(await File.ReadAllTextAsync(linesFile))))
                throw new InvalidOperationException("Node makes other lines of the event.");
            return double.Parse(seconds, CultureInfo.InvariantCulture);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>The lines with every character as it is: how one is escaped is left to a writer (<c>\u007f</c>).</summary>
    private static IEnumerable<string> Plain(string lines) => lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!.ToJsonString());

    private static void Unwrap(StreamEventReader reader, byte[] source, LineBuffer lines, List<StreamRecord> records)
    {
        lines.Clear();
        records.Clear();
        reader.Read(source, lines, records);
    }

    private static int UnwrapWithSdk(byte[] source)
    {
        using var json = JsonDocument.Parse(source);
        var length = 0;
        foreach (var record in json.RootElement.GetProperty("Records").EnumerateArray())
        {
            var image = record.GetProperty("dynamodb").GetProperty("NewImage").EnumerateObject().ToDictionary(member => member.Name, member => Attribute(member.Value));
            length += Document.FromAttributeMap(image).ToJson().Length;
        }

        return length;
    }

    private static AttributeValue Attribute(JsonElement typed)
    {
        var member = typed.EnumerateObject().First();
        return member.Name switch
        {
            "S" => new AttributeValue { S = member.Value.GetString() },
            "N" => new AttributeValue { N = member.Value.GetString() },
            "M" => new AttributeValue { M = member.Value.EnumerateObject().ToDictionary(m => m.Name, m => Attribute(m.Value)) },
            var other => throw new InvalidOperationException($"The input holds no {other}."),
        };
    }

    /// <summary>How long one pass takes on the average of a round, and what it allocates.</summary>
    private static Measure Time(Action pass, TimeSpan time)
    {
        var (passes, allocated, watch) = (0, GC.GetAllocatedBytesForCurrentThread(), Stopwatch.StartNew());
        do
        {
            pass();
            passes++;
        }
        while (watch.Elapsed < time);
        return new Measure(watch.Elapsed.TotalSeconds / passes, (double)(GC.GetAllocatedBytesForCurrentThread() - allocated) / passes);
    }

    private static Measure Median(List<Measure> rounds) => rounds.OrderBy(round => round.Seconds).ElementAt(rounds.Count / 2);

    private static byte[] Event(Conversation conversation)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, new JsonWriterOptions { Encoder = WireEncoder.Instance }))
        {
            json.WriteStartObject();
            json.WriteStartArray("Records");
            foreach (var (index, message) in conversation.Messages.Index())
                WriteRecord(json, index + 1, message);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        return bytes.ToArray();
    }

    private static void WriteRecord(Utf8JsonWriter json, int number, ConversationMessage message)
    {
        var seq = $"{number}";
        json.WriteStartObject();
        json.WriteString("eventID", $"{number:x32}");
        json.WriteString("eventName", "INSERT");
        json.WriteString("eventVersion", "1.1");
        json.WriteString("eventSource", "aws:dynamodb");
        json.WriteString("awsRegion", "ap-northeast-2");
        json.WriteStartObject("dynamodb");
        json.WriteNumber("ApproximateCreationDateTime", 1_772_323_200 + number);
        json.WriteStartObject("Keys");
        Typed(json, "roomId", "S", message.Room);
        Typed(json, "seq", "N", seq);
        json.WriteEndObject();
        json.WriteStartObject("NewImage");
        Typed(json, "roomId", "S", message.Room);
        Typed(json, "seq", "N", seq);
        Typed(json, "type", "S", "message.created");
        Typed(json, "at", "S", "2026-03-01T00:00:00.000Z");
        Typed(json, "actorId", "S", message.From);
        json.WriteStartObject("message");
        json.WriteStartObject("M");
        Typed(json, "ordinal", "N", seq);
        Typed(json, "senderId", "S", message.From);
        Typed(json, "kind", "S", "text");
        Typed(json, "clientMessageId", "S", message.ClientMessageId);
        Typed(json, "createdAt", "S", "2026-03-01T00:00:00.000Z");
        Typed(json, "text", "S", message.Text);
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteString("SequenceNumber", $"{100_000_000_000_000_000 + number:D25}");
        json.WriteNumber("SizeBytes", 300);
        json.WriteString("StreamViewType", "NEW_AND_OLD_IMAGES");
        json.WriteEndObject();
        json.WriteString("eventSourceARN", Arn);
        json.WriteEndObject();
    }

    private static void Typed(Utf8JsonWriter json, string name, string type, string value)
    {
        json.WriteStartObject(name);
        json.WriteString(type, value);
        json.WriteEndObject();
    }

    private sealed record Measure(double Seconds, double Allocated);
}
