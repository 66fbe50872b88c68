using System.Net;
using System.Text.Json;
using ChatPlatform.Smoke.Checks;
using ChatPlatform.Smoke.Clients;
using ChatPlatform.Smoke.Conversations;
using ChatPlatform.Smoke.Replay;

namespace ChatPlatform.UnitTests.Smoke;

public sealed class ComparisonTests
{
    [Theory]
    [InlineData("같다", "같다", null)]
    [InlineData("abc", null, "no text at all")]
    [InlineData("abc", "abd", "byte 2 of 3: expected 63, found 64; 3 bytes expected, 3 found")]
    [InlineData("abc", "ab", "byte 2 of 3: expected 63, found the end; 3 bytes expected, 2 found")]
    [InlineData("a", "a\r", "byte 1 of 1: expected the end, found 0D; 1 bytes expected, 2 found")]
    [InlineData("\u00e9", "e\u0301", "byte 0 of 2: expected C3 A9, found 65 CC 81; 2 bytes expected, 3 found")]
    [InlineData("x\ufeff", "x", "byte 1 of 4: expected EF BB BF, found the end; 4 bytes expected, 1 found")]
    public void The_first_different_byte_is_named(string expected, string? actual, string? difference) =>
        TextDifference.Find(expected, actual).ShouldBe(difference);

    [Fact]
    public void A_lone_surrogate_is_not_a_replacement_character() => TextDifference.Find("\ufffd", "\ud800").ShouldNotBeNull();

    [Fact]
    public void A_hole_a_double_and_a_swap_are_not_dense()
    {
        RoomComparison.Dense([Seen(1), Seen(2), Seen(3)]).ShouldBeNull();
        RoomComparison.Dense([Seen(1), Seen(3)]).ShouldBe("expected seq 2, found 3");
        RoomComparison.Dense([Seen(1), Seen(1)]).ShouldBe("expected seq 2, found 1");
        RoomComparison.Dense([Seen(2), Seen(1)]).ShouldBe("expected seq 1, found 2");
    }

    [Fact]
    public void What_came_out_has_to_be_what_went_in()
    {
        var sent = new[] { Sent(2, "c1", "하나"), Sent(3, "c2", "둘") };
        SeenEntry[] right = [Seen(1, type: "member.joined"), Seen(2, "c1", "하나"), Seen(3, "c2", "둘")];

        RoomComparison.Messages(sent, right).ShouldBeNull();
        RoomComparison.Messages(sent, right[..2]).ShouldBe("2 messages sent, 1 found");
        RoomComparison.Messages(sent, [right[2], right[1]])!.ShouldContain("found 'c2' in its place");
        RoomComparison.Messages(sent, [right[1] with { Seq = 5 }])!.ShouldContain("seq 2, found 5");
        RoomComparison.Messages(sent, [right[1] with { SenderId = "v" }])!.ShouldContain("sent by u, found v");
        RoomComparison.Messages(sent, [right[1] with { Text = "하나 " }])!.ShouldContain("byte 6 of 6");
        RoomComparison.Messages(sent, [.. right, Seen(4, "c3", "셋")]).ShouldBe("2 messages sent, 3 found");
    }

    [Fact]
    public void A_feed_takes_each_entry_once_and_tells_of_holes_and_disorder()
    {
        var feed = new RoomFeed();
        feed.StartConnection();
        feed.Accept(Seen(1)).ShouldBeTrue();
        feed.Accept(Seen(1)).ShouldBeTrue();
        feed.Accept(Seen(4)).ShouldBeFalse();
        foreach (var seq in new long[] { 2, 3, 4 })
            feed.Mend(Seen(seq));
        feed.Accept(Seen(3)).ShouldBeTrue();

        feed.Entries.Select(entry => entry.Seq).ShouldBe([1, 2, 3, 4]);
        (feed.Doubles, feed.Mended, feed.OutOfOrder).ShouldBe((1, 2, 1));
    }

    [Fact]
    public void A_resumed_connection_may_begin_before_the_end_of_the_last_one()
    {
        var feed = new RoomFeed();
        feed.StartConnection();
        feed.Accept(Seen(1));
        feed.Accept(Seen(3));
        feed.StartConnection();
        feed.Accept(Seen(2)).ShouldBeTrue();
        feed.Accept(Seen(3)).ShouldBeTrue();

        feed.Seq.ShouldBe(3);
        feed.OutOfOrder.ShouldBe(0);
    }

    [Theory]
    [InlineData("""[{"data":{"roomId":"r","seq":"7"}}]""")]
    [InlineData("""{"token":"t","messages":[{"receivedAt":"x","message":{"data":{"roomId":"r","seq":"7"}}}]}""")]
    public void A_devices_pushes_are_read_in_either_form(string answer)
    {
        using var json = JsonDocument.Parse(answer);
        PushCheck.Received(json.RootElement).ShouldBe([("r", 7L)]);
    }

    [Fact]
    public void Each_missed_message_is_pushed_once_and_nothing_else()
    {
        HashSet<(string, long)> missed = [("r", 1), ("r", 2)];
        PushCheck.Difference("u", missed, [("r", 2), ("r", 1)]).ShouldBeNull();
        PushCheck.Difference("u", missed, [("r", 1)]).ShouldBe("u: 1 of 2 pushes have arrived");
        Should.Throw<CheckFailedException>(() => PushCheck.Difference("u", missed, [("r", 1), ("r", 1)])).Message.ShouldContain("2 pushes for seq 1");
        Should.Throw<CheckFailedException>(() => PushCheck.Difference("u", missed, [("r", 9)])).Message.ShouldContain("not missed");
    }

    [Fact]
    public void Spans_are_counted_by_service_for_one_trace()
    {
        using var json = JsonDocument.Parse("""
            {"data":{"resourceSpans":[
              {"resource":{"attributes":[{"key":"x","value":{"intValue":"1"}},{"key":"service.name","value":{"stringValue":"gateway"}}]},
               "scopeSpans":[{"scope":{"name":"s"},"spans":[{"traceId":"AB","spanId":"1"},{"traceId":"cd","spanId":"2"}]}]},
              {"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"api"}}]},"scopeSpans":[{"spans":[{"traceId":"ab","spanId":"3"}]},{"spans":null}]}]},
             "totalCount":3,"returnedCount":3}
            """);
        TraceCheck.SpansByService(json.RootElement, "ab").ShouldBe(new Dictionary<string, int> { ["api"] = 1, ["gateway"] = 1 });
    }

    private static SeenEntry Seen(long seq, string? id = null, string? text = null, string type = "message.created") => new("r", seq, type, id, id is null ? null : "u", text);

    private static SentMessage Sent(long seq, string id, string text) =>
        new(new ConversationMessage("r", "u", id, text), "r", "u", new StoredMessage(seq, seq, id, text, HttpStatusCode.Created), TimeSpan.Zero, false, null);
}
