using System.Diagnostics;
using System.Text.Json;
using Amazon.DynamoDBv2.DocumentModel;
using Amazon.DynamoDBv2.Model;
using ChatPlatform.CdcLambda;
using ChatPlatform.CdcLambda.Streams;
using ChatPlatform.Smoke.Conversations;

namespace ChatPlatform.Benchmarks;

/// <summary>
/// From a stream event's UTF-8 to flat JSON lines: the CDC function's reader, next to what the AWS SDK for .NET offers (event → <see cref="AttributeValue"/> →
/// <see cref="Document"/> → <c>ToJson</c>). Input: the conversation file as one event of chat-log items. Both run on one thread, in turn, five rounds after a warm-up;
/// the medians count. MB are those of the event.
/// </summary>
internal static class UnwrapBenchmark
{
    private const int Rounds = 5;
    private static readonly TimeSpan RoundTime = TimeSpan.FromSeconds(1);

    public static void Run(TextWriter output)
    {
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
            var (a, b) = (Time(() => Unwrap(reader, source, lines, records)), Time(() => UnwrapWithSdk(source)));
            if (round == 0)
                continue;
            ours.Add(a);
            sdk.Add(b);
        }

        var (mine, peer) = (Median(ours), Median(sdk));
        output.WriteLine($"{count} records, {source.Length / 1e6:0.0} MB an event");
        output.WriteLine($"{"",-22}{"MB/s",10}{"bytes allocated/record",26}");
        output.WriteLine($"{"StreamEventReader",-22}{Speed(mine),10:0.0}{mine.Allocated / count,26:0}");
        output.WriteLine($"{"SDK Document.ToJson",-22}{Speed(peer),10:0.0}{peer.Allocated / count,26:0}");
        output.WriteLine(FormattableString.Invariant(
            $"RESULT unwrap mb_s={Speed(mine):0.0} sdk_mb_s={Speed(peer):0.0} sdk_ratio={Speed(mine) / Speed(peer):0.0} bytes_per_record={mine.Allocated / count:0}"));

        double Speed(Measure measure) => source.Length / 1e6 / measure.Seconds;
    }

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
    private static Measure Time(Action pass)
    {
        var (passes, allocated, watch) = (0, GC.GetAllocatedBytesForCurrentThread(), Stopwatch.StartNew());
        do
        {
            pass();
            passes++;
        }
        while (watch.Elapsed < RoundTime);
        return new Measure(watch.Elapsed.TotalSeconds / passes, (double)(GC.GetAllocatedBytesForCurrentThread() - allocated) / passes);
    }

    private static Measure Median(List<Measure> rounds) => rounds.OrderBy(round => round.Seconds).ElementAt(rounds.Count / 2);

    private static byte[] Event(Conversation conversation)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            json.WriteStartArray("Records");
            foreach (var (index, message) in conversation.Messages.Index())
            {
                var seq = $"{index + 1}";
                json.WriteStartObject();
                json.WriteString("eventName", "INSERT");
                json.WriteStartObject("dynamodb");
                json.WriteStartObject("NewImage");
                Typed(json, "roomId", "S", message.Room);
                Typed(json, "seq", "N", seq);
                Typed(json, "type", "S", "message.created");
                Typed(json, "actorId", "S", message.From);
                json.WriteStartObject("message");
                json.WriteStartObject("M");
                Typed(json, "text", "S", message.Text);
                Typed(json, "clientMessageId", "S", message.ClientMessageId);
                Typed(json, "ordinal", "N", seq);
                json.WriteEndObject();
                json.WriteEndObject();
                json.WriteEndObject();
                json.WriteString("SequenceNumber", seq);
                json.WriteEndObject();
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return bytes.ToArray();
    }

    private static void Typed(Utf8JsonWriter json, string name, string type, string value)
    {
        json.WriteStartObject(name);
        json.WriteString(type, value);
        json.WriteEndObject();
    }

    private sealed record Measure(double Seconds, double Allocated);
}
