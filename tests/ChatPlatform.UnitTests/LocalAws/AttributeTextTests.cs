using System.Buffers;
using System.Text;
using System.Text.Json;
using ChatPlatform.LocalAws.DynamoDb.Operations;
using ChatPlatform.LocalAws.DynamoDb.Values;

namespace ChatPlatform.UnitTests.LocalAws;

public sealed class AttributeTextTests
{
    private static readonly string LongText = string.Concat(Enumerable.Repeat("quote \\\" and \\u0007 and 한글 \\\\ ", 100));

    [Theory]
    [InlineData("""{"a":{"S":"plain"},"b":{"N":"12.5"},"c":{"BOOL":false},"d":{"NULL":true}}""")]
    [InlineData("""{"empty":{"S":""},"binary":{"B":""},"list":{"L":[]},"map":{"M":{}}}""")]
    [InlineData("""{"nested":{"M":{"l":{"L":[{"S":"x"},{"L":[{"N":"-1"}]},{"M":{"k":{"BOOL":true}}}]}}}}""")]
    [InlineData("""{"s":{"SS":["a","b\u0001","c"]},"n":{"NS":["-3","0.5","20"]},"b":{"BS":["AA==","/w=="]}}""")]
    [InlineData("""{"quote \" in a name":{"S":"back\\slash, line\nfeed, \u007f"},"이름":{"S":"안녕하세요 🚲"}}""")]
    [InlineData("""{"n":{"N":"1E-130"},"m":{"N":"-9.9999999999999999999999999999999999999E+125"},"z":{"N":"0"},"f":{"N":"-0.00120"}}""")]
    public void An_item_is_written_as_its_values_are_one_by_one(string json) => Written(Read(json)).ShouldBe(WrittenOneByOne(Read(json)));

    [Fact]
    public void Long_texts_and_binaries_are_written_whole()
    {
        var bytes = new byte[1000];
        new Random(1).NextBytes(bytes);
        var item = Read($$$"""{"text":{"S":"{{{LongText}}}"},"bytes":{"B":"{{{Convert.ToBase64String(bytes)}}}"}}""");
        Written(item).ShouldBe(WrittenOneByOne(item));
    }

    private static Item Read(string json)
    {
        using var document = JsonDocument.Parse(json);
        return AttributeJson.ReadItem(document.RootElement, "Item");
    }

    private static string Written(Item item) => Json(json => AttributeText.Write(json, item));

    private static string WrittenOneByOne(Item item) => Json(json =>
    {
        json.WriteStartObject();
        foreach (var (name, value) in item)
        {
            json.WritePropertyName(name.Span);
            AttributeJson.Write(json, value);
        }

        json.WriteEndObject();
    });

    private static string Json(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, DynamoDbService.Json))
            write(json);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
