using System.Text;
using System.Text.Json;
using ChatPlatform.Notifier.Delivery;

namespace ChatPlatform.UnitTests.Events;

public sealed class MissedDeliveryTests
{
    private const string Good = """
        {"specversion":"1.0","id":"r1:7:chat.delivery.missed.v1","source":"/chat/api","type":"chat.delivery.missed.v1","data":
        {"roomId":"r1","seq":7,"userIds":["u1","u2"],"message":{"senderId":"u3","kind":"text","text":"안녕"}}}
        """;

    [Fact]
    public void The_event_of_the_contract_is_read()
    {
        var missed = MissedDelivery.Parse(Encoding.UTF8.GetBytes(Good))!;
        (missed.EventId, missed.RoomId, missed.Seq, missed.SenderId, missed.Preview).ShouldBe(("r1:7:chat.delivery.missed.v1", "r1", 7L, "u3", "안녕"));
        missed.UserIds.ShouldBe(["u1", "u2"]);
    }

    [Fact]
    public void Other_types_are_none_of_ours() => MissedDelivery.Parse(Encoding.UTF8.GetBytes(Good.Replace("missed.v1", "missed.v2"))).ShouldBeNull();

    [Theory]
    [InlineData("\"seq\":7,", "")]
    [InlineData("\"seq\":7,", "\"seq\":7.5,")]
    [InlineData("[\"u1\",\"u2\"]", "[1]")]
    [InlineData("\"senderId\":\"u3\",", "")]
    [InlineData("{\"specversion\"", "{{\"specversion\"")]
    public void A_broken_one_is_a_json_error(string instead, string put) =>
        Should.Throw<JsonException>(() => MissedDelivery.Parse(Encoding.UTF8.GetBytes(Good.Replace(instead, put))));

    [Fact]
    public void A_long_text_is_cut_between_characters_as_people_see_them()
    {
        const string Family = "👨‍👩‍👧‍👦";
        var cut = MissedDelivery.Shorten(string.Concat(Enumerable.Repeat(Family, 1_000)));
        Encoding.UTF8.GetByteCount(cut).ShouldBeLessThanOrEqualTo(1_000);
        cut.TrimEnd('…').Replace(Family, "").ShouldBeEmpty();
    }

    [Fact]
    public void The_memory_of_seen_events_is_bounded_and_forgets_the_oldest()
    {
        var seen = new SeenEvents(3);
        foreach (var id in (string[])["a", "b", "b", "c", "d"])
            seen.Add(id);
        (seen.Contains("a"), seen.Contains("b"), seen.Contains("d")).ShouldBe((false, true, true));
    }
}
