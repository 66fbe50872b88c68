using System.Buffers;
using System.Text;
using System.Text.Json;
using ChatPlatform.Contracts.Json;

namespace ChatPlatform.UnitTests.Contracts;

public sealed class WireEncoderTests
{
    [Theory]
    [InlineData("안녕하세요 🚲👨‍👩‍👧‍👦", "안녕하세요 🚲👨‍👩‍👧‍👦")]
    [InlineData("a\"b\\c/d<e>&'", "a\\\"b\\\\c/d<e>&'")]
    [InlineData("\n\t\r\b\f\u0001\u007f", "\\n\\t\\r\\b\\f\\u0001\\u007F")]
    [InlineData("\u2028\ufeff", "\u2028\ufeff")]
    [InlineData("", "")]
    public void Only_what_JSON_demands_is_escaped(string text, string expected)
    {
        Write(text).ShouldBe($"\"{expected}\"");
        WriteUtf8(Encoding.UTF8.GetBytes(text)).ShouldBe($"\"{expected}\"");
    }

    [Fact]
    public void Half_a_pair_becomes_a_replacement_character()
    {
        Write("a\ud83d").ShouldBe("\"a\ufffd\"");
        Write("\ude00b").ShouldBe("\"\ufffdb\"");
        Write("\ud83d\ud83d\ude00").ShouldBe("\"\ufffd😀\"");
    }

    [Fact]
    public void Whatever_is_written_is_read_back_the_same()
    {
        var random = new Random(20260301);
        for (var i = 0; i < 5_000; i++)
        {
            var text = new StringBuilder();
            for (var length = random.Next(60); length > 0; length--)
            {
                var scalar = random.Next(5) switch { 0 => random.Next(0x80), 1 => random.Next(0x10000, 0x110000), 2 => '"', _ => random.Next(0xD800) };
                text.Append(new Rune(scalar).ToString());
            }

            JsonElement.Parse(Write(text.ToString())).GetString().ShouldBe(text.ToString());
            JsonElement.Parse(WriteUtf8(Encoding.UTF8.GetBytes(text.ToString()))).GetString().ShouldBe(text.ToString());
        }
    }

    private static string Write(string text) => Written(json => json.WriteStringValue(text));

    private static string WriteUtf8(byte[] text) => Written(json => json.WriteStringValue(text));

    private static string Written(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = WireEncoder.Instance });
        write(json);
        json.Flush();
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
