using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using ChatPlatform.LocalAws.DynamoDb.Expressions;
using ChatPlatform.LocalAws.DynamoDb.Operations;
using ChatPlatform.LocalAws.DynamoDb.Tables;
using ChatPlatform.LocalAws.DynamoDb.Values;
using ChatPlatform.LocalAws.Protocol;
using Microsoft.Extensions.Time.Testing;

namespace ChatPlatform.UnitTests.LocalAws;

/// <summary>
/// More than a million inputs from a fixed seed: expressions, items and whole requests, mutated from valid ones, put together from tokens, or of random characters.
/// Whatever comes in, AWS's errors come out and nothing else, and at once; what is accepted is carried out too. What once broke is a row of a table below.
/// </summary>
public sealed class ForeignInputTests
{
    private const int Seed = 20_260_512;
    private const int Expressions = 800_000;
    private const int Items = 250_000;
    private const int Requests = 60_000;
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(60);

    private static readonly string[] Conditions =
    [
        "a = :n", "#n <> :s AND NOT b < :n", "a BETWEEN :n AND :m OR (c IN (:s, :n, d) AND attribute_exists(e.f[0].#n))", "size(l[1]) >= :n", "begins_with(s, :s)",
        "contains(ss, :s) OR contains(l, :n)", "attribute_type(m.x, :t)", "attribute_not_exists(zz)", "NOT (NOT (a = :n))", "m.x.y[2][3] = :l", ":n = :m", "bb > :b",
    ];

    private static readonly string[] Updates =
    [
        "SET a = :n", "SET a = a + :n, b = if_not_exists(b, :n) - :m REMOVE c, l[0], m.x ADD n :n, ss :ss DELETE ns :ns", "SET l = list_append(l, :l)", "SET l[0] = l[1], l[9] = :s",
        "SET m.#n = :m, m.z = if_not_exists(m.q, if_not_exists(m.r, :s))", "REMOVE m.x.y[2]", "ADD m.count :n", "DELETE ss :ss", "SET l = list_append(if_not_exists(zz, :l), :l) REMOVE zz",
    ];

    private static readonly string[] Projections = ["a", "a, b.c, #n", "l[0], l[2].x, m.x.y", "m, ss", "#n.#n[0][1]"];

    private static readonly string[] KeyConditions = ["pk = :s AND sk BETWEEN :n AND :m", "pk = :s", "sk >= :n AND pk = :s", "#pk = :s AND begins_with(sk, :s)", "(pk = :s) AND (sk < :n)"];

    private static readonly string[] Tokens =
    [
        "a", "l", "m", "ss", "pk", "sk", "#n", "#pk", "#zz", ":n", ":s", ":l", ":ss", ":ns", ":zz", " ", " ", " ", "(", ")", "[", "]", "0", "1", "99999999999", ".", ",", "=", "<>", "<", ">=", " AND ", " or ", "NOT ",
        " BETWEEN ", " IN ", "SET ", "REMOVE ", "ADD ", "DELETE ", "size(", "contains(", "begins_with(", "attribute_exists(", "attribute_type(", "if_not_exists(", "list_append(", "+", "-", "\0", "é", "\ud800", "_", "#", ":",
        "select", "\t", "\u2028", "\U0001F600",
    ];

    private static readonly string[] Placeholders =
    [
        """{"#n":"name","#pk":"pk"}""",
        """{":n":{"N":"5"},":m":{"N":"7.25"},":s":{"S":"x"},":t":{"S":"SS"},":b":{"B":"AAE="},":l":{"L":[{"S":"a"},{"N":"1"}]},":ss":{"SS":["a","b"]},":ns":{"NS":["1","2.5"]}}""",
    ];

    private static readonly string[] Stored =
    [
        "{}",
        """{"pk":{"S":"x"},"sk":{"N":"6"},"a":{"N":"5"},"b":{"N":"-1.5"},"c":{"S":"x"},"s":{"S":"xyz"},"l":{"L":[{"S":"a"},{"L":[{"N":"1"}]},{"M":{"x":{"N":"1"}}}]},"m":{"M":{"x":{"M":{"y":{"L":[]}}},"count":{"N":"3"},"name":{"S":"q"}}},"ss":{"SS":["a","x"]},"ns":{"NS":["1"]},"bb":{"B":"AAEC"},"n":{"N":"9"},"name":{"L":[{"L":[{"S":"d"},{"NULL":true}]}]}}""",
        """{"a":{"SS":["5"]},"b":{"M":{"c":{"BOOL":false}}},"l":{"S":"no list"},"m":{"L":[]},"ss":{"NS":["1"]},"s":{"B":""},"name":{"NULL":true}}""",
    ];

    [Fact]
    public async Task An_expression_is_carried_out_or_refused_and_nothing_else()
    {
        var random = new Random(Seed);
        var items = Stored.Select(Read).ToArray();
        var accepted = 0;
        await ForAllAsync(Expressions, i =>
        {
            var kind = i % 4;
            var text = Mutate(random, kind switch { 0 => Conditions, 1 => Updates, 2 => Projections, _ => KeyConditions });
            accepted += Survives(() => Carry(kind, text, items), () => $"seed {Seed}, input {i}, kind {kind}: {text}") ? 1 : 0;
        });

        // Enough of both, or the inputs are no test.
        accepted.ShouldBeInRange(Expressions / 50, Expressions * 49 / 50);
    }

    [Fact]
    public async Task An_item_is_read_and_written_back_the_same_or_refused()
    {
        var random = new Random(Seed + 1);
        var corpus = Stored.Append("""{"x":{"S":"\u00e9\ud83d\ude00\n"},"n":{"N":"-1.0E-10"},"big":{"N":"12345678901234567890123456789012345678"},"bs":{"BS":["AA==","AQ=="]},"t":{"BOOL":true}}""")
            .Append(Nested(30)).Select(Encoding.UTF8.GetBytes).ToArray();
        var accepted = 0;
        await ForAllAsync(Items, i =>
        {
            var bytes = Mutate(random, corpus[random.Next(corpus.Length)]);
            accepted += Survives(() => ReadTwice(bytes), () => $"seed {Seed + 1}, input {i}: {Convert.ToBase64String(bytes)}") ? 1 : 0;
        });

        accepted.ShouldBeInRange(Items / 50, Items * 49 / 50);
    }

    [Fact]
    public async Task A_request_is_answered_or_refused_and_the_service_goes_on()
    {
        var random = new Random(Seed + 2);
        await using var dynamoDb = new LocalAwsServices(null, new FakeTimeProvider());
        (string Operation, string Body)[] corpus =
        [
            ("CreateTable", """{"TableName":"rooms","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"N"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],"LocalSecondaryIndexes":[{"IndexName":"local","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],"Projection":{"ProjectionType":"ALL"}}],"StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_IMAGE"}}"""),
            ("PutItem", $$"""{"TableName":"rooms","Item":{{Stored[1]}},"ConditionExpression":"attribute_not_exists(#n)","ExpressionAttributeNames":{"#n":"zz"},"ReturnValues":"ALL_OLD","ReturnConsumedCapacity":"INDEXES"}"""),
            ("GetItem", """{"TableName":"rooms","Key":{"pk":{"S":"x"},"sk":{"N":"6"}},"ProjectionExpression":"a, l[0], m.x","ConsistentRead":true}"""),
            ("UpdateItem", """{"TableName":"rooms","Key":{"pk":{"S":"x"},"sk":{"N":"6"}},"UpdateExpression":"SET a = a + :n REMOVE l[0]","ExpressionAttributeValues":{":n":{"N":"1"}},"ReturnValues":"UPDATED_NEW"}"""),
            ("Query", """{"TableName":"rooms","IndexName":"local","KeyConditionExpression":"pk = :p AND sk > :n","ExpressionAttributeValues":{":p":{"S":"x"},":n":{"N":"1"}},"Limit":3,"ScanIndexForward":false,"ExclusiveStartKey":{"pk":{"S":"x"},"sk":{"N":"6"}}}"""),
            ("Scan", """{"TableName":"rooms","FilterExpression":"a > :n","ExpressionAttributeValues":{":n":{"N":"1"}},"Segment":1,"TotalSegments":4,"Select":"COUNT"}"""),
            ("BatchWriteItem", """{"RequestItems":{"rooms":[{"PutRequest":{"Item":{"pk":{"S":"y"},"sk":{"N":"1"}}}},{"DeleteRequest":{"Key":{"pk":{"S":"z"},"sk":{"N":"2"}}}}]}}"""),
            ("BatchGetItem", """{"RequestItems":{"rooms":{"Keys":[{"pk":{"S":"x"},"sk":{"N":"6"}}],"ProjectionExpression":"a"}}}"""),
            ("TransactWriteItems", """{"ClientRequestToken":"t1","TransactItems":[{"Put":{"TableName":"rooms","Item":{"pk":{"S":"t"},"sk":{"N":"1"}}}},{"ConditionCheck":{"TableName":"rooms","Key":{"pk":{"S":"x"},"sk":{"N":"6"}},"ConditionExpression":"attribute_exists(pk)"}}]}"""),
            ("TransactGetItems", """{"TransactItems":[{"Get":{"TableName":"rooms","Key":{"pk":{"S":"x"},"sk":{"N":"6"}}}}]}"""),
            ("UpdateTimeToLive", """{"TableName":"rooms","TimeToLiveSpecification":{"AttributeName":"ttl","Enabled":true}}"""),
            ("ListTables", """{"Limit":1,"ExclusiveStartTableName":"aaa"}"""),
        ];
        (await dynamoDb.AnswerAsync("DynamoDB_20120810.CreateTable", Encoding.UTF8.GetBytes(corpus[0].Body))).Error.ShouldBeNull();
        for (var i = 0; i < Requests; i++)
        {
            var (operation, body) = corpus[random.Next(corpus.Length)];
            var bytes = Mutate(random, Encoding.UTF8.GetBytes(body));
            try
            {
                using var answer = await dynamoDb.AnswerAsync($"DynamoDB_20120810.{operation}", bytes);
                answer.Error.ShouldNotBe("InternalServerError");
            }
            catch (Exception error)
            {
                throw new InvalidOperationException($"seed {Seed + 2}, input {i}, {operation}: {Convert.ToBase64String(bytes)}", error);
            }
        }
    }

    /// <summary>Bodies that once ended in another exception than AWS's.</summary>
    [Theory]
    [InlineData("""{"TableName":"rooms","Item":{"\ud800":{"S":"x"}}}""")]
    [InlineData("""{"\udc00":1}""")]
    [InlineData("""{"TableName":"rooms","ExpressionAttributeNames":{"#\ud800":"a"}}""")]
    [InlineData("""{"TableName":"\ud800"}""")]
    public async Task A_body_that_is_no_Unicode_is_a_SerializationException(string body)
    {
        await using var dynamoDb = new LocalAwsServices(null, new FakeTimeProvider());
        using var answer = await dynamoDb.AnswerAsync("DynamoDB_20120810.PutItem", Encoding.UTF8.GetBytes(body));
        answer.Error.ShouldBe("SerializationException");
    }

    /// <summary>Expressions that once ended in another exception than AWS's.</summary>
    [Theory]
    [InlineData(" ")]
    [InlineData("\t\n")]
    public void An_expression_of_white_space_is_a_syntax_error(string text)
    {
        Should.Throw<AwsException>(() => ExpressionParser.ParseCondition(text, "FilterExpression", Names())).Message.ShouldContain("<EOF>");
        Should.Throw<AwsException>(() => ExpressionParser.ParseProjection(text, Names())).Message.ShouldContain("<EOF>");
    }

    /// <summary>https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html: 32 levels.</summary>
    [Theory]
    [InlineData(32, true)]
    [InlineData(33, false)]
    [InlineData(60, false)]
    [InlineData(5_000, false)]
    public void Nesting_ends_at_32_levels(int levels, bool accepted)
    {
        var bytes = Encoding.UTF8.GetBytes(Nested(levels - 1));
        if (accepted)
            ReadTwice(bytes);
        else
            Should.Throw<AwsException>(() => ReadTwice(bytes)).Type.ShouldBeOneOf("ValidationException", "SerializationException");
    }

    [Theory]
    [InlineData("NOT ")]
    [InlineData("(")]
    [InlineData("a = :n AND ")]
    [InlineData("size(")]
    [InlineData("a[0]")]
    [InlineData("a.")]
    public void A_condition_of_the_longest_length_is_refused_before_the_stack_ends(string piece) =>
        Should.Throw<AwsException>(() => ExpressionParser.ParseCondition(string.Concat(Enumerable.Repeat(piece, 4_000 / piece.Length)), "FilterExpression", Names()));

    [Fact]
    public void An_update_of_the_longest_length_is_refused_before_the_stack_ends() =>
        Should.Throw<AwsException>(() => ExpressionParser.ParseUpdate("SET a = " + string.Concat(Enumerable.Repeat("if_not_exists(a, ", 230)), Names()));

    /// <summary>Runs all inputs on a thread of their own and watches that no single one takes <see cref="Longest"/>.</summary>
    private static async Task ForAllAsync(int inputs, Action<int> one)
    {
        var at = 0;
        var work = Task.Factory.StartNew(
            () =>
            {
                for (; at < inputs; at++)
                    one(at);
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        while (!work.IsCompleted)
        {
            var before = Volatile.Read(ref at);
            await Task.WhenAny(work, Task.Delay(Longest));
            if (!work.IsCompleted && Volatile.Read(ref at) == before)
                throw new TimeoutException($"Input {before} takes more than {Longest}.");
        }

        await work;
    }

    private static bool Survives(Action action, Func<string> what)
    {
        try
        {
            action();
            return true;
        }
        catch (AwsException error) when (error.Type is "ValidationException" or "SerializationException")
        {
            return false;
        }
        catch (Exception error)
        {
            throw new InvalidOperationException(what(), error);
        }
    }

    private static void Carry(int kind, string text, Item[] items)
    {
        switch (kind)
        {
            case 0:
                var condition = ExpressionParser.ParseCondition(text, "ConditionExpression", Names());
                foreach (var item in items)
                    ConditionEvaluator.Holds(condition, item);
                break;
            case 1:
                var actions = ExpressionParser.ParseUpdate(text, Names());
                foreach (var item in items)
                    Write(UpdateEvaluator.Apply(item, actions));
                break;
            case 2:
                var projection = new Projection(ExpressionParser.ParseProjection(text, Names()));
                foreach (var item in items)
                    Write(projection.Apply(item));
                break;
            default:
                KeyCondition.Parse(text, Names(), Table.Keys, Table).Includes([1, 2, 3]);
                break;
        }
    }

    private static readonly TableDefinition Table = new()
    {
        Number = 1,
        Name = "rooms",
        Id = "",
        CreatedAt = default,
        AttributeTypes = new() { ["pk"] = AttributeType.S, ["sk"] = AttributeType.N },
        Keys = new("pk", "sk"),
        Indexes = [],
        BillingMode = "PAY_PER_REQUEST",
        Throughput = new(0, 0),
    };

    private static ExpressionNames Names() => new(NameMembers, ValueMembers);

    private static readonly JsonElement NameMembers = JsonDocument.Parse(Placeholders[0]).RootElement;
    private static readonly JsonElement ValueMembers = JsonDocument.Parse(Placeholders[1]).RootElement;

    private static Item Read(string json) => AttributeJson.ReadItem(JsonDocument.Parse(json).RootElement, "Item");

    private static void ReadTwice(byte[] bytes)
    {
        using var first = DynamoDbService.Parse(bytes);
        var item = AttributeJson.ReadItem(first.RootElement, "Item");
        using var second = DynamoDbService.Parse(Write(item));
        AttributeJson.ReadItem(second.RootElement, "Item").ValueEquals(item).ShouldBeTrue();
    }

    private static byte[] Write(Item item)
    {
        var bytes = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(bytes, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            AttributeJson.Write(json, item);
        return bytes.WrittenSpan.ToArray();
    }

    /// <summary>An item whose value is nested that many levels below the first.</summary>
    private static string Nested(int levels)
    {
        var text = new StringBuilder("{\"a\":");
        for (var i = 0; i < levels; i++)
            text.Append(i % 2 == 0 ? "{\"L\":[" : "{\"M\":{\"m\":");
        text.Append("{\"S\":\"x\"}");
        for (var i = levels - 1; i >= 0; i--)
            text.Append(i % 2 == 0 ? "]}" : "}}");
        return text.Append('}').ToString();
    }

    private static string Mutate(Random random, string[] corpus)
    {
        var text = new StringBuilder();
        switch (random.Next(4))
        {
            case 0:
                for (var length = random.Next(1, 14); length > 0; length--)
                    text.Append(Tokens[random.Next(Tokens.Length)]);
                return text.ToString();
            case 1 when random.Next(4) == 0:
                for (var length = random.Next(1, 30); length > 0; length--)
                    text.Append((char)random.Next(random.Next(2) == 0 ? 128 : 65_536));
                return text.ToString();
            default:
                text.Append(corpus[random.Next(corpus.Length)]);
                for (var changes = random.Next(0, 3); changes > 0; changes--)
                {
                    var at = random.Next(text.Length + 1);
                    switch (random.Next(5))
                    {
                        case 0:
                            text.Remove(at, Math.Min(random.Next(1, 6), text.Length - at));
                            break;
                        case 1:
                            text.Insert(at, corpus[random.Next(corpus.Length)]);
                            break;
                        case 2 when random.Next(20) == 0:
                            text.Insert(at, Tokens[random.Next(Tokens.Length)], random.Next(1, 500));
                            break;
                        default:
                            text.Insert(at, Tokens[random.Next(Tokens.Length)]);
                            break;
                    }
                }

                return text.ToString();
        }
    }

    private static byte[] Mutate(Random random, byte[] valid)
    {
        string[] pieces = ["{", "}", "[", "]", "\"", ":", ",", "null", "true", "1e999", "-0", "\\ud800", "\\u0000", "\"S\"", "\"N\"", "\"M\"", "{\"L\":[", "{\"M\":{\"m\":", "\"\"", "1e-400", "\"NaN\"", "\"1e130\""];
        var bytes = new List<byte>(valid);
        for (var changes = random.Next(0, 4); changes > 0 && bytes.Count > 0; changes--)
        {
            var at = random.Next(bytes.Count);
            switch (random.Next(6))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes.RemoveRange(at, Math.Min(random.Next(1, 10), bytes.Count - at));
                    break;
                case 2:
                    bytes.InsertRange(at, bytes.GetRange(at, Math.Min(random.Next(1, 60), bytes.Count - at)));
                    break;
                case 3:
                    bytes[at] = (byte)"{}[]\",:0159eSNBMLx\\"[random.Next(19)];
                    break;
                default:
                    var piece = Encoding.UTF8.GetBytes(pieces[random.Next(pieces.Length)]);
                    for (var times = random.Next(12) == 0 ? random.Next(200) : 1; times > 0; times--)
                        bytes.InsertRange(at, piece);
                    break;
            }
        }

        return [.. bytes];
    }
}
