using System.Text;
using System.Text.Json;
using ChatPlatform.AwsRules;
using ChatPlatform.LambdaEmulator.Filters;
using ChatPlatform.LambdaEmulator.Protocol;
using ChatPlatform.LambdaEmulator.Streams;

namespace ChatPlatform.UnitTests.LambdaEmulator;

public sealed class EventPatternTests
{
    private const string Syntax = "https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html";
    private const string DynamoDb = "https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html";

    private const string Record =
        """
        {"eventID":"1","eventName":"INSERT","awsRegion":"ap-northeast-2","dynamodb":{"ApproximateCreationDateTime":1700000000,
        "Keys":{"roomId":{"S":"room-1"}},
        "NewImage":{"roomId":{"S":"room-1"},"text":{"S":"Hello, World"},"empty":{"S":""},"price":{"N":"100"},"sold":{"BOOL":false},"gone":{"NULL":true},
        "tags":{"SS":["bike","red"]},"list":{"L":[{"S":"a"},{"N":"7"}]},"map":{"M":{"deep":{"M":{"x":{"S":"y"}}}}}},
        "SequenceNumber":"111","SizeBytes":26},"nothing":null,"flag":true}
        """;

    /// <summary>Source, pattern, and whether it lets the record pass.</summary>
    [Theory]
    [InlineData(Syntax, """{"eventName":["INSERT"]}""", true)]
    [InlineData(Syntax, """{"eventName":["REMOVE"]}""", false)]
    [InlineData(Syntax, """{"eventName":["REMOVE","INSERT"]}""", true)] // Or
    [InlineData(Syntax, """{"eventName":["INSERT"],"awsRegion":["ap-northeast-2"]}""", true)] // And
    [InlineData(Syntax, """{"eventName":["INSERT"],"awsRegion":["eu-west-1"]}""", false)]
    [InlineData(Syntax, """{"eventName":["insert"]}""", false)] // Equals minds the case
    [InlineData(Syntax, """{"eventName":[{"equals-ignore-case":"insert"}]}""", true)]
    [InlineData(Syntax, """{"eventName":[{"equals-ignore-case":"inser"}]}""", false)]
    [InlineData(Syntax, """{"nothing":[null]}""", true)] // Null
    [InlineData(Syntax, """{"eventName":[null]}""", false)]
    [InlineData(Syntax, """{"missing":[null]}""", false)]
    [InlineData(Syntax, """{"flag":[true]}""", true)]
    [InlineData(Syntax, """{"flag":[false]}""", false)]
    [InlineData(Syntax, """{"$or":[{"eventName":["REMOVE"]},{"awsRegion":["ap-northeast-2"]}]}""", true)] // Or (multiple fields)
    [InlineData(Syntax, """{"$or":[{"eventName":["REMOVE"]},{"awsRegion":["eu-west-1"]}]}""", false)]
    [InlineData(Syntax, """{"eventID":["2"],"$or":[{"eventName":["INSERT"]},{"awsRegion":["eu-west-1"]}]}""", false)]
    [InlineData(Syntax, """{"eventName":[{"anything-but":["REMOVE"]}]}""", true)] // Not
    [InlineData(Syntax, """{"eventName":[{"anything-but":["REMOVE","INSERT"]}]}""", false)]
    [InlineData(Syntax, """{"eventName":[{"anything-but":"INSERT"}]}""", false)]
    [InlineData(Syntax, """{"missing":[{"anything-but":"INSERT"}]}""", false)]
    [InlineData(Syntax, """{"eventName":[{"anything-but":{"prefix":"REM"}}]}""", true)]
    [InlineData(Syntax, """{"eventName":[{"anything-but":{"suffix":"ERT"}}]}""", false)]
    [InlineData(Syntax, """{"dynamodb":{"SizeBytes":[26]}}""", true)]
    [InlineData(Syntax, """{"dynamodb":{"SizeBytes":[{"numeric":["=",26]}]}}""", true)] // Numeric (equals)
    [InlineData(Syntax, """{"dynamodb":{"SizeBytes":[{"numeric":["=",26.0]}]}}""", true)]
    [InlineData(Syntax, """{"dynamodb":{"SizeBytes":[{"numeric":[">",10,"<=",26]}]}}""", true)] // Numeric (range)
    [InlineData(Syntax, """{"dynamodb":{"SizeBytes":[{"numeric":[">",10,"<",26]}]}}""", false)]
    [InlineData(Syntax, """{"dynamodb":{"SizeBytes":[{"numeric":[">=",27]}]}}""", false)]
    [InlineData(Syntax, """{"eventName":[{"exists":true}]}""", true)] // Exists
    [InlineData(Syntax, """{"missing":[{"exists":true}]}""", false)]
    [InlineData(Syntax, """{"missing":[{"exists":false}]}""", true)] // Does not exist
    [InlineData(Syntax, """{"eventName":[{"exists":false}]}""", false)]
    [InlineData(Syntax, """{"dynamodb":[{"exists":true}]}""", false)] // "only works on leaf nodes"
    [InlineData(Syntax, """{"awsRegion":[{"prefix":"ap-"}]}""", true)] // Begins with
    [InlineData(Syntax, """{"awsRegion":[{"prefix":"AP-"}]}""", false)]
    [InlineData(Syntax, """{"awsRegion":[{"prefix":{"equals-ignore-case":"AP-"}}]}""", true)]
    [InlineData(Syntax, """{"awsRegion":[{"suffix":"-2"}]}""", true)] // Ends with
    [InlineData(Syntax, """{"awsRegion":[{"suffix":"-3"}]}""", false)]
    [InlineData(DynamoDb, """{"dynamodb":{"Keys":{"roomId":{"S":["room-1"]}}}}""", true)]
    [InlineData(DynamoDb, """{"dynamodb":{"Keys":{"roomId":{"S":["room-2"]}}}}""", false)]
    [InlineData(DynamoDb, """{"dynamodb":{"NewImage":{"text":{"S":[{"prefix":"Hello"}]}}}}""", true)]
    [InlineData(DynamoDb, """{"dynamodb":{"NewImage":{"empty":{"S":[""]}}}}""", true)] // Empty
    [InlineData(DynamoDb, """{"dynamodb":{"NewImage":{"text":{"S":[""]}}}}""", false)]
    [InlineData(DynamoDb, """{"dynamodb":{"NewImage":{"price":{"N":["100"]}}}}""", true)] // a number in an item is a string
    [InlineData(DynamoDb, """{"dynamodb":{"NewImage":{"price":{"N":[{"numeric":["=",100]}]}}}}""", false)]
    [InlineData(DynamoDb, """{"dynamodb":{"NewImage":{"sold":{"BOOL":[false]}}}}""", true)]
    [InlineData(DynamoDb, """{"dynamodb":{"NewImage":{"gone":{"NULL":[true]}}}}""", true)]
    [InlineData(DynamoDb, """{"dynamodb":{"NewImage":{"tags":{"SS":["red"]}}}}""", true)]
    [InlineData(DynamoDb, """{"dynamodb":{"NewImage":{"tags":{"SS":["blue"]}}}}""", false)]
    [InlineData(DynamoDb, """{"dynamodb":{"NewImage":{"list":{"L":{"N":["7"]}}}}}""", true)]
    [InlineData(DynamoDb, """{"dynamodb":{"NewImage":{"map":{"M":{"deep":{"M":{"x":{"S":["y"]}}}}}}}}""", true)]
    [InlineData(DynamoDb, """{"dynamodb":{"NewImage":{"map":{"M":{"deep":{"M":{"x":{"S":["z"]}}}}}}}}""", false)]
    [InlineData(DynamoDb, """{"dynamodb":{"OldImage":{"text":{"S":[{"exists":false}]}}}}""", true)]
    [InlineData(DynamoDb, """{"dynamodb":{"NewImage":{"text":{"S":[{"exists":false}]}}}}""", false)]
    public void A_pattern_lets_a_record_pass_as_documented(string source, string pattern, bool passes)
    {
        source.ShouldStartWith("https://docs.aws.amazon.com/");
        using var record = JsonDocument.Parse(Record);
        EventPattern.Parse(pattern).Matches(record.RootElement).ShouldBe(passes);
    }

    [Theory]
    [InlineData(Syntax, "")]
    [InlineData(Syntax, "[]")]
    [InlineData(Syntax, "{}")]
    [InlineData(Syntax, "{\"a\":{}}")]
    [InlineData(Syntax, "{\"a\":[]}")]
    [InlineData(Syntax, "{\"a\":\"INSERT\"}")]
    [InlineData(Syntax, "{\"a\":[[1]]}")]
    [InlineData(Syntax, "{\"a\":[{\"wildcard\":\"x*\"}]}")]
    [InlineData(Syntax, "{\"a\":[{\"cidr\":\"10.0.0.0/8\"}]}")]
    [InlineData(Syntax, "{\"a\":[{\"prefix\":1}]}")]
    [InlineData(Syntax, "{\"a\":[{\"prefix\":\"x\",\"suffix\":\"y\"}]}")]
    [InlineData(Syntax, "{\"a\":[{\"exists\":\"yes\"}]}")]
    [InlineData(Syntax, "{\"a\":[{\"numeric\":[\"=\"]}]}")]
    [InlineData(Syntax, "{\"a\":[{\"numeric\":[\"~\",1]}]}")]
    [InlineData(Syntax, "{\"a\":[{\"numeric\":[\">\",\"1\"]}]}")]
    [InlineData(Syntax, "{\"a\":[{\"anything-but\":[]}]}")]
    [InlineData(Syntax, "{\"a\":[{\"anything-but\":null}]}")]
    [InlineData(Syntax, "{\"$or\":[{\"a\":[1]}]}")]
    [InlineData(Syntax, "{\"$or\":{\"a\":[1]}}")]
    [InlineData(Syntax, "not json")]
    public void What_is_no_pattern_is_refused(string source, string pattern)
    {
        source.ShouldStartWith("https://docs.aws.amazon.com/");
        var error = Should.Throw<LambdaException>(() => EventPattern.Parse(pattern));
        (error.Type, error.Status).ShouldBe(("InvalidParameterValueException", 400));
        error.Message.ShouldContain("Invalid filter pattern definition");
    }

    [Theory]
    [AwsPage("https://docs.aws.amazon.com/lambda/latest/api/API_Filter.html")]
    [InlineData(4_096, true)]
    [InlineData(4_097, false)]
    public void A_pattern_has_at_most_4096_characters(int length, bool taken)
    {
        var pattern = """{"a":["A"]}""".PadRight(length);
        if (taken)
            EventPattern.Parse(pattern).Text.Length.ShouldBe(length);
        else
            Should.Throw<LambdaException>(() => EventPattern.Parse(pattern));
    }

    [Fact]
    public void One_of_at_most_five_patterns_must_match() // Syntax
    {
        var record = new StreamRecord("1", Encoding.UTF8.GetBytes(Record), DateTimeOffset.UnixEpoch, 0);
        new EventFilter([]).Passes(record).ShouldBeTrue();
        new EventFilter(["""{"eventName":["REMOVE"]}""", """{"eventName":["INSERT"]}"""]).Passes(record).ShouldBeTrue();
        new EventFilter(["""{"eventName":["REMOVE"]}"""]).Passes(record).ShouldBeFalse();
        Criteria(5).Count.ShouldBe(5);
        Should.Throw<LambdaException>(() => Criteria(6)).Message.ShouldContain("at most 5");

        static IReadOnlyList<string> Criteria(int count) => EventFilter.Read(JsonSerializer.SerializeToElement(
            new { Filters = Enumerable.Range(0, count).Select(i => new { Pattern = $$"""{"eventID":["{{i}}"]}""" }) }));
    }
}
