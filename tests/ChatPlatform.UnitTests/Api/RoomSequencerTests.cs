using System.Collections.Concurrent;
using ChatPlatform.Api.Access;
using ChatPlatform.Api.Events;
using ChatPlatform.Api.Rooms;
using ChatPlatform.Api.Rooms.Log;
using ChatPlatform.Contracts.Rooms;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace ChatPlatform.UnitTests.Api;

public sealed class RoomSequencerTests : IAsyncDisposable
{
    private const string Room = "room";
    private readonly ScriptedStore _store = new();
    private readonly Observer _observer = new();
    private readonly RecordedEvents _events = new();
    private readonly List<RoomSequencers> _servers = [];

    [Fact]
    public async Task What_waits_is_committed_together_with_dense_seqs()
    {
        var server = Server();
        _store.Hold();
        var sends = Enumerable.Range(0, 30).Select(i => server.CommitAsync(Send($"c{i}"))).ToList();
        await _store.WaitForTryAsync();
        _store.Release();

        var seqs = (await Task.WhenAll(sends)).Select(result => result.Entry.Seq).ToList();

        seqs.ShouldBe(Enumerable.Range(1, 30).Select(i => (long)i));
        _store.Commits.ShouldBeLessThanOrEqualTo(2);
    }

    [Fact]
    public async Task A_commit_never_takes_more_than_the_configured_number()
    {
        var server = Server(new SequencerOptions { CommitSize = 4 });
        _store.Hold();
        var sends = Enumerable.Range(0, 20).Select(i => server.CommitAsync(Send($"c{i}"))).ToList();
        await _store.WaitForTryAsync();
        _store.Release();
        await Task.WhenAll(sends);

        _store.LargestCommit.ShouldBe(4);
    }

    [Fact]
    public async Task A_commit_stays_below_the_size_of_a_transaction()
    {
        var server = Server();
        _store.Hold();
        var sends = Enumerable.Range(0, 10).Select(i => server.CommitAsync(Send($"c{i}", bytes: 1_000_000))).ToList();
        await _store.WaitForTryAsync();
        _store.Release();
        await Task.WhenAll(sends);

        _store.LargestCommit.ShouldBe(3);
    }

    [Fact]
    public async Task Two_servers_on_one_room_leave_no_hole_and_no_double()
    {
        var (one, two) = (Server(), Server());

        var results = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => (i % 2 == 0 ? one : two).CommitAsync(Send($"c{i}"))));

        results.Select(result => result.Entry.Seq).Order().ShouldBe(Enumerable.Range(1, 200).Select(i => (long)i));
        _store.Log.Select(entry => entry.Message!.Ordinal).ShouldBe(Enumerable.Range(1, 200).Select(i => (long)i));
    }

    [Fact]
    public async Task Racing_retries_on_two_servers_return_the_first_entry()
    {
        var (one, two) = (Server(), Server());

        var results = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => (i % 2 == 0 ? one : two).CommitAsync(Send("same"))));

        results.Count(result => result.IsNew).ShouldBe(1);
        results.Select(result => result.Entry.Seq).Distinct().Count().ShouldBe(1);
        _store.Log.Count.ShouldBe(1);
    }

    [Fact]
    public async Task An_unanswered_commit_that_happened_is_not_stored_again()
    {
        var server = Server();
        _store.Script.Enqueue(CommitOutcome.Unknown, happens: true);

        var result = await server.CommitAsync(Send("c"));

        result.Entry.Seq.ShouldBe(1);
        _store.Log.Count.ShouldBe(1);
    }

    [Fact]
    public async Task An_unanswered_commit_that_did_not_happen_is_tried_again()
    {
        var server = Server();
        _store.Script.Enqueue(CommitOutcome.Unknown, happens: false);
        _store.Script.Enqueue(CommitOutcome.Busy, happens: false);

        (await server.CommitAsync(Send("c"))).IsNew.ShouldBeTrue();
        _store.Log.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_refused_change_is_told_and_the_others_of_its_commit_are_stored()
    {
        var server = Server();
        _store.Hold();
        var first = server.CommitAsync(Send("first"));
        await _store.WaitForTryAsync();
        var refused = server.CommitAsync(Send("refused", refuse: true));
        var fine = server.CommitAsync(Send("fine"));
        _store.Release();

        (await Should.ThrowAsync<ChatException>(refused)).Code.ShouldBe("message_deleted");
        (await first).Entry.Seq.ShouldBe(1);
        (await fine).Entry.Seq.ShouldBe(2);
    }

    [Fact]
    public async Task A_full_queue_answers_overloaded_at_once()
    {
        var server = Server(new SequencerOptions { QueueLength = 3, CommitSize = 1 });
        _store.Hold();
        var taken = server.CommitAsync(Send("taken"));
        await _store.WaitForTryAsync();
        // One more is in the loop's hand at most, three wait.
        var sends = Enumerable.Range(0, 6).Select(i => server.CommitAsync(Send($"c{i}"))).ToList();

        var refused = sends.Where(send => send.IsFaulted).ToList();
        refused.Count.ShouldBeInRange(2, 3);
        var refusal = refused[0].Exception!.InnerException.ShouldBeOfType<ChatException>();
        refusal.Code.ShouldBe("overloaded");
        refusal.Status.ShouldBe(503);
        refusal.RetryAfter.ShouldNotBeNull();
        _store.Release();
        await taken;
        await Task.WhenAll(sends.Except(refused));
    }

    [Fact]
    public async Task A_store_that_never_answers_is_unavailable_after_the_deadline()
    {
        var server = Server(new SequencerOptions { CommitDeadline = TimeSpan.FromMilliseconds(100) });
        _store.Script.Always = CommitOutcome.Busy;

        (await Should.ThrowAsync<ChatException>(server.CommitAsync(Send("c")))).Code.ShouldBe("unavailable");

        _store.Script.Always = null;
        (await server.CommitAsync(Send("d"))).Entry.Seq.ShouldBe(1);
    }

    [Fact]
    public async Task An_unknown_room_is_not_found()
    {
        var server = Server();

        (await Should.ThrowAsync<ChatException>(server.CommitAsync(Send("c", room: "nowhere")))).Code.ShouldBe("room_not_found");
    }

    [Fact]
    public async Task An_idle_room_is_dropped_from_memory_and_taken_up_again()
    {
        var server = Server(new SequencerOptions { IdleLimit = TimeSpan.FromMilliseconds(100) });
        await server.CommitAsync(Send("a"));
        server.Count.ShouldBe(1);
        for (var i = 0; i < 200 && server.Count > 0; i++)
            await Task.Delay(25);

        server.Count.ShouldBe(0);
        (await server.CommitAsync(Send("b"))).Entry.Seq.ShouldBe(2);
    }

    [Fact]
    public async Task Commits_are_observed_in_seq_order()
    {
        var server = Server(new SequencerOptions { CommitSize = 3 });

        await Task.WhenAll(Enumerable.Range(0, 50).Select(i => server.CommitAsync(Send($"c{i}"))));
        await server.StopAsync(CancellationToken.None);

        _observer.Seqs.ShouldBe(Enumerable.Range(1, 50).Select(i => (long)i));
    }

    [Fact]
    public async Task Stopping_commits_what_was_accepted()
    {
        var server = Server(new SequencerOptions { CommitSize = 2 });
        _store.Hold();
        var sends = Enumerable.Range(0, 10).Select(i => server.CommitAsync(Send($"c{i}"))).ToList();
        await _store.WaitForTryAsync();
        var stopping = server.StopAsync(CancellationToken.None);
        _store.Release();
        await stopping;

        (await Task.WhenAll(sends)).Length.ShouldBe(10);
    }

    [Fact]
    public async Task Times_in_the_log_never_go_back_when_a_clock_does()
    {
        var ahead = DateTimeOffset.UtcNow.AddHours(1);
        _store.Row = _store.Row with { ActiveAt = ahead };

        (await Server().CommitAsync(Send("c"))).Entry.At.ShouldBe(ahead);
    }

    [Fact]
    public async Task Events_are_on_disk_in_seq_order_before_anybody_is_answered()
    {
        var server = Server(new SequencerOptions { CommitSize = 7 });
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _events.Gate = gate;
        var sends = Enumerable.Range(0, 30).Select(i => server.CommitAsync(Send($"c{i}"))).ToList();
        await UntilAsync(() => _store.Log.Count > 0);

        sends.ShouldAllBe(send => !send.IsCompleted);
        gate.SetResult();
        await Task.WhenAll(sends);
        _events.Seqs.ShouldBe(Enumerable.Range(1, 30).Select(i => (long)i));
    }

    [Fact]
    public async Task A_retry_appends_the_event_again()
    {
        var server = Server();
        await server.CommitAsync(Send("a"));
        await server.CommitAsync(Send("b"));

        (await server.CommitAsync(Send("a"))).IsNew.ShouldBeFalse();

        _events.Seqs.ShouldBe([1, 2, 1]);
    }

    [Fact]
    public async Task An_unanswered_commit_that_happened_has_its_events_and_is_told_to_the_members()
    {
        _store.Script.Enqueue(CommitOutcome.Unknown, happens: true);

        var server = Server();
        await server.CommitAsync(Send("c"));
        await server.CommitAsync(Send("d"));

        _events.Seqs.Distinct().ShouldBe([1, 2]);
        _observer.Seqs.Distinct().ShouldBe([1, 2]);
    }

    [Fact]
    public async Task A_full_spool_refuses_before_anything_is_stored()
    {
        _events.IsFull = true;

        var refusal = await Should.ThrowAsync<ChatException>(Server().CommitAsync(Send("c")));

        refusal.Code.ShouldBe("overloaded");
        refusal.Status.ShouldBe(503);
        refusal.RetryAfter.ShouldNotBeNull();
        _store.Log.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_spool_that_fills_up_after_the_commit_is_waited_for()
    {
        _events.Refusals = 3;

        (await Server().CommitAsync(Send("c"))).IsNew.ShouldBeTrue();

        _events.Seqs.ShouldBe([1]);
    }

    [Fact]
    public async Task A_stored_change_whose_event_finds_no_room_is_not_answered_as_done_and_a_retry_brings_the_event()
    {
        var server = Server(new SequencerOptions { EventDeadline = TimeSpan.Zero });
        _events.Refusals = 1;

        (await Should.ThrowAsync<ChatException>(server.CommitAsync(Send("c")))).Code.ShouldBe("unavailable");
        var retried = await server.CommitAsync(Send("c"));

        retried.IsNew.ShouldBeFalse();
        _store.Log.Count.ShouldBe(1);
        _events.Seqs.ShouldBe([1]);
        _observer.Seqs.ShouldBe([1]);
    }

    [Fact]
    public async Task What_a_crashed_server_committed_and_did_not_append_the_next_one_appends_before_its_own()
    {
        var dying = new RecordedEvents { Gate = new TaskCompletionSource() };
        var dead = Server(events: dying);
        var unanswered = dead.CommitAsync(Send("a"));
        await UntilAsync(() => _store.Log.Count == 1);

        await Server().CommitAsync(Send("b"));

        unanswered.IsCompleted.ShouldBeFalse();
        _events.Seqs.ShouldBe([1, 2]);
        dying.Gate.SetResult();
    }

    [Fact]
    public async Task A_sweep_appends_what_a_crashed_server_owes_the_rooms_creation_included_and_takes_the_room_off()
    {
        _store.Row = _store.Row with { SpooledSeq = -1 };
        var dying = new RecordedEvents { Gate = new TaskCompletionSource() };
        var dead = Server(events: dying);
        var unanswered = dead.CommitAsync(Send("a"));
        // Its first act is to append the creation's event, and there it dies.
        await UntilAsync(() => dying.Asked == 1);
        var sweeper = Server();

        await sweeper.RecoverAsync(Room);

        _events.Seqs.ShouldBe([0]);
        _store.Row.SpooledSeq.ShouldBe(0);
        _store.IsListed.ShouldBeFalse();
        sweeper.IsRunning(Room).ShouldBeFalse();
        dying.Gate.SetResult();
        (await unanswered).Entry.Seq.ShouldBe(1);
    }

    [Fact]
    public async Task A_room_put_down_owes_nothing_and_the_mark_costs_a_busy_room_no_call()
    {
        var server = Server(new SequencerOptions { IdleLimit = TimeSpan.FromMilliseconds(50) });
        for (var i = 0; i < 20; i++)
            await server.CommitAsync(Send($"c{i}"));
        _store.IsListed.ShouldBeTrue();
        _store.Row.SpooledSeq.ShouldBe(19);

        await UntilAsync(() => !_store.IsListed);
        await Server().CommitAsync(Send("later"));

        _store.Row.SpooledSeq.ShouldBe(20);
        _store.Recoveries.ShouldBe(0);
        _events.Seqs.ShouldBe(Enumerable.Range(1, 21).Select(seq => (long)seq));
    }

    [Fact]
    public async Task The_mark_passes_no_entry_of_which_it_is_not_known_who_missed_it_and_the_next_server_has_it_delivered_again()
    {
        var first = new TaskCompletionSource();
        _observer.Outcomes.Enqueue(first.Task);
        var dying = Server();
        for (var i = 0; i < 3; i++)
            await dying.CommitAsync(Send($"c{i}"));
        _store.Row.SpooledSeq.ShouldBe(0);

        await Server().CommitAsync(Send("later"));

        _observer.Seqs.ShouldBe([1, 2, 3, 1, 2, 3, 4]);
        first.SetResult();
    }

    [Fact]
    public async Task A_delivery_that_failed_is_tried_again_when_the_room_is_put_down()
    {
        _observer.Outcomes.Enqueue(Task.FromCanceled(new CancellationToken(canceled: true)));
        var server = Server(new SequencerOptions { IdleLimit = TimeSpan.FromMilliseconds(50) });
        await server.CommitAsync(Send("a"));

        await UntilAsync(() => !_store.IsListed);

        _observer.Seqs.ShouldBe([1, 1]);
        _store.Row.SpooledSeq.ShouldBe(1);
    }

    [Fact]
    public async Task A_join_that_would_overfill_the_room_is_refused_and_its_neighbours_are_not()
    {
        _store.Row = _store.Row with { MemberCount = 998 };
        var server = Server();
        _store.Hold();
        var first = server.CommitAsync(Send("first"));
        await _store.WaitForTryAsync();
        var joins = new[] { 1, 2, 1 }.Select((count, i) => server.CommitAsync(Send($"join {i}", members: count))).ToList();
        _store.Release();

        await first;
        await joins[0];
        (await Should.ThrowAsync<ChatException>(joins[1])).Code.ShouldBe("too_many_members");
        await joins[2];
        _store.Row.MemberCount.ShouldBe(1_000);
    }

    private static async Task UntilAsync(Func<bool> holds)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        while (!holds())
            await Task.Delay(5, limit.Token);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var server in _servers)
        {
            await server.StopAsync(CancellationToken.None);
            server.Dispose();
        }
    }

    private RoomSequencers Server(SequencerOptions? options = null, IEntryEvents? events = null)
    {
        var server = new RoomSequencers(_store, events ?? _events, _observer, Options.Create(options ?? new SequencerOptions()), TimeProvider.System, NullLogger<RoomSequencers>.Instance);
        _servers.Add(server);
        return server;
    }

    private static RoomChange Send(string id, int bytes = 500, bool refuse = false, string room = Room, int members = 0) => new()
    {
        RoomId = room,
        ActorId = "u1",
        DedupeId = id,
        IsMessage = true,
        MembersDelta = members,
        EstimatedBytes = bytes,
        WhenRefused = Refusals.MessageDeleted,
        Title = refuse ? ScriptedStore.RefusedMark : null,
        ToEntry = at => new Entry(room, at.Seq, EntryTypes.MessageCreated, at.At, "u1")
        {
            Message = new Message(room, at.Seq, at.MessageCount, "u1", MessageKind.Text, "x", id, at.At),
        },
    };

    private sealed class RecordedEvents : IEntryEvents
    {
        private int _refusals;
        private int _asked;

        public bool IsFull { get; set; }

        /// <summary>How many of the next appends find no room.</summary>
        public int Refusals { set => _refusals = value; }

        public TaskCompletionSource Gate { get; set; } = Opened();

        public ConcurrentQueue<long> Seqs { get; } = new();

        /// <summary>Appends that were begun.</summary>
        public int Asked => Volatile.Read(ref _asked);

        public async ValueTask EntryCommittedAsync(Entry entry, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _asked);
            await Gate.Task.WaitAsync(cancellationToken);
            if (Interlocked.Decrement(ref _refusals) >= 0)
                throw new EventSpoolFullException(new IOException("full"));
            Seqs.Enqueue(entry.Seq);
        }

        public async ValueTask RoomCreatedAsync(RoomRow room, IReadOnlyList<string> memberIds, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _asked);
            await Gate.Task.WaitAsync(cancellationToken);
            Seqs.Enqueue(0);
        }

        private static TaskCompletionSource Opened()
        {
            var gate = new TaskCompletionSource();
            gate.SetResult();
            return gate;
        }
    }

    private sealed class Observer : IRoomCommitObserver
    {
        public ConcurrentQueue<long> Seqs { get; } = new();

        /// <summary>How the next deliveries end; as soon as they begin when there is none.</summary>
        public ConcurrentQueue<Task> Outcomes { get; } = new();

        public ValueTask<Task> CommittedAsync(RoomCommit commit, CancellationToken cancellationToken)
        {
            foreach (var entry in commit.Entries)
                Seqs.Enqueue(entry.Seq);
            return ValueTask.FromResult(Outcomes.TryDequeue(out var outcome) ? outcome : Task.CompletedTask);
        }
    }

    /// <summary>The store's rules in memory: all or nothing, under the conditions on the room row and the dedupe records.</summary>
    private sealed class ScriptedStore : IRoomLogStore
    {
        public const string RefusedMark = "refused";
        private readonly Lock _lock = new();
        private readonly Dictionary<string, Entry> _dedupe = [];
        private readonly SemaphoreSlim _tried = new(0);
        private TaskCompletionSource _gate = Opened();

        public RoomRow Row { get; set; } = new(Room, RoomKind.Group, "u1", DateTimeOffset.UnixEpoch) { ActiveAt = DateTimeOffset.UnixEpoch, MemberCount = 1 };

        public List<Entry> Log { get; } = [];

        public int Commits { get; private set; }

        public int LargestCommit { get; private set; }

        /// <summary>How often events were read from the log.</summary>
        public int Recoveries { get; private set; }

        /// <summary>Whether the outbox has the room.</summary>
        public bool IsListed { get; private set; }

        public OutcomeScript Script { get; } = new();

        public void Hold() => _gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Release() => _gate.TrySetResult();

        public Task WaitForTryAsync() => _tried.WaitAsync(TimeSpan.FromSeconds(10));

        public Task<RoomRow?> FindRoomAsync(string roomId, CancellationToken cancellationToken)
        {
            lock (_lock)
                return Task.FromResult(roomId == Room ? Row : null);
        }

        public async Task<CommitResult> TryCommitAsync(CommitPlan plan, CancellationToken cancellationToken)
        {
            _tried.Release();
            await _gate.Task;
            await Task.Yield();
            lock (_lock)
            {
                var (outcome, happens) = Script.Next();
                var moved = Row.LastSeq != plan.Before.LastSeq;
                var duplicates = Indexes(plan, change => _dedupe.ContainsKey(change.DedupeId));
                var refused = Indexes(plan, change => change.Title == RefusedMark);
                if (happens && !moved && duplicates.Count == 0 && refused.Count == 0)
                {
                    Row = plan.After;
                    IsListed |= plan.IsListing;
                    Log.AddRange(plan.Entries);
                    for (var i = 0; i < plan.Changes.Count; i++)
                        _dedupe[plan.Changes[i].DedupeId] = plan.Entries[i];
                    Commits++;
                    LargestCommit = Math.Max(LargestCommit, plan.Changes.Count);
                }
                else if (outcome == CommitOutcome.Committed)
                {
                    return new CommitResult(CommitOutcome.Conflict, moved, duplicates, refused);
                }

                return CommitResult.Of(outcome);
            }
        }

        public Task<Entry?> FindByDedupeAsync(string roomId, string actorId, string dedupeId, CancellationToken cancellationToken)
        {
            lock (_lock)
                return Task.FromResult(_dedupe.GetValueOrDefault(dedupeId));
        }

        public Task<List<Entry>> ListAfterAsync(string roomId, long after, int limit, CancellationToken cancellationToken)
        {
            lock (_lock)
            {
                Recoveries++;
                return Task.FromResult(Log.Where(entry => entry.Seq > after).Take(limit).ToList());
            }
        }

        public Task<IReadOnlyList<string>> ListFoundersAsync(RoomRow room, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<string>>(["u1"]);

        public Task<bool> TrySettleOutboxAsync(string roomId, long seq, CancellationToken cancellationToken)
        {
            lock (_lock)
            {
                if (Row.LastSeq != seq)
                    return Task.FromResult(false);
                Row = Row with { SpooledSeq = seq };
                IsListed = false;
                return Task.FromResult(true);
            }
        }

        private static List<int> Indexes(CommitPlan plan, Func<RoomChange, bool> condition) =>
            Enumerable.Range(0, plan.Changes.Count).Where(i => condition(plan.Changes[i])).ToList();

        private static TaskCompletionSource Opened()
        {
            var gate = new TaskCompletionSource();
            gate.SetResult();
            return gate;
        }
    }

    private sealed class OutcomeScript
    {
        private readonly Queue<(CommitOutcome Outcome, bool Happens)> _next = new();

        public CommitOutcome? Always { get; set; }

        public void Enqueue(CommitOutcome outcome, bool happens) => _next.Enqueue((outcome, happens));

        public (CommitOutcome Outcome, bool Happens) Next() =>
            Always is { } always ? (always, false) : _next.TryDequeue(out var next) ? next : (CommitOutcome.Committed, true);
    }
}
