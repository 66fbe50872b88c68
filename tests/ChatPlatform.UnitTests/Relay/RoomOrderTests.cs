using ChatPlatform.Relay.Delivery;
using Microsoft.Extensions.Time.Testing;

namespace ChatPlatform.UnitTests.Relay;

public sealed class RoomOrderTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly List<long> _pushed = [];
    private readonly RoomOrder _order;

    public RoomOrderTests() => _order = new RoomOrder(entry => _pushed.Add(entry.Seq), _time);

    [Fact]
    public void Entries_in_turn_are_pushed_at_once()
    {
        Add(1, 2, 3);

        _pushed.ShouldBe([1, 2, 3]);
    }

    [Fact]
    public void An_entry_ahead_of_its_turn_waits_for_those_before_it()
    {
        Add(1, 4, 3);
        _pushed.ShouldBe([1]);

        Add(2);
        _pushed.ShouldBe([1, 2, 3, 4]);
    }

    [Fact]
    public void An_entry_that_does_not_come_is_waited_for_a_moment_only()
    {
        Add(1, 3, 4);
        _time.Advance(RoomOrder.GapWait);

        _pushed.ShouldBe([1, 3, 4]);
    }

    [Fact]
    public void A_late_or_repeated_entry_is_never_pushed_out_of_order()
    {
        Add(1, 3);
        _time.Advance(RoomOrder.GapWait);
        Add(2, 3, 4);

        _pushed.ShouldBe([1, 3, 4]);
    }

    [Fact]
    public void The_first_entries_of_a_room_are_put_in_order_too()
    {
        Add(42, 41);
        _pushed.ShouldBeEmpty();
        _time.Advance(RoomOrder.FirstWait);

        _pushed.ShouldBe([41, 42]);
    }

    [Fact]
    public void After_a_pause_a_gap_is_not_waited_for_long()
    {
        Add(1);
        _time.Advance(TimeSpan.FromMinutes(1));
        Add(9);
        _time.Advance(RoomOrder.FirstWait);

        _pushed.ShouldBe([1, 9]);
    }

    [Fact]
    public void Any_order_of_arrival_within_the_wait_is_put_right()
    {
        var random = new Random(7);
        for (var round = 0; round < 200; round++)
        {
            _pushed.Clear();
            var room = $"room-{round}";
            var seqs = Enumerable.Range(1, 20).Select(i => (long)i).ToArray();
            random.Shuffle(seqs);
            foreach (var seq in seqs)
                _order.Add(new EntryFrame(room, seq, [], default));
            _time.Advance(RoomOrder.GapWait);

            _pushed.ShouldBe(Enumerable.Range(1, 20).Select(i => (long)i));
        }
    }

    public void Dispose() => _order.Dispose();

    private void Add(params long[] seqs)
    {
        foreach (var seq in seqs)
            _order.Add(new EntryFrame("room", seq, [], default));
    }
}
