using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using ChatPlatform.LocalAws.DynamoDb.Expressions;
using ChatPlatform.LocalAws.DynamoDb.Values;
using ChatPlatform.LocalAws.Protocol;

namespace ChatPlatform.UnitTests.LocalAws;

/// <summary>https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html</summary>
public sealed class ExpressionTests
{
    private const string Values = """{":n":{"N":"5"},":s":{"S":"x"},":l":{"L":[{"S":"a"}]},":ss":{"SS":["a"]}}""";

    [Theory]
    [InlineData("", "The expression can not be empty")]
    [InlineData("a =", "Syntax error; token: \"<EOF>\", near: \"=\"")]
    [InlineData("a = = :n", "Syntax error; token: \"=\"")]
    [InlineData("a = :n AND", "Syntax error; token: \"<EOF>\"")]
    [InlineData("a ? :n", "Syntax error; token: \"?\"")]
    [InlineData("(a = :n", "Syntax error; token: \"<EOF>\"")]
    [InlineData("((a = :n))", "redundant parentheses")]
    [InlineData("a = :nope", "attribute value used in expression is not defined; attribute value: :nope")]
    [InlineData("#no = :n", "attribute name used in the document path is not defined; attribute name: #no")]
    [InlineData("size = :n", "reserved keyword; reserved keyword: size")]
    [InlineData("a = a", "The first operand must be distinct")]
    [InlineData("foo(a)", "Invalid function name; function: foo")]
    [InlineData("begins_with(a)", "Incorrect number of operands for operator or function; operator or function: begins_with, number of operands: 1")]
    [InlineData("begins_with(a, :n)", "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N")]
    [InlineData("attribute_exists(:n)", "requires a document path")]
    [InlineData("attribute_type(a, :s)", "Invalid attribute type name found; type: x")]
    [InlineData("a < :l", "Incorrect operand type for operator or function; operator: <, operand type: L")]
    [InlineData("a BETWEEN :n AND :s", "requires same data type")]
    [InlineData("a[x] = :n", "Syntax error")]
    public void A_wrong_condition_says_what_is_wrong(string text, string message) =>
        Should.Throw<AwsException>(() => ExpressionParser.ParseCondition(text, "ConditionExpression", Names()))
            .Message.ShouldContain(message);

    [Fact]
    public void And_binds_closer_than_or_and_not_closest()
    {
        var condition = ExpressionParser.ParseCondition("NOT a = :n AND b = :n OR c = :n", "ConditionExpression", Names()).ShouldBeOfType<OrCondition>();
        condition.Left.ShouldBeOfType<AndCondition>().Left.ShouldBeOfType<NotCondition>();
    }

    [Fact]
    public void An_expression_longer_than_4_KB_is_refused() =>
        Should.Throw<AwsException>(() => ExpressionParser.ParseCondition(new string('a', 4097), "FilterExpression", Names())).Message.ShouldContain("exceeded the maximum allowed size");

    [Fact]
    public void Deep_nesting_is_refused_before_the_stack_ends() =>
        Should.Throw<AwsException>(() => ExpressionParser.ParseCondition(string.Concat(Enumerable.Repeat("NOT ", 1000)) + "a = :n", "FilterExpression", Names()));

    [Fact]
    public void An_item_keeps_every_type_through_the_stored_form()
    {
        const string json = """{"s":{"S":"é😀\n"},"n":{"N":"1.5"},"b":{"B":"AAEC"},"t":{"BOOL":true},"z":{"NULL":true},"ss":{"SS":["a","b"]},"ns":{"NS":["-1","2"]},"bs":{"BS":["AA=="]},"l":{"L":[{"S":""},{"M":{}}]},"m":{"M":{"x":{"L":[]}}}}""";
        Json(Read(json)).ShouldBe(json);
    }

    private static ExpressionNames Names() => new(JsonDocument.Parse("""{"#n":"name"}""").RootElement, JsonDocument.Parse(Values).RootElement);

    private static Item Read(string json) => AttributeJson.ReadItem(JsonDocument.Parse(json).RootElement, "Item");

    private static string Json(Item item)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            AttributeJson.Write(writer, item);
        return Encoding.UTF8.GetString(stream.ToArray()).Replace("\\uD83D\\uDE00", "😀", StringComparison.Ordinal);
    }
}
