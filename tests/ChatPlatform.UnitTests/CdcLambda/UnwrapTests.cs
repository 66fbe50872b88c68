using System.Globalization;
using System.Text;
using System.Text.Json;
using ChatPlatform.AwsRules;
using ChatPlatform.CdcLambda;
using ChatPlatform.CdcLambda.Streams;

namespace ChatPlatform.UnitTests.CdcLambda;

public sealed class UnwrapTests
{
    private const string Types = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html";
    private const string Limits = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html";
    private const string Event = "https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html";
    private const string View = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html";

    /// <summary>Source of the rule, the NewImage, its line without the newline.</summary>
    public static TheoryData<string, string, string> Rules => new()
    {
        { Types, """{"a":{"S":"x"}}""", """{"a":"x"}""" },
        { Types, """{"a":{"S":""}}""", """{"a":""}""" },
        { Types, """{"a":{"S":"안녕하세요 👋"}}""", """{"a":"안녕하세요 👋"}""" },
        { Types, """{"a":{"S":"\"q\" \\ \/ \n \u0001 \ud83d\udc4b"}}""", """{"a":"\"q\" \\ \/ \n \u0001 \ud83d\udc4b"}""" },
        { Types, """{"\u0061\"b":{"S":"x"}}""", """{"\u0061\"b":"x"}""" },
        { Types, """{"a":{"N":"42"}}""", """{"a":42}""" },
        { Types, """{"a":{"N":"-0.5"}}""", """{"a":-0.5}""" },
        { Types, """{"a":{"N":"123456789012345678901234567890.12345678"}}""", """{"a":123456789012345678901234567890.12345678}""" },
        { Types, """{"a":{"N":"1E-130"}}""", """{"a":1E-130}""" },
        { Types, """{"a":{"BOOL":true},"b":{"BOOL":false}}""", """{"a":true,"b":false}""" },
        { Types, """{"a":{"NULL":true}}""", """{"a":null}""" },
        { Types, """{"a":{"B":"AQID/+=="}}""", """{"a":"AQID/+=="}""" },
        { Types, """{"a":{"SS":["x","y\n"]}}""", """{"a":["x","y\n"]}""" },
        { Types, """{"a":{"NS":["1","-2.5"]}}""", """{"a":[1,-2.5]}""" },
        { Types, """{"a":{"BS":["AQ==","Ag=="]}}""", """{"a":["AQ==","Ag=="]}""" },
        { Types, """{"a":{"L":[]}}""", """{"a":[]}""" },
        { Types, """{"a":{"M":{}}}""", """{"a":{}}""" },
        { Types, """{"a":{"L":[{"S":"x"},{"N":"1"},{"NULL":true},{"L":[{"BOOL":true}]}]}}""", """{"a":["x",1,null,[true]]}""" },
        { Types, """{"a":{"M":{"S":{"S":"S"},"N":{"M":{"L":{"L":[]}}}}}}""", """{"a":{"S":"S","N":{"L":[]}}}""" },
        { Types, """{"z":{"N":"1"},"a":{"N":"2"},"m":{"N":"3"}}""", """{"z":1,"a":2,"m":3}""" },
        { Types, """{ "a" : { "S" : " x " } , "b" : { "L" : [ { "N" : "1" } ] } }""", """{"a":" x ","b":[1]}""" },
        { View, "{}", "{}" },
    };

    [Theory]
    [MemberData(nameof(Rules))]
    public void An_item_becomes_plain_json_with_its_bytes_and_order_kept(string source, string image, string line)
    {
        source.ShouldStartWith("https://docs.aws.amazon.com/");
        Lines(Stream(image)).ShouldBe([line]);
    }

    [Theory]
    [InlineData(Types, """{"a":{"X":"x"}}""")]
    [InlineData(Types, """{"a":{}}""")]
    [InlineData(Types, """{"a":"x"}""")]
    [InlineData(Types, """{"a":{"S":"x","N":"1"}}""")]
    [InlineData(Types, """{"a":{"S":1}}""")]
    [InlineData(Types, """{"a":{"N":1}}""")]
    [InlineData(Types, """{"a":{"N":"abc"}}""")]
    [InlineData(Types, """{"a":{"N":"1,\"x\":2"}}""")]
    [InlineData(Types, """{"a":{"N":"01"}}""")]
    [InlineData(Types, """{"a":{"N":"NaN"}}""")]
    [InlineData(Types, """{"a":{"BOOL":"true"}}""")]
    [InlineData(Types, """{"a":{"NULL":false}}""")]
    [InlineData(Types, """{"a":{"SS":"x"}}""")]
    [InlineData(Types, """{"a":{"SS":[1]}}""")]
    [InlineData(Types, """{"a":{"NS":["x"]}}""")]
    [InlineData(Types, """{"a":{"M":[]}}""")]
    [InlineData(Types, """{"a":{"L":{}}}""")]
    [InlineData(Types, "[]")]
    [InlineData(Types, "\"x\"")]
    public void A_malformed_item_leaves_no_line_and_is_named_by_its_sequence_number(string source, string image)
    {
        source.ShouldStartWith("https://docs.aws.amazon.com/");
        var text = Encoding.UTF8.GetBytes($$"""{"Records":[{{Record("""{"a":{"S":"before"}}""", "1")}},{{Record(image, "2")}},{{Record("""{"a":{"S":"after"}}""", "3")}}]}""");
        using var lines = new LineBuffer(16);
        var records = new List<StreamRecord>();
        Reader().Read(text, lines, records);

        records.Select(r => r.SequenceNumber(text)).ShouldBe(["1", "2", "3"]);
        records.Select(r => r.Problem is null).ShouldBe([true, false, true]);
        Encoding.UTF8.GetString(lines.Span).ShouldBe("{\"a\":\"before\"}\n{\"a\":\"after\"}\n");
    }

    [Fact]
    public void A_delete_leaves_no_line() // Event: eventName REMOVE has no NewImage.
    {
        Event.ShouldNotBeEmpty();
        Lines("""{"Records":[{"eventName":"REMOVE","dynamodb":{"Keys":{"k":{"S":"1"}},"OldImage":{"k":{"S":"1"}},"SequenceNumber":"9"}}]}""").ShouldBeEmpty();
    }

    [Fact]
    public void Dropped_fields_go_at_the_top_level_only_and_leave_sound_json_wherever_they_stand()
    {
        var reader = Reader(drop: ["secret", "한"]);
        Lines(Stream("""{"secret":{"S":"1"},"a":{"M":{"secret":{"S":"2"}}},"한":{"N":"3"},"b":{"N":"4"},"se\u0063ret":{"S":"5"}}"""), reader)
            .ShouldBe(["""{"a":{"secret":"2"},"b":4}"""]);
        Lines(Stream("""{"secret":{"S":"1"}}"""), reader).ShouldBe(["{}"]);
    }

    [Fact]
    public void Items_of_a_dropped_kind_leave_no_line_wherever_the_kind_stands()
    {
        var reader = Reader(kindField: "pk", dropKinds: ["dedupe"]);
        Lines(Stream("""{"a":{"S":"1"},"pk":{"S":"dedupe#r#u"},"b":{"N":"1"}}"""), reader).ShouldBeEmpty();
        Lines(Stream("""{"pk":{"S":"d\u0065dupe"}}"""), reader).ShouldBeEmpty();
        Lines(Stream("""{"pk":{"S":"dedupes#r"}}"""), reader).ShouldBe(["""{"pk":"dedupes#r"}"""]);
        Lines(Stream("""{"m":{"M":{"pk":{"S":"dedupe"}}}}"""), reader).ShouldBe(["""{"m":{"pk":"dedupe"}}"""]);
        Lines(Stream("""{"pk":{"N":"1"}}"""), reader).ShouldBe(["""{"pk":1}"""]);
    }

    [Fact]
    public void An_item_nested_to_dynamodbs_limit_is_unwrapped() // Limits: 32 levels.
    {
        Limits.ShouldNotBeEmpty();
        var (value, plain) = ("""{"S":"x"}""", "\"x\"");
        for (var level = 0; level < 32; level++)
            (value, plain) = ($$$"""{"M":{"a":{{{value}}}}}""", $$$"""{"a":{{{plain}}}}""");
        Lines(Stream($$$"""{"a":{{{value}}}}""")).ShouldBe([$$$"""{"a":{{{plain}}}}"""]);
    }

    [Theory]
    [AwsPage("https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html")]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"Records":{}}""")]
    [InlineData("""{"Records":[1]}""")]
    [InlineData("""{"Records":[{"dynamodb":{"NewImage":{}}}]}""")]
    [InlineData("""{"Records":[{"dynamodb":{"SequenceNumber":"1","NewImage":{"a":{"S":"x"}""")]
    public void What_is_no_stream_event_fails_the_invocation(string text) => Should.Throw<FormatException>(() => Lines(text));

    [Fact]
    public void Random_items_are_unwrapped_as_a_plain_reference_does()
    {
        var random = new Random(20_251_122);
        for (var i = 0; i < 3_000; i++)
        {
            var image = new StringBuilder("{");
            var count = random.Next(6);
            for (var a = 0; a < count; a++)
                image.Append(a == 0 ? "" : ",").Append(JsonSerializer.Serialize($"k{a}{RandomText(random)}")).Append(':').Append(RandomValue(random, 4));
            image.Append('}');

            var line = Lines(Stream(image.ToString())).Single();
            using var typed = JsonDocument.Parse(image.ToString());
            using var plain = JsonDocument.Parse(line);
            var expected = string.Concat("{", string.Join(',', typed.RootElement.EnumerateObject().Select(p => Key(p.Name) + Reference(p.Value))), "}");
            Canonical(plain.RootElement).ShouldBe(expected, $"seed item {i}: {image}");
        }
    }

    [Fact]
    public void Random_damage_never_gives_a_line_that_is_no_json()
    {
        var random = new Random(7);
        var sound = Encoding.UTF8.GetBytes(Stream("""{"a":{"S":"x\n"},"b":{"M":{"c":{"L":[{"N":"1.5"},{"BOOL":true},{"NULL":true}]}}},"d":{"NS":["1","2"]}}"""));
        for (var i = 0; i < 20_000; i++)
        {
            var text = (byte[])sound.Clone();
            for (var d = random.Next(1, 4); d > 0; d--)
                text[random.Next(text.Length)] = (byte)random.Next(256);
            using var lines = new LineBuffer(16);
            try
            {
                Reader(drop: ["b"], dropKinds: ["k"]).Read(text, lines, []);
            }
            catch (FormatException)
            {
                continue;
            }

            foreach (var line in Encoding.Latin1.GetString(lines.Span).Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                // Damage inside a string may be no UTF-8 any more; only the structure is looked at.
                using var document = JsonDocument.Parse(line);
                document.RootElement.ValueKind.ShouldBe(JsonValueKind.Object);
            }
        }
    }

    private static string Stream(string image) => $$"""{"Records":[{{Record(image, "100")}}]}""";

    private static string Record(string image, string sequence) =>
        $$$"""{"eventID":"1","eventName":"INSERT","dynamodb":{"ApproximateCreationDateTime":1,"Keys":{"k":{"S":"1"}},"NewImage":{{{image}}},"SequenceNumber":"{{{sequence}}}","SizeBytes":1},"eventSourceARN":"arn"}""";

    private static StreamEventReader Reader(string[]? drop = null, string kindField = "kind", string[]? dropKinds = null) =>
        new([.. (drop ?? []).Select(Encoding.UTF8.GetBytes)], Encoding.UTF8.GetBytes(kindField), [.. (dropKinds ?? []).Select(Encoding.UTF8.GetBytes)]);

    private static string[] Lines(string text, StreamEventReader? reader = null)
    {
        using var lines = new LineBuffer(16);
        var records = new List<StreamRecord>();
        (reader ?? Reader()).Read(Encoding.UTF8.GetBytes(text), lines, records);
        records.Where(r => r.Problem is not null).ShouldBeEmpty();
        return Encoding.UTF8.GetString(lines.Span).Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private static string RandomText(Random random)
    {
        string[] pieces = ["x", "한", "👋", "\"", "\\", "\n", "\u0001", "/", " ", "S", "é"];
        return string.Concat(Enumerable.Range(0, random.Next(6)).Select(_ => pieces[random.Next(pieces.Length)]));
    }

    private static string RandomNumber(Random random) => random.Next(4) switch
    {
        0 => random.Next(-1000, 1000).ToString(CultureInfo.InvariantCulture),
        1 => (random.NextDouble() * 1000 - 500).ToString("0.0###", CultureInfo.InvariantCulture),
        2 => $"{random.Next(1, 10)}E-{random.Next(1, 120)}",
        _ => random.NextInt64().ToString(CultureInfo.InvariantCulture),
    };

    private static string RandomValue(Random random, int depth)
    {
        var text = () => JsonSerializer.Serialize(RandomText(random));
        return random.Next(depth > 0 ? 10 : 8) switch
        {
            0 or 1 => $$"""{"S":{{text()}}}""",
            2 => $$"""{"N":"{{RandomNumber(random)}}"}""",
            3 => $$"""{"BOOL":{{(random.Next(2) == 0 ? "true" : "false")}}}""",
            4 => """{"NULL":true}""",
            5 => $$"""{"B":"{{Convert.ToBase64String(BitConverter.GetBytes(random.NextInt64()))}}"}""",
            6 => $$"""{"SS":[{{string.Join(',', Enumerable.Range(0, random.Next(1, 4)).Select(_ => text()))}}]}""",
            7 => $$"""{"NS":[{{string.Join(',', Enumerable.Range(0, random.Next(1, 4)).Select(_ => $"\"{RandomNumber(random)}\""))}}]}""",
            8 => $$"""{"L":[{{string.Join(',', Enumerable.Range(0, random.Next(4)).Select(_ => RandomValue(random, depth - 1)))}}]}""",
            _ => "{\"M\":{" + string.Join(',', Enumerable.Range(0, random.Next(4)).Select(n => $"\"m{n}\":" + RandomValue(random, depth - 1))) + "}}",
        };
    }

    private static string Key(string name) => JsonSerializer.Serialize(name) + ":";

    /// <summary>The slow, obvious way: an object per value.</summary>
    private static string Reference(JsonElement value)
    {
        var typed = value.EnumerateObject().Single();
        var v = typed.Value;
        return typed.Name switch
        {
            "S" or "B" => JsonSerializer.Serialize(v.GetString()),
            "N" => v.GetString()!,
            "BOOL" => v.GetBoolean() ? "true" : "false",
            "NULL" => "null",
            "SS" or "BS" => $"[{string.Join(',', v.EnumerateArray().Select(e => JsonSerializer.Serialize(e.GetString())))}]",
            "NS" => $"[{string.Join(',', v.EnumerateArray().Select(e => e.GetString()))}]",
            "L" => $"[{string.Join(',', v.EnumerateArray().Select(Reference))}]",
            _ => string.Concat("{", string.Join(',', v.EnumerateObject().Select(p => Key(p.Name) + Reference(p.Value))), "}"),
        };
    }

    private static string Canonical(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => string.Concat("{", string.Join(',', value.EnumerateObject().Select(p => Key(p.Name) + Canonical(p.Value))), "}"),
        JsonValueKind.Array => $"[{string.Join(',', value.EnumerateArray().Select(Canonical))}]",
        JsonValueKind.String => JsonSerializer.Serialize(value.GetString()),
        _ => value.GetRawText(),
    };
}
