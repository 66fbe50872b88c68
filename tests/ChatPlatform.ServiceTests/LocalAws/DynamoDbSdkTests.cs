using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;

namespace ChatPlatform.ServiceTests.LocalAws;

/// <summary>What only the real SDK shows: errors as its own exceptions with their members, and clients that race. The rules themselves are the cases under <c>Conformance/</c>.</summary>
public sealed class DynamoDbSdkTests(LocalAwsFixture aws) : IClassFixture<LocalAwsFixture>
{
    private IAmazonDynamoDB Db => aws.DynamoDb;

    [Fact]
    public async Task Errors_are_the_SDKs_own_exceptions()
    {
        var table = await TableWithSampleAsync();
        (await Should.ThrowAsync<ResourceNotFoundException>(() => Db.GetItemAsync("missing", Key()))).Message.ShouldBe("Requested resource not found");
        (await Should.ThrowAsync<ResourceInUseException>(() => CreateAsync(table))).Message.ShouldContain(table);
        (await Should.ThrowAsync<AmazonDynamoDBException>(() => Db.GetItemAsync(new GetItemRequest(table, Key()) { AttributesToGet = ["n"] }))).Message.ShouldContain("AttributesToGet");
        (await Should.ThrowAsync<AmazonDynamoDBException>(() => Db.ListBackupsAsync(new ListBackupsRequest()))).ErrorCode.ShouldBe("UnknownOperationException");
    }

    [Fact]
    public async Task A_failed_condition_can_show_the_item_and_a_cancelled_transaction_its_reasons()
    {
        var table = await TableWithSampleAsync();
        var failed = await Should.ThrowAsync<ConditionalCheckFailedException>(() => Db.DeleteItemAsync(new DeleteItemRequest(table, Key())
        {
            ConditionExpression = "n = :9",
            ExpressionAttributeValues = DynamoJson.Item("""{":9":{"N":"9"}}"""),
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

    private static Dictionary<string, AttributeValue> Key() => DynamoJson.Item("""{"pk":{"S":"k"}}""");

    private async Task<string> TableWithSampleAsync()
    {
        var table = Guid.NewGuid().ToString("N");
        await CreateAsync(table);
        await Db.PutItemAsync(table, DynamoJson.Item("""{"pk":{"S":"k"},"s":{"S":"hello"},"n":{"N":"5"}}"""));
        return table;
    }

    private Task CreateAsync(string table) => Db.CreateTableAsync(
        new CreateTableRequest(table, [new("pk", KeyType.HASH)], [new("pk", ScalarAttributeType.S)], null) { BillingMode = BillingMode.PAY_PER_REQUEST });
}
