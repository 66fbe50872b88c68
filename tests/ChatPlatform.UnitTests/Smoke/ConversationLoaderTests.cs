using System.Text;
using ChatPlatform.Smoke.Conversations;

namespace ChatPlatform.UnitTests.Smoke;

public sealed class ConversationLoaderTests
{
    private const string People = """
        {"type":"user","userId":"a","name":"에이"}
        {"type":"user","userId":"b","name":"B","connected":false}
        {"type":"room","room":"r","kind":"direct","articleId":"a-1","members":["a","b"]}

        """;

    [Fact]
    public void Users_rooms_and_messages_are_read_in_order()
    {
        var conversation = Load(People + """{"type":"message","room":"r","from":"a","clientMessageId":"c1","text":"x\u0000\u2028\ud83e\udd55"}""");

        conversation.Users.Select(user => user.Connected).ShouldBe([true, false]);
        conversation.Rooms.ShouldHaveSingleItem().ArticleId.ShouldBe("a-1");
        conversation.Messages.ShouldHaveSingleItem().Text.ShouldBe("x\0\u2028🥕");
    }

    [Fact]
    public void A_line_separator_inside_a_text_ends_no_line() =>
        Load(People + "{\"type\":\"message\",\"room\":\"r\",\"from\":\"a\",\"clientMessageId\":\"c1\",\"text\":\"x\u2028\u0085y\"}\n").Messages.Count.ShouldBe(1);

    [Theory]
    [InlineData("""{"type":"message","room":"r","from":"c","clientMessageId":"c1","text":"x"}""", "member")]
    [InlineData("""{"type":"message","room":"q","from":"a","clientMessageId":"c1","text":"x"}""", "member")]
    [InlineData("""{"type":"message","room":"r","from":"a","clientMessageId":"c1","text":""}""", "1 to 5000")]
    [InlineData("""{"type":"message","room":"r","from":"a","text":"x"}""", "clientMessageId")]
    [InlineData("""{"type":"message","room":"r","from":"a","clientMessageId":"c1","text":"\ud800"}""", "line 4")]
    [InlineData("""{"type":"room","room":"s","kind":"club","members":["a","b"]}""", "direct or group")]
    [InlineData("""{"type":"room","room":"s","kind":"direct","members":["a","z"]}""", "users of the file")]
    [InlineData("""{"type":"user","userId":"a","name":"again"}""", "not used before")]
    [InlineData("""{"type":"other"}""", "other")]
    [InlineData("""{"type":""", "line 4")]
    public void A_wrong_line_is_named_with_what_was_expected(string line, string expected)
    {
        var error = Should.Throw<FormatException>(() => Load(People + line));
        error.Message.ShouldStartWith("line 4: ");
        error.Message.ShouldContain(expected);
    }

    [Fact]
    public void The_repositorys_conversation_has_what_the_smoke_run_needs()
    {
        var conversation = ConversationLoader.Load(Path.Combine(AppContext.BaseDirectory, "data", "conversation.jsonl"));

        conversation.Messages.Count.ShouldBeGreaterThanOrEqualTo(540);
        conversation.Users.Count.ShouldBeGreaterThanOrEqualTo(24);
        conversation.Users.Count(user => !user.Connected).ShouldBeInRange(2, 3);
        conversation.Rooms.Count.ShouldBeGreaterThanOrEqualTo(14);
        conversation.Rooms.ShouldContain(room => room.IsGroup && room.Members.Count >= 12);
        conversation.Users.ShouldAllBe(user => conversation.Messages.Any(message => message.From == user.UserId));
        conversation.Messages.Select(message => message.Text.Length).Max().ShouldBe(5_000);
        conversation.Messages.Count(message => message.Text.Length == 5_000).ShouldBeGreaterThanOrEqualTo(5);
        for (var control = '\0'; control < ' '; control++)
            conversation.Messages.ShouldContain(message => message.Text.Contains(control));
        foreach (var special in new[] { "\r\n", "\u2028", "\u007f", "\ufeff", "\u200d", "\u202e", "🇰🇷", "👍🏻", "👨‍👩‍👧‍👦", "<script>", "\\", "\"" })
            conversation.Messages.ShouldContain(message => message.Text.Contains(special, StringComparison.Ordinal));
        var strict = new UTF8Encoding(false, throwOnInvalidBytes: true);
        conversation.Messages.ShouldAllBe(message => strict.GetByteCount(message.Text) > 0);
    }

    private static Conversation Load(string text) => ConversationLoader.Load(new MemoryStream(Encoding.UTF8.GetBytes(text)));
}
