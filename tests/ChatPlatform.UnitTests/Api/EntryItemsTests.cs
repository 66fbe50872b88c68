using System.Text.Json;
using ChatPlatform.Api.Rooms.Log;
using ChatPlatform.Api.Tables;
using ChatPlatform.Contracts.Json;
using ChatPlatform.Contracts.Rooms;

namespace ChatPlatform.UnitTests.Api;

public sealed class EntryItemsTests
{
    private static readonly DateTimeOffset At = new(2026, 3, 1, 9, 30, 0, 123, TimeSpan.Zero);

    public static TheoryData<Entry> Entries =>
    [
        new Entry("r", 1, EntryTypes.MessageCreated, At, "u1")
        {
            Message = new Message("r", 1, 1, "u1", MessageKind.Text, "안녕 \"하세요\"\n\u0001 👨‍👩‍👧", "c1", At),
        },
        new Entry("r", 2, EntryTypes.MessageCreated, At, "u1")
        {
            Message = new Message("r", 2, 2, "u1", MessageKind.Location, null, "c2", At) { Payload = JsonElement.Parse("""{"lat":37.5,"list":[1,null]}""") },
        },
        new Entry("r", 3, EntryTypes.MessageEdited, At, "u1") { TargetSeq = 1, Text = "new" },
        new Entry("r", 4, EntryTypes.MessageDeleted, At, "u1") { TargetSeq = 1 },
        new Entry("r", 5, EntryTypes.ReactionAdded, At, "u2") { TargetSeq = 2, Emoji = "👍🏽" },
        new Entry("r", 6, EntryTypes.MemberJoined, At, "u1") { UserIds = ["u3", "u4"] },
        new Entry("r", 7, EntryTypes.RoomUpdated, At, "u1") { Title = "새 이름" },
    ];

    [Theory]
    [MemberData(nameof(Entries))]
    public void An_entry_read_back_from_its_item_has_the_same_json(Entry entry)
    {
        var back = EntryItems.ToEntry(EntryItems.ToItem(entry, messageCount: 9), readerId: null);

        Json(back).ShouldBe(Json(entry));
    }

    [Fact]
    public void Reactions_are_counted_per_emoji_and_mine_is_the_readers()
    {
        var item = EntryItems.ToItem(
            new Entry("r", 1, EntryTypes.MessageCreated, At, "u1") { Message = new Message("r", 1, 1, "u1", MessageKind.Text, "x", "c", At) }, 1);
        item[EntryItems.Reactions] = Attributes.Set(
            EntryItems.ReactionElement("👍", "u1"), EntryItems.ReactionElement("👍", "u2"), EntryItems.ReactionElement("🔥", "u2"));

        EntryItems.ToMessage(item, "u1").Reactions.ShouldBe([new Reaction("👍", 2, true), new Reaction("🔥", 1, false)]);
    }

    [Fact]
    public void Text_is_written_as_typed_and_times_with_milliseconds()
    {
        var json = Json(new Entry("r", 1, EntryTypes.MessageEdited, At, "u1") { TargetSeq = 1, Text = "한글 <&> 'a'" });

        json.ShouldBe("""{"roomId":"r","seq":1,"type":"message.edited","at":"2026-03-01T09:30:00.123Z","actorId":"u1","targetSeq":1,"text":"한글 <&> 'a'"}""");
    }

    private static string Json(Entry entry) => JsonSerializer.Serialize(entry, ChatJson.Wire.Entry);
}
