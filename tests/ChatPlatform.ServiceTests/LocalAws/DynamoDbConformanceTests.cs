using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;

namespace ChatPlatform.ServiceTests.LocalAws;

/// <summary>What DynamoDB does, case by case, through the real SDK. A row names the page of the developer guide (or of the API reference: <c>API_…</c>) that settles it.</summary>
public sealed class DynamoDbConformanceTests(LocalAwsFixture aws) : IClassFixture<LocalAwsFixture>
{
    private const string Sample = """
        {"pk":{"S":"k"},"s":{"S":"hello"},"n":{"N":"5"},"t":{"BOOL":true},"z":{"NULL":true},"ss":{"SS":["a","b"]},"ns":{"NS":["1","2"]},"e":{"S":""},
         "l":{"L":[{"N":"0"},{"S":"one"},{"N":"2"}]},"m":{"M":{"x":{"N":"1"},"y":{"M":{"w":{"S":"deep"}}}}}}
        """;

    private const string Values = """
        {":1":{"N":"1"},":2":{"N":"2"},":5":{"N":"5"},":9":{"N":"9"},":5d":{"N":"5.00"},":s":{"S":"hello"},":he":{"S":"he"},":a":{"S":"a"},":q":{"S":"q"},":t":{"BOOL":true},
         ":z":{"NULL":true},":ss":{"SS":["b","a"]},":sc":{"SS":["c"]},":sa":{"SS":["a"]},":sab":{"SS":["a","b"]},":n2":{"NS":["2.0","3"]},":l":{"L":[{"S":"new"}]},":m":{"M":{"q":{"N":"7"}}},
         ":tS":{"S":"S"},":tL":{"S":"L"},":e":{"S":""}}
        """;

    private IAmazonDynamoDB Db => aws.DynamoDb;

    [Theory]
    [InlineData("Expressions.OperatorsAndFunctions", "n = :5", true)]
    [InlineData("HowItWorks.NamingRulesDataTypes", "n = :5d", true)]
    [InlineData("Expressions.OperatorsAndFunctions", "n <> :5", false)]
    [InlineData("Expressions.OperatorsAndFunctions", "n > :2 AND n < :9", true)]
    [InlineData("Expressions.OperatorsAndFunctions", "n >= :5 AND n <= :5", true)]
    [InlineData("Expressions.OperatorsAndFunctions", "n BETWEEN :2 AND :9", true)]
    [InlineData("Expressions.OperatorsAndFunctions", "n IN (:1, :2, :5)", true)]
    [InlineData("Expressions.OperatorsAndFunctions", "n IN (:1, :2)", false)]
    [InlineData("Expressions.OperatorsAndFunctions", "n = :s", false)]
    [InlineData("Expressions.OperatorsAndFunctions", "n > :s", false)]
    [InlineData("Expressions.OperatorsAndFunctions", "nope = :5", false)]
    [InlineData("Expressions.OperatorsAndFunctions", "nope <> :5", true)]
    [InlineData("Expressions.OperatorsAndFunctions", "NOT nope = :5", true)]
    [InlineData("Expressions.OperatorsAndFunctions", "n = :9 OR s = :s AND t = :t", true)]
    [InlineData("Expressions.OperatorsAndFunctions", "(n = :9 OR s = :s) AND n = :9", false)]
    [InlineData("Expressions.OperatorsAndFunctions", "attribute_exists(m.y.w)", true)]
    [InlineData("Expressions.OperatorsAndFunctions", "attribute_exists(l[2]) AND attribute_not_exists(l[3])", true)]
    [InlineData("Expressions.OperatorsAndFunctions", "attribute_type(s, :tS) AND attribute_type(l, :tL)", true)]
    [InlineData("Expressions.OperatorsAndFunctions", "begins_with(s, :he)", true)]
    [InlineData("Expressions.OperatorsAndFunctions", "begins_with(n, :he)", false)]
    [InlineData("Expressions.OperatorsAndFunctions", "contains(s, :he) AND contains(ss, :a) AND contains(ns, :2) AND contains(l, :2)", true)]
    [InlineData("Expressions.OperatorsAndFunctions", "contains(ss, :q)", false)]
    [InlineData("Expressions.OperatorsAndFunctions", "size(s) = :5 AND size(ss) = :2 AND size(m) = :2", true)]
    [InlineData("Expressions.OperatorsAndFunctions", "size(n) = :5", false)]
    [InlineData("HowItWorks.NamingRulesDataTypes", "ss = :ss", true)]
    [InlineData("HowItWorks.NamingRulesDataTypes", "z = :z AND e = :e", true)]
    [InlineData("Expressions.Attributes", "m.x = :1 AND l[0] < :1", true)]
    public async Task A_condition_holds_or_not(string rule, string condition, bool holds)
    {
        var table = await TableWithSampleAsync();
        var put = new PutItemRequest(table, DynamoJson.Item("""{"pk":{"S":"k"}}""")) { ConditionExpression = condition, ExpressionAttributeValues = UsedValues(condition) };
        if (holds)
            await Db.PutItemAsync(put);
        else
            (await Should.ThrowAsync<ConditionalCheckFailedException>(() => Db.PutItemAsync(put), rule)).Message.ShouldBe("The conditional request failed");
        var filtered = await Db.ScanAsync(new ScanRequest(await TableWithSampleAsync()) { FilterExpression = condition, ExpressionAttributeValues = UsedValues(condition) });
        filtered.Count.ShouldBe(holds ? 1 : 0, rule);
        filtered.ScannedCount.ShouldBe(1);
    }

    [Theory]
    [InlineData("Expressions.UpdateExpressions#SET", "SET n = :9", "n", """{"N":"9"}""")]
    [InlineData("Expressions.UpdateExpressions#SET", "SET n = n + :1", "n", """{"N":"6"}""")]
    [InlineData("Expressions.UpdateExpressions#SET", "SET n = n - :9", "n", """{"N":"-4"}""")]
    [InlineData("Expressions.UpdateExpressions#SET", "SET v = if_not_exists(v, :1) + :2", "v", """{"N":"3"}""")]
    [InlineData("Expressions.UpdateExpressions#SET", "SET n = if_not_exists(n, :1)", "n", """{"N":"5"}""")]
    [InlineData("Expressions.UpdateExpressions#SET", "SET l = list_append(l, :l)", "l", """{"L":[{"N":"0"},{"S":"one"},{"N":"2"},{"S":"new"}]}""")]
    [InlineData("Expressions.UpdateExpressions#SET", "SET l = list_append(:l, l)", "l", """{"L":[{"S":"new"},{"N":"0"},{"S":"one"},{"N":"2"}]}""")]
    [InlineData("Expressions.UpdateExpressions#SET", "SET l[1] = :9", "l", """{"L":[{"N":"0"},{"N":"9"},{"N":"2"}]}""")]
    [InlineData("Expressions.UpdateExpressions#SET", "SET l[20] = :9, l[10] = :5", "l", """{"L":[{"N":"0"},{"S":"one"},{"N":"2"},{"N":"5"},{"N":"9"}]}""")]
    [InlineData("Expressions.UpdateExpressions#SET", "SET m.y.w = :9, m.k = :1", "m", """{"M":{"k":{"N":"1"},"x":{"N":"1"},"y":{"M":{"w":{"N":"9"}}}}}""")]
    [InlineData("Expressions.UpdateExpressions#SET", "SET n = m.x, m.x = n", "n", """{"N":"1"}""")]
    [InlineData("Expressions.UpdateExpressions#REMOVE", "REMOVE l[0], l[1]", "l", """{"L":[{"N":"2"}]}""")]
    [InlineData("Expressions.UpdateExpressions#REMOVE", "REMOVE m.y, l[9], nothing", "m", """{"M":{"x":{"N":"1"}}}""")]
    [InlineData("Expressions.UpdateExpressions#REMOVE", "REMOVE s", "s", null)]
    [InlineData("Expressions.UpdateExpressions#ADD", "ADD n :5", "n", """{"N":"10"}""")]
    [InlineData("Expressions.UpdateExpressions#ADD", "ADD fresh :5", "fresh", """{"N":"5"}""")]
    [InlineData("Expressions.UpdateExpressions#ADD", "ADD ss :sc", "ss", """{"SS":["a","b","c"]}""")]
    [InlineData("Expressions.UpdateExpressions#ADD", "ADD ns :n2", "ns", """{"NS":["1","2","3"]}""")]
    [InlineData("Expressions.UpdateExpressions#ADD", "ADD m.x :2", "m", """{"M":{"x":{"N":"3"},"y":{"M":{"w":{"S":"deep"}}}}}""")]
    [InlineData("Expressions.UpdateExpressions#DELETE", "DELETE ss :sa", "ss", """{"SS":["b"]}""")]
    [InlineData("Expressions.UpdateExpressions#DELETE", "DELETE ss :sab", "ss", null)]
    [InlineData("Expressions.UpdateExpressions", "SET n = :9 REMOVE s ADD c :1 DELETE ss :sa", "n", """{"N":"9"}""")]
    public async Task An_update_does_what_it_says(string rule, string update, string attribute, string? expected)
    {
        var table = await TableWithSampleAsync();
        var answer = await Db.UpdateItemAsync(Update(table, update));
        var got = answer.Attributes.TryGetValue(attribute, out var value) ? DynamoJson.Text(new() { [attribute] = value }) : null;
        got.ShouldBe(expected is null ? null : $"{{\"{attribute}\":{expected}}}", rule);
        DynamoJson.Text((await Db.GetItemAsync(table, Key())).Item).ShouldBe(DynamoJson.Text(answer.Attributes));
    }

    [Theory]
    [InlineData("Expressions.UpdateExpressions", "SET n = nothing", "The provided expression refers to an attribute that does not exist in the item")]
    [InlineData("Expressions.UpdateExpressions", "SET n = s + :1", "An operand in the update expression has an incorrect data type")]
    [InlineData("Expressions.UpdateExpressions", "ADD s :1", "An operand in the update expression has an incorrect data type")]
    [InlineData("Expressions.UpdateExpressions", "ADD n :q", "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD, operand type: STRING")]
    [InlineData("Expressions.UpdateExpressions", "SET a.b = :1", "The document path provided in the update expression is invalid for update")]
    [InlineData("Expressions.UpdateExpressions", "SET s.b = :1", "The document path provided in the update expression is invalid for update")]
    [InlineData("Expressions.UpdateExpressions", "SET m.x = :1, m = :m", "Invalid UpdateExpression: Two document paths overlap with each other")]
    [InlineData("Expressions.UpdateExpressions", "SET n = :1 SET s = :q", "Invalid UpdateExpression: The \"SET\" section can only be used once in an update expression;")]
    [InlineData("API_UpdateItem", "SET pk = :q", "Cannot update attribute pk. This attribute is part of the key")]
    [InlineData("ReservedWords", "SET name = :q", "Invalid UpdateExpression: Attribute name is a reserved keyword; reserved keyword: name")]
    [InlineData("Expressions.ExpressionAttributeNames", "SET #x = :1", "An expression attribute name used in the document path is not defined; attribute name: #x")]
    [InlineData("Expressions.UpdateExpressions", "SET n :1", "Invalid UpdateExpression: Syntax error; token: \":1\", near: \"n :1\"")]
    public async Task An_update_that_cannot_be_is_refused_in_DynamoDBs_words(string rule, string update, string message)
    {
        var table = await TableWithSampleAsync();
        var error = await Should.ThrowAsync<AmazonDynamoDBException>(() => Db.UpdateItemAsync(Update(table, update)), rule);
        error.ErrorCode.ShouldBe("ValidationException");
        error.Message.ShouldContain(message);
        DynamoJson.Text((await Db.GetItemAsync(table, Key())).Item).ShouldBe(DynamoJson.Text(DynamoJson.Item(Sample)));
    }

    [Theory]
    [InlineData("API_PutItem", """{"s":{"S":"x"}}""", "One or more parameter values were invalid: Missing the key pk in the item")]
    [InlineData("API_PutItem", """{"pk":{"N":"1"}}""", "One or more parameter values were invalid: Type mismatch for key pk expected: S actual: N")]
    [InlineData("HowItWorks.NamingRulesDataTypes", """{"pk":{"S":""}}""", "The AttributeValue for a key attribute cannot contain an empty string value. Key: pk")]
    [InlineData("HowItWorks.NamingRulesDataTypes", """{"pk":{"S":"a"},"n":{"N":"x"}}""", "The parameter cannot be converted to a numeric value: x")]
    [InlineData("HowItWorks.NamingRulesDataTypes", """{"pk":{"S":"a"},"n":{"N":"1E126"}}""", "Number overflow")]
    [InlineData("HowItWorks.NamingRulesDataTypes", """{"pk":{"S":"a"},"n":{"SS":["x","x"]}}""", "Input collection [x, x] contains duplicates.")]
    public async Task A_wrong_item_is_refused(string rule, string item, string message)
    {
        var error = await Should.ThrowAsync<AmazonDynamoDBException>(async () => await Db.PutItemAsync(await TableWithSampleAsync(), DynamoJson.Item(item)), rule);
        error.ErrorCode.ShouldBe("ValidationException");
        error.Message.ShouldContain(message);
    }

    [Theory]
    [InlineData("Query.KeyConditionExpressions", "p = :p", true, "-10,0,2,2.5,10,100")]
    [InlineData("Query.KeyConditionExpressions", "p = :p", false, "100,10,2.5,2,0,-10")]
    [InlineData("Query.KeyConditionExpressions", "p = :p AND q = :2", true, "2")]
    [InlineData("Query.KeyConditionExpressions", "p = :p AND q > :2", true, "2.5,10,100")]
    [InlineData("Query.KeyConditionExpressions", "p = :p AND q > :2", false, "100,10,2.5")]
    [InlineData("Query.KeyConditionExpressions", "q >= :2 AND p = :p", true, "2,2.5,10,100")]
    [InlineData("Query.KeyConditionExpressions", "p = :p AND q < :2", false, "0,-10")]
    [InlineData("Query.KeyConditionExpressions", "p = :p AND q <= :2", true, "-10,0,2")]
    [InlineData("Query.KeyConditionExpressions", "p = :p AND q BETWEEN :2 AND :10", true, "2,2.5,10")]
    [InlineData("Query.KeyConditionExpressions", "(p = :p) AND (q BETWEEN :2 AND :10)", false, "10,2.5,2")]
    [InlineData("Query.KeyConditionExpressions", "p = :2", true, "Condition parameter type does not match schema type")]
    [InlineData("Query.KeyConditionExpressions", "q = :2", true, "Query condition missed key schema element: p")]
    [InlineData("Query.KeyConditionExpressions", "p = :p AND z = :2", true, "Query condition missed key schema element: q")]
    [InlineData("Query.KeyConditionExpressions", "p = :p OR q = :2", true, "Invalid operator used in KeyConditionExpression: OR")]
    [InlineData("Query.KeyConditionExpressions", "p > :p", true, "Query key condition not supported")]
    [InlineData("Query.KeyConditionExpressions", "p = :p AND q <> :2", true, "Invalid operator used in KeyConditionExpression: <>")]
    [InlineData("Query.KeyConditionExpressions", "p = :p AND begins_with(q, :2)", true, "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N")]
    public async Task A_query_gives_a_range_in_order_whatever_the_page(string rule, string condition, bool forward, string expected)
    {
        var table = await RangeTableAsync();
        foreach (var (index, limit) in new (string?, int?)[] { (null, null), (null, 1), (null, 2), ("byQ", null), ("byQ", 1), ("local", 3) })
        {
            var keys = new List<string>();
            Dictionary<string, AttributeValue>? start = null;
            try
            {
                do
                {
                    var page = await Db.QueryAsync(new QueryRequest(table)
                    {
                        IndexName = index,
                        KeyConditionExpression = System.Text.RegularExpressions.Regex.Replace(condition, @"(?<!:)\b[pq]\b",
                            name => (name.Value, index) switch { ("p", "byQ") => "g", ("q", not null) => "r", _ => name.Value }),
                        ExpressionAttributeValues = Used(condition, """{":p":{"S":"p"},":2":{"N":"2"},":10":{"N":"10"}}"""),
                        ScanIndexForward = forward,
                        Limit = limit,
                        ExclusiveStartKey = start,
                    });
                    keys.AddRange(page.Items.Select(i => i["q"].N));
                    start = page.LastEvaluatedKey;
                }
                while (start is { Count: > 0 });
                string.Join(',', keys).ShouldBe(expected, $"{rule} {index} {limit}");
            }
            catch (AmazonDynamoDBException error) when (index is null)
            {
                error.Message.ShouldContain(expected, Case.Sensitive, rule);
                return;
            }
        }
    }

    [Theory]
    [InlineData("Expressions.ProjectionExpressions", "s, m.y.w, l[2], l[0]", """{"l":{"L":[{"N":"0"},{"N":"2"}]},"m":{"M":{"y":{"M":{"w":{"S":"deep"}}}}},"s":{"S":"hello"}}""")]
    [InlineData("Expressions.ProjectionExpressions", "nothing, m.nothing, l[7], n", """{"n":{"N":"5"}}""")]
    public async Task A_projection_gives_what_it_names(string rule, string projection, string expected)
    {
        var answer = await Db.GetItemAsync(new GetItemRequest(await TableWithSampleAsync(), Key()) { ProjectionExpression = projection });
        DynamoJson.Text(answer.Item).ShouldBe(expected, rule);
    }

    [Theory]
    [InlineData("API_UpdateItem", "NONE", null)]
    [InlineData("API_UpdateItem", "UPDATED_OLD", """{"m":{"M":{"x":{"N":"1"}}},"n":{"N":"5"}}""")]
    [InlineData("API_UpdateItem", "UPDATED_NEW", """{"fresh":{"N":"1"},"m":{"M":{"x":{"N":"2"}}},"n":{"N":"9"}}""")]
    public async Task Return_values_show_what_was_asked(string rule, string returned, string? expected)
    {
        var request = Update(await TableWithSampleAsync(), "SET n = :9, m.x = :2, fresh = :1");
        request.ReturnValues = returned;
        var answer = await Db.UpdateItemAsync(request);
        (answer.Attributes is { Count: > 0 } attributes ? DynamoJson.Text(attributes) : null).ShouldBe(expected, rule);
    }

    [Fact]
    public async Task Unused_placeholders_unknown_tables_and_parameters_that_are_not_honoured_are_refused()
    {
        var table = await TableWithSampleAsync();
        (await Should.ThrowAsync<AmazonDynamoDBException>(() => Db.ScanAsync(new ScanRequest(table)
        {
            FilterExpression = "n = :n",
            ExpressionAttributeValues = DynamoJson.Item("""{":n":{"N":"1"},":m":{"N":"1"}}"""),
        }))).Message.ShouldBe("Value provided in ExpressionAttributeValues unused in expressions: keys: {:m}");
        (await Should.ThrowAsync<ResourceNotFoundException>(() => Db.GetItemAsync("missing", Key()))).Message.ShouldBe("Requested resource not found");
        (await Should.ThrowAsync<ResourceNotFoundException>(() => Db.DescribeTableAsync("missing"))).Message.ShouldBe("Requested resource not found: Table: missing not found");
        (await Should.ThrowAsync<AmazonDynamoDBException>(() => Db.GetItemAsync(new GetItemRequest(table, Key()) { AttributesToGet = ["n"] }))).Message.ShouldContain("AttributesToGet");
        (await Should.ThrowAsync<AmazonDynamoDBException>(() => Db.ListBackupsAsync(new ListBackupsRequest()))).ErrorCode.ShouldBe("UnknownOperationException");
        (await Should.ThrowAsync<AmazonDynamoDBException>(() => Db.GetItemAsync(table, DynamoJson.Item("""{"pk":{"S":"k"},"x":{"S":"k"}}""")))).Message
            .ShouldBe("The provided key element does not match the schema");
    }

    [Fact]
    public async Task A_failed_condition_can_show_the_item_and_a_cancelled_transaction_its_reasons()
    {
        var table = await TableWithSampleAsync();
        var failed = await Should.ThrowAsync<ConditionalCheckFailedException>(() => Db.DeleteItemAsync(new DeleteItemRequest(table, Key())
        {
            ConditionExpression = "n = :9",
            ExpressionAttributeValues = UsedValues("n = :9"),
            ReturnValuesOnConditionCheckFailure = ReturnValuesOnConditionCheckFailure.ALL_OLD,
        }));
        failed.Item["s"].S.ShouldBe("hello");

        var cancelled = await Should.ThrowAsync<TransactionCanceledException>(() => Db.TransactWriteItemsAsync(new TransactWriteItemsRequest
        {
            TransactItems =
            [
                new() { Put = new Put { TableName = table, Item = DynamoJson.Item("""{"pk":{"S":"other"}}""") } },
                new()
                {
                    ConditionCheck = new ConditionCheck
                    {
                        TableName = table, Key = Key(), ConditionExpression = "attribute_not_exists(pk)", ReturnValuesOnConditionCheckFailure = ReturnValuesOnConditionCheckFailure.ALL_OLD,
                    },
                },
            ],
        }));
        cancelled.Message.ShouldContain("[None, ConditionalCheckFailed]");
        cancelled.CancellationReasons.Select(r => r.Code).ShouldBe(["None", "ConditionalCheckFailed"]);
        cancelled.CancellationReasons[1].Item["s"].S.ShouldBe("hello");
        (await Db.GetItemAsync(table, DynamoJson.Item("""{"pk":{"S":"other"}}"""))).Item.ShouldBeNull();
    }

    [Fact]
    public async Task A_client_request_token_makes_a_transaction_happen_once()
    {
        var table = await TableWithSampleAsync();
        TransactWriteItemsRequest Add(string amount) => new()
        {
            ClientRequestToken = "token-1" + table[..8],
            TransactItems = [new() { Update = new Update { TableName = table, Key = Key(), UpdateExpression = "ADD n :a", ExpressionAttributeValues = new() { [":a"] = new() { N = amount } } } }],
        };
        await Db.TransactWriteItemsAsync(Add("1"));
        await Db.TransactWriteItemsAsync(Add("1"));
        (await Db.GetItemAsync(table, Key())).Item["n"].N.ShouldBe("6");
        await Should.ThrowAsync<IdempotentParameterMismatchException>(() => Db.TransactWriteItemsAsync(Add("2")));
    }

    [Fact]
    public async Task Transactions_that_race_keep_a_conditional_counter_exact()
    {
        var table = await TableWithSampleAsync();
        await Db.PutItemAsync(table, DynamoJson.Item("""{"pk":{"S":"room"},"last":{"N":"0"}}"""));
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async client =>
        {
            for (var done = 0; done < 25;)
            {
                var last = long.Parse((await Db.GetItemAsync(table, DynamoJson.Item("""{"pk":{"S":"room"}}"""))).Item["last"].N, System.Globalization.CultureInfo.InvariantCulture);
                try
                {
                    await Db.TransactWriteItemsAsync(new TransactWriteItemsRequest
                    {
                        TransactItems =
                        [
                            new()
                            {
                                Update = new Update
                                {
                                    TableName = table, Key = DynamoJson.Item("""{"pk":{"S":"room"}}"""), UpdateExpression = "SET #l = :next", ConditionExpression = "#l = :last",
                                    ExpressionAttributeNames = new() { ["#l"] = "last" },
                                    ExpressionAttributeValues = new() { [":last"] = new() { N = $"{last}" }, [":next"] = new() { N = $"{last + 1}" } },
                                },
                            },
                            new() { Put = new Put { TableName = table, Item = new() { ["pk"] = new() { S = $"entry-{last + 1}" }, ["by"] = new() { N = $"{client}" } }, ConditionExpression = "attribute_not_exists(pk)" } },
                        ],
                    });
                    done++;
                }
                catch (TransactionCanceledException error)
                {
                    error.CancellationReasons[0].Code.ShouldBe("ConditionalCheckFailed");
                }
            }
        }));
        (await Db.GetItemAsync(table, DynamoJson.Item("""{"pk":{"S":"room"}}"""))).Item["last"].N.ShouldBe("200");
        (await Db.ScanAsync(new ScanRequest(table) { FilterExpression = "attribute_exists(#b)", ExpressionAttributeNames = new() { ["#b"] = "by" } })).Count.ShouldBe(200);
    }

    [Fact]
    public async Task Batches_write_and_read_and_parallel_scans_share_the_table()
    {
        var table = await TableWithSampleAsync();
        for (var batch = 0; batch < 4; batch++)
        {
            await Db.BatchWriteItemAsync(new BatchWriteItemRequest(new Dictionary<string, List<WriteRequest>>
            {
                [table] = [.. Enumerable.Range(batch * 25, 25).Select(i => new WriteRequest(new PutRequest(new() { ["pk"] = new() { S = $"i{i}" } })))],
            }));
        }

        var got = await Db.BatchGetItemAsync(new BatchGetItemRequest(new Dictionary<string, KeysAndAttributes>
        {
            [table] = new() { Keys = [.. Enumerable.Range(0, 100).Select(i => new Dictionary<string, AttributeValue> { ["pk"] = new() { S = $"i{i}" } })] },
        }));
        got.Responses[table].Count.ShouldBe(100);
        var segments = await Task.WhenAll(Enumerable.Range(0, 3).Select(s => Db.ScanAsync(new ScanRequest(table) { Segment = s, TotalSegments = 3 })));
        segments.SelectMany(s => s.Items).Select(i => i["pk"].S).Distinct().Count().ShouldBe(101);
        segments.Sum(s => s.Items.Count).ShouldBe(101);
        segments.ShouldAllBe(s => s.Items.Count > 10);
    }

    [Fact]
    public async Task A_page_ends_at_1_MB_and_an_item_at_400_KB()
    {
        var table = await TableWithSampleAsync();
        for (var i = 0; i < 8; i++)
            await Db.PutItemAsync(table, new() { ["pk"] = new() { S = $"large{i}" }, ["v"] = new() { S = new string('x', 300_000) } });
        var page = await Db.ScanAsync(new ScanRequest(table));
        page.Items.Count.ShouldBeLessThan(5);
        page.LastEvaluatedKey.Count.ShouldBe(1);
        (await Should.ThrowAsync<AmazonDynamoDBException>(() => Db.PutItemAsync(table, new() { ["pk"] = new() { S = "x" }, ["v"] = new() { S = new string('x', 409_600) } })))
            .Message.ShouldBe("Item size has exceeded the maximum allowed size");
    }

    [Fact]
    public async Task Consumed_capacity_counts_as_AWS_does()
    {
        var table = await TableWithSampleAsync();
        var put = await Db.PutItemAsync(new PutItemRequest(table, new() { ["pk"] = new() { S = "c" }, ["v"] = new() { S = new string('x', 5000) } }) { ReturnConsumedCapacity = ReturnConsumedCapacity.TOTAL });
        put.ConsumedCapacity.CapacityUnits.ShouldBe(5);
        var key = DynamoJson.Item("""{"pk":{"S":"c"}}""");
        (await Db.GetItemAsync(new GetItemRequest(table, key) { ReturnConsumedCapacity = ReturnConsumedCapacity.TOTAL })).ConsumedCapacity.CapacityUnits.ShouldBe(1);
        (await Db.GetItemAsync(new GetItemRequest(table, key) { ConsistentRead = true, ReturnConsumedCapacity = ReturnConsumedCapacity.TOTAL })).ConsumedCapacity.CapacityUnits.ShouldBe(2);
    }

    [Fact]
    public async Task Time_to_live_deletes_what_has_expired()
    {
        var table = await TableWithSampleAsync();
        await Db.UpdateTimeToLiveAsync(new UpdateTimeToLiveRequest { TableName = table, TimeToLiveSpecification = new() { AttributeName = "expiresAt", Enabled = true } });
        (await Db.DescribeTimeToLiveAsync(table)).TimeToLiveDescription.TimeToLiveStatus.ShouldBe(TimeToLiveStatus.ENABLED);
        await Db.PutItemAsync(table, new() { ["pk"] = new() { S = "gone" }, ["expiresAt"] = new() { N = $"{DateTimeOffset.UtcNow.ToUnixTimeSeconds() - 5}" } });
        var deadline = DateTimeOffset.UtcNow.AddSeconds(10);
        while ((await Db.GetItemAsync(table, DynamoJson.Item("""{"pk":{"S":"gone"}}"""))).Item is not null)
        {
            DateTimeOffset.UtcNow.ShouldBeLessThan(deadline);
            await Task.Delay(50);
        }

        (await Db.GetItemAsync(table, Key())).Item.ShouldNotBeNull();
    }

    private static Dictionary<string, AttributeValue> Key() => DynamoJson.Item("""{"pk":{"S":"k"}}""");

    private static Dictionary<string, AttributeValue>? UsedValues(string expression) => Used(expression, Values);

    private static Dictionary<string, AttributeValue>? Used(string expression, string values)
    {
        var words = System.Text.RegularExpressions.Regex.Matches(expression, ":[A-Za-z0-9]+").Select(m => m.Value).ToHashSet();
        var used = DynamoJson.Item(values).Where(v => words.Contains(v.Key)).ToDictionary();
        return used.Count == 0 ? null : used;
    }

    private static UpdateItemRequest Update(string table, string update) => new()
    {
        TableName = table,
        Key = Key(),
        UpdateExpression = update,
        ExpressionAttributeValues = UsedValues(update),
        ReturnValues = ReturnValue.ALL_NEW,
    };

    private async Task<string> TableWithSampleAsync()
    {
        var table = Guid.NewGuid().ToString("N");
        await Db.CreateTableAsync(new CreateTableRequest(table, [new("pk", KeyType.HASH)], [new("pk", ScalarAttributeType.S)], null) { BillingMode = BillingMode.PAY_PER_REQUEST });
        await Db.PutItemAsync(table, DynamoJson.Item(Sample));
        return table;
    }

    /// <summary>Numbers as sort keys, and the same numbers in a sparse global and in a local index.</summary>
    private async Task<string> RangeTableAsync()
    {
        var table = Guid.NewGuid().ToString("N");
        await Db.CreateTableAsync(new CreateTableRequest
        {
            TableName = table,
            BillingMode = BillingMode.PAY_PER_REQUEST,
            KeySchema = [new("p", KeyType.HASH), new("q", KeyType.RANGE)],
            AttributeDefinitions = [new("p", ScalarAttributeType.S), new("q", ScalarAttributeType.N), new("g", ScalarAttributeType.S), new("r", ScalarAttributeType.N)],
            GlobalSecondaryIndexes = [new() { IndexName = "byQ", KeySchema = [new("g", KeyType.HASH), new("r", KeyType.RANGE)], Projection = new() { ProjectionType = ProjectionType.KEYS_ONLY } }],
            LocalSecondaryIndexes = [new() { IndexName = "local", KeySchema = [new("p", KeyType.HASH), new("r", KeyType.RANGE)], Projection = new() { ProjectionType = ProjectionType.ALL } }],
        });
        string[] numbers = ["10", "2", "-10", "100", "2.5", "0"];
        foreach (var number in numbers)
            await Db.PutItemAsync(table, new() { ["p"] = new() { S = "p" }, ["q"] = new() { N = number }, ["g"] = new() { S = "p" }, ["r"] = new() { N = number }, ["v"] = new() { S = "v" } });
        await Db.PutItemAsync(table, new() { ["p"] = new() { S = "o" }, ["q"] = new() { N = "2" } });
        return table;
    }
}
