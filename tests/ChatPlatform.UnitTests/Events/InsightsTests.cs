using System.Text;
using System.Text.Json;
using ChatPlatform.Insights;
using ChatPlatform.Insights.Articles;
using ChatPlatform.Insights.Events;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace ChatPlatform.UnitTests.Events;

public sealed class InsightsTests : IDisposable
{
    private static readonly DateTimeOffset At = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void An_event_counts_once_however_often_and_in_whatever_batches_it_comes()
    {
        ChatEvent[] all =
        [
            Created("r1", "bike"), Message("r1", 1), Message("r1", 2), Created("r2", "bike"), Message("r2", 1), Created("r3", null), Message("r3", 1), Created("r4", "lamp"), Message("r4", 3),
        ];
        var random = new Random(7);
        for (var run = 0; run < 50; run++)
        {
            var counts = new ArticleCounts();
            for (var at = 0; at < all.Length;)
            {
                // A redelivery goes back some events, as a broker's does, and on from there.
                at = Math.Max(0, at - random.Next(4));
                var batch = all.Skip(at).Take(random.Next(1, 6)).ToList();
                counts.Apply(counts.Plan(batch, new Dictionary<int, long> { [0] = at + batch.Count }));
                at += batch.Count;
            }

            counts.Find("bike").ShouldBe(new ArticleCount("bike", 2, 3, At.AddSeconds(2)));
            counts.Find("lamp").ShouldBe(new ArticleCount("lamp", 1, 1, At.AddSeconds(3)));
            counts.Top(10).Count.ShouldBe(2);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(40)]
    public void After_a_crash_counts_and_offsets_are_of_the_same_moment(int tornBytes)
    {
        using (var journal = Open(out var counts))
        {
            journal.Keep(counts.Plan([Created("r1", "bike"), Message("r1", 1)], new Dictionary<int, long> { [0] = 2 }));
            journal.Keep(counts.Plan([Message("r1", 2)], new Dictionary<int, long> { [0] = 3 }));
        }

        using (var file = new FileStream(Directory.GetFiles(_folder.Path).Single(), FileMode.Open))
            file.SetLength(file.Length - tornBytes);

        using (Open(out var after))
        {
            var expected = tornBytes == 0 ? 2 : 1;
            after.Find("bike")!.Messages.ShouldBe(expected);
            after.Offsets[0].ShouldBe(expected + 1);
        }
    }

    [Fact]
    public void A_compacted_journal_says_the_same_and_is_small()
    {
        using (var journal = Open(out var counts, compactBytes: 1_024))
        {
            journal.Keep(counts.Plan([Created("r1", "bike")], new Dictionary<int, long> { [0] = 1 }));
            for (var seq = 1; seq <= 500; seq++)
                journal.Keep(counts.Plan([Message("r1", seq)], new Dictionary<int, long> { [0] = seq + 1 }));
        }

        new FileInfo(Directory.GetFiles(_folder.Path).Single()).Length.ShouldBeLessThan(3_000);
        using (Open(out var after))
        {
            after.Find("bike")!.Messages.ShouldBe(500);
            after.Offsets[0].ShouldBe(501);
        }
    }

    [Fact]
    public void Events_are_read_by_the_contract_and_others_passed_over()
    {
        Parse("""{"type":"chat.room.created.v1","time":"2026-01-02T03:04:05.000Z","data":{"roomId":"r1","articleId":"bike","more":1}}""").ShouldBe(Created("r1", "bike"));
        Parse("""{"type":"chat.message.created.v1","time":"2026-01-02T03:04:07.000Z","data":{"roomId":"r1","seq":2,"ordinal":2,"message":{}}}""").ShouldBe(Message("r1", 2));
        Parse("""{"type":"chat.message.read.v1","data":{}}""").ShouldBeNull();
        Should.Throw<JsonException>(() => Parse("""{"type":"chat.message.created.v1","time":"2026-01-02T03:04:05Z","data":{"roomId":"r1"}}""")).Message.ShouldContain("data.seq");
        Should.Throw<JsonException>(() => Parse("{"));
    }

    private static ChatEvent? Parse(string json) => ChatEvent.Parse(Encoding.UTF8.GetBytes(json));

    private static ChatEvent Created(string room, string? article) => new(room, 0, article, IsMessage: false, At);

    private static ChatEvent Message(string room, long seq) => new(room, seq, null, IsMessage: true, At.AddSeconds(seq));

    private CountsJournal Open(out ArticleCounts counts, long compactBytes = 1 << 20)
    {
        counts = new ArticleCounts();
        return new CountsJournal(counts, Options.Create(new InsightsOptions { DataPath = _folder.Path, CompactBytes = compactBytes }), NullLogger<CountsJournal>.Instance);
    }
}
