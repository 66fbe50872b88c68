using System.Diagnostics;
using System.Threading.Channels;
using ChatPlatform.Api.Access;
using ChatPlatform.Api.Events;
using ChatPlatform.Contracts.Rooms;

namespace ChatPlatform.Api.Rooms.Log;

/// <summary>What a commit brought, for those who tell others. The entries are in seq order.</summary>
internal sealed record RoomCommit(RoomRow Room, IReadOnlyList<Entry> Entries, IReadOnlyList<ActivityContext> Traces);

/// <summary>Told of every commit of this process; called in seq order per room. A slow one holds the room's next commit up.</summary>
internal interface IRoomCommitObserver
{
    /// <summary>
    /// Takes a commit over. The task that it gives ends when it is known who missed the commit's messages, and an event on disk says so; it fails when that cannot be found out, and then
    /// the commit is to be given again. It ends within seconds either way, and at the latest with this process.
    /// </summary>
    ValueTask<Task> CommittedAsync(RoomCommit commit, CancellationToken cancellationToken);
}

/// <summary>
/// Gives one room's changes their seqs. What waits is committed together in one transaction under the condition that the room's <c>lastSeq</c> is what this process
/// believes; a lost condition means that another server committed, so the room is read again and the changes are numbered anew. Any number of sequencers of a room may
/// run at once: the condition alone keeps the log dense. <see cref="TryAdd"/> is thread-safe; one loop does the rest.
/// </summary>
/// <remarks>
/// A caller is answered after the change's event is on disk: commit, append the events in seq order, answer. A crash before the append leaves a caller without an answer, whose retry
/// meets the dedupe record and appends the event again under the same id; consumers tell by it. A full spool refuses changes before the commit. If it fills up after one, the
/// stored change waits for room, as does the room behind it, for at most <see cref="SequencerOptions.EventDeadline"/>; then its caller is told 503, for whom a retry is right
/// as well. No change is ever answered as done whose event could be lost.
/// <para>
/// Nor is an event of a change whose caller was never answered, nor the event of who missed a message: each commit writes into the room row up to where all events were on disk before it
/// (<see cref="RoomRow.SpooledSeq"/>), at no further cost, and the next sequencer of the room, here or elsewhere, appends what lies between that mark and the log's end, from the
/// log, and has it delivered again. One that ends puts the mark at the log's end and takes the room off the <see cref="RoomOutbox"/>. While two servers commit to one room, each
/// leaves the other's entries to it for <see cref="Overdue"/> and appends them then.
/// </para>
/// </remarks>
internal sealed partial class RoomSequencer(
    string roomId,
    IRoomLogStore store,
    IEntryEvents events,
    IRoomCommitObserver observer,
    SequencerOptions options,
    TimeProvider time,
    ILogger logger,
    RoomRow? created = null,
    bool isRecovery = false)
{
    private const int MaxTransactionItems = 100;
    private const int RecoveryPage = 100;
    private static readonly TimeSpan EventRetry = TimeSpan.FromMilliseconds(20);

    /// <summary>After this long an event that should have been appended by whoever committed its entry is appended here too.</summary>
    private static readonly TimeSpan Overdue = TimeSpan.FromSeconds(10);

    // Below the 4 MB that a transaction may hold, to leave room for what the estimate misses.
    private const int MaxTransactionBytes = 3_000_000;

    private readonly Channel<RoomChange> _waiting =
        Channel.CreateBounded<RoomChange>(new BoundedChannelOptions(options.QueueLength) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });

    private int _closed;

    // Only the loop touches these.
    private RoomRow? _room = created;
    private RoomChange? _next;

    // Changes of commits that gave no answer: those that were stored after all are still to be told to the members.
    private readonly HashSet<RoomChange> _unsure = [];

    /// <summary>Events of entries up to here are on disk and their delivery is under way or done, as far as is known here.</summary>
    private long _spooled = created?.SpooledSeq ?? long.MinValue;

    /// <summary>The mark: up to here it is also known, and on disk, who missed what.</summary>
    private long _settled = created?.SpooledSeq ?? long.MinValue;

    /// <summary>Deliveries under way, in seq order. Each ends within seconds, so that they are few.</summary>
    private readonly Queue<(long First, long Last, Task Outcome)> _deliveries = new();

    /// <summary>True while the outbox surely lists the room.</summary>
    private bool _isListed = created is not null;

    /// <summary>Since when events are owed that others should have appended.</summary>
    private long? _owedSince;

    /// <summary>True when the sequencer takes no more changes: ask for another one.</summary>
    public bool IsClosed => Volatile.Read(ref _closed) != 0;

    /// <summary>Queues a change; false when the queue is full or closed.</summary>
    public bool TryAdd(RoomChange change) => _waiting.Writer.TryWrite(change);

    /// <summary>Takes no more changes; those that wait are still committed.</summary>
    public void Close()
    {
        Volatile.Write(ref _closed, 1);
        _waiting.Writer.TryComplete();
    }

    /// <summary>Commits until closed and empty, or idle. Ends only then: a cancelled <paramref name="stop"/> refuses what still waits.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        try
        {
            if (isRecovery)
            {
                await LoadAsync(stop);
                // Nobody waits: what comes until the next line is still committed.
                Close();
            }

            while (_next is not null || await WaitAsync(stop))
                await CommitAsync(TakeBatch(), stop);
            await SettleAsync(stop);
        }
        finally
        {
            Close();
            _next?.Refuse(Refusals.Unavailable());
            while (_waiting.Reader.TryRead(out var change))
                change.Refuse(Refusals.Unavailable());
        }
    }

    private async Task<bool> WaitAsync(CancellationToken stop)
    {
        if (_waiting.Reader.TryPeek(out _))
            return true;
        var more = _waiting.Reader.WaitToReadAsync(stop).AsTask();
        try
        {
            return await more.WaitAsync(options.IdleLimit, time, stop);
        }
        catch (TimeoutException)
        {
            // Closing first decides the race with a change that comes right now: it is either in the queue, and committed, or refused with IsClosed.
            Close();
            return await more;
        }
    }

    private List<RoomChange> TakeBatch()
    {
        List<RoomChange> batch = [];
        HashSet<string> touched = new(StringComparer.Ordinal);
        // The room row, and perhaps its place in the outbox.
        var items = 2;
        var bytes = 0;
        while (batch.Count < options.CommitSize && (_next is not null || _waiting.Reader.TryRead(out _next)))
        {
            items += 2 + _next.AlsoWritesCount;
            bytes += _next.EstimatedBytes;
            var fits = items <= MaxTransactionItems && bytes <= MaxTransactionBytes;
            // A transaction may name an item once: the second change of one message, or a retry of a message that still waits, is for the next commit.
            var fresh = touched.Add($"{_next.ActorId}\n{_next.DedupeId}") && _next.Touches.All(touched.Add);
            if (batch.Count > 0 && !(fits && fresh))
                break;
            batch.Add(_next);
            _next = null;
        }

        return batch;
    }

    private async Task CommitAsync(List<RoomChange> batch, CancellationToken stop)
    {
        var started = time.GetTimestamp();
        var failures = 0;
        using var span = ApiTelemetry.Source.StartActivity("commit", ActivityKind.Internal, batch[0].Trace);
        span?.SetTag("chat.room.id", roomId);
        try
        {
            while (batch.Count > 0)
            {
                if (time.GetElapsedTime(started) > options.CommitDeadline)
                    throw Refusals.Unavailable();
                // An unanswered try may have been stored: that is settled first, full or not.
                if (failures == 0 && events.IsFull)
                    throw Refusals.EventsFull();
                var room = _room ?? await LoadAsync(stop);
                TakeOutcomes();
                if (_owedSince is { } since && time.GetElapsedTime(since) >= Overdue)
                    await RecoverAsync(room, stop);
                RefuseTooManyMembers(room, batch);
                if (batch.Count == 0)
                    return;
                var plan = Plan(room, batch);
                var result = await store.TryCommitAsync(plan, stop);
                switch (result.Outcome)
                {
                    case CommitOutcome.Committed:
                        span?.SetTag("chat.commit.size", batch.Count);
                        span?.SetTag("chat.commit.retries", failures);
                        ApiTelemetry.Committed(batch.Count);
                        await FinishAsync(plan, stop);
                        return;
                    case CommitOutcome.Conflict:
                        ApiTelemetry.CommitConflicts.Add(1);
                        if (result.RoomMoved)
                            _room = null;
                        await AnswerSettledAsync(batch, result, stop);
                        break;
                    default:
                        // Whether an unanswered commit happened, the dedupe records of the next try tell.
                        _room = null;
                        if (result.Outcome == CommitOutcome.Unknown)
                            _unsure.UnionWith(batch);
                        failures++;
                        Log.CommitDelayed(logger, roomId, result.Outcome, failures);
                        await Task.Delay(TimeSpan.FromMilliseconds(Random.Shared.Next(5, 20 << Math.Min(failures, 5))), time, stop);
                        break;
                }
            }
        }
        catch (Exception error)
        {
            // Nobody else would tell the callers; the room is read again by the next commit.
            _room = null;
            span?.SetStatus(ActivityStatusCode.Error);
            if (error is not (ChatException or OperationCanceledException))
                Log.CommitFailed(logger, roomId, error);
            foreach (var change in batch)
                change.Refuse(error is OperationCanceledException ? Refusals.Unavailable() : error);
            // If they were stored, they are told when what is owed is recovered.
            _unsure.ExceptWith(batch);
            if (stop.IsCancellationRequested)
                throw;
        }
    }

    /// <summary>Reads the room. What was owed before this sequencer's first commit is appended now, so that events keep the order of the log; later, others may be about to.</summary>
    private async Task<RoomRow> LoadAsync(CancellationToken stop)
    {
        var isFirst = _spooled == long.MinValue;
        var room = await store.FindRoomAsync(roomId, stop) ?? throw Refusals.RoomNotFound();
        _room = room;
        _spooled = Math.Max(_spooled, room.SpooledSeq);
        _settled = Math.Max(_settled, room.SpooledSeq);
        // Whoever committed meanwhile may have ended since and have taken the room off.
        _isListed = isRecovery && isFirst;
        if (_spooled >= room.LastSeq)
            _owedSince = null;
        else if (isFirst)
            await RecoverAsync(room, stop);
        else
            _owedSince ??= time.GetTimestamp();
        return room;
    }

    /// <summary>Appends the events between the mark and the log's end. When they cannot be kept they stay owed.</summary>
    private async Task RecoverAsync(RoomRow room, CancellationToken stop)
    {
        var from = _spooled;
        try
        {
            if (_spooled < 0)
            {
                await events.RoomCreatedAsync(room, await store.ListFoundersAsync(room, stop), stop);
                (_spooled, _settled) = (0, Math.Max(_settled, 0));
            }

            while (_spooled < room.LastSeq)
            {
                var page = await store.ListAfterAsync(roomId, _spooled, RecoveryPage, stop);
                if (page.Count == 0)
                    break;
                await AppendEventsAsync(page, stop);
                // Nor is it known whether the members were told of them; twice does no harm.
                await DeliverAsync(new RoomCommit(room, page, page.Select(_ => default(ActivityContext)).ToList()), stop);
                _spooled = page[^1].Seq;
            }

            _owedSince = null;
            Log.EventsRecovered(logger, roomId, from, _spooled);
        }
        catch (EventSpoolFullException error)
        {
            _owedSince = time.GetTimestamp();
            Log.EventsDelayed(logger, roomId, _spooled + 1, room.LastSeq, error.Message);
        }
    }

    /// <summary>Leaves the room with nothing owed, where that is so.</summary>
    private async Task SettleAsync(CancellationToken stop)
    {
        if (_room is not { } room || !(_isListed || _owedSince is not null))
            return;
        try
        {
            await TakeAllOutcomesAsync(stop);
            if (_spooled < room.LastSeq)
            {
                await RecoverAsync(room, stop);
                await TakeAllOutcomesAsync(stop);
            }

            if (_settled >= room.LastSeq)
                await store.TrySettleOutboxAsync(roomId, room.LastSeq, stop);
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            // The room stays listed, and the mark where it is: whoever takes the room up next appends some events again.
            Log.NotSettled(logger, roomId, error.Message);
        }
    }

    /// <summary>Callers look before they join somebody; here, where joins come one after the other, the limit holds.</summary>
    private static void RefuseTooManyMembers(RoomRow room, List<RoomChange> batch)
    {
        var count = room.MemberCount;
        batch.RemoveAll(change =>
        {
            if (change.MembersDelta > 0 && count + change.MembersDelta > ChatRooms.MaxMembers)
            {
                change.Refuse(Refusals.TooManyMembers(ChatRooms.MaxMembers));
                return true;
            }

            count += change.MembersDelta;
            return false;
        });
    }

    private CommitPlan Plan(RoomRow room, List<RoomChange> batch)
    {
        var now = time.GetUtcNow();
        now = new DateTimeOffset(now.Ticks - (now.Ticks % TimeSpan.TicksPerMillisecond), TimeSpan.Zero);
        // Clocks of two servers differ; the log's times never go back.
        var at = now > room.ActiveAt ? now : room.ActiveAt;
        var after = room with { ActiveAt = at, SpooledSeq = Math.Min(_settled, room.LastSeq) };
        List<Entry> entries = [];
        List<LogPosition> positions = [];
        foreach (var change in batch)
        {
            after = after with
            {
                LastSeq = after.LastSeq + 1,
                MessageCount = after.MessageCount + (change.IsMessage ? 1 : 0),
                LastMessageSeq = change.IsMessage ? after.LastSeq + 1 : after.LastMessageSeq,
                MemberCount = after.MemberCount + change.MembersDelta,
                MemberVersion = after.MemberVersion + (change.MembersDelta != 0 ? 1 : 0),
                Title = change.Title ?? after.Title,
                IsLarge = after.IsLarge || after.MemberCount + change.MembersDelta > RoomActivity.SmallRoom,
            };
            var position = new LogPosition(after.LastSeq, after.MessageCount, at, room);
            positions.Add(position);
            entries.Add(change.ToEntry(position));
        }

        return new CommitPlan(room, after, [.. batch], entries, positions, IsListing: !_isListed);
    }

    private async Task FinishAsync(CommitPlan plan, CancellationToken stop)
    {
        _room = plan.After;
        _unsure.ExceptWith(plan.Changes);
        _isListed = true;
        try
        {
            await AppendEventsAsync(plan.Entries, stop);
            if (_spooled >= plan.Before.LastSeq)
                _spooled = plan.After.LastSeq;
            for (var i = 0; i < plan.Changes.Count; i++)
                plan.Changes[i].Complete(new CommittedChange(plan.Entries[i], IsNew: true));
        }
        catch (Exception error) when (error is EventSpoolFullException or OperationCanceledException)
        {
            // Stored, and told to the members below; the caller's retry appends the event, or this sequencer does when it is overdue.
            _owedSince ??= time.GetTimestamp();
            Log.EventsDelayed(logger, roomId, plan.Entries[0].Seq, plan.After.LastSeq, error.Message);
            foreach (var change in plan.Changes)
                change.Refuse(Refusals.Unavailable());
        }

        await DeliverAsync(new RoomCommit(plan.After, plan.Entries, plan.Changes.Select(change => change.Trace).ToList()), stop);
    }

    private async Task DeliverAsync(RoomCommit commit, CancellationToken stop) =>
        _deliveries.Enqueue((commit.Entries[0].Seq, commit.Entries[^1].Seq, await observer.CommittedAsync(commit, stop)));

    /// <summary>Moves the mark over the deliveries that have ended; entries from a failed one on are owed again.</summary>
    private void TakeOutcomes()
    {
        while (_deliveries.TryPeek(out var delivery) && delivery.Outcome.IsCompleted)
        {
            _deliveries.Dequeue();
            if (!delivery.Outcome.IsCompletedSuccessfully)
            {
                _spooled = Math.Min(_spooled, _settled);
                _owedSince ??= time.GetTimestamp();
            }
            else if (delivery.First <= _settled + 1 && delivery.Last <= _spooled)
            {
                _settled = Math.Max(_settled, delivery.Last);
            }
        }
    }

    private async Task TakeAllOutcomesAsync(CancellationToken stop)
    {
        await Task.WhenAll(_deliveries.Select(delivery => delivery.Outcome)).WaitAsync(stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stop.ThrowIfCancellationRequested();
        TakeOutcomes();
    }

    /// <summary>Appends the entries' events in order, and waits for a while when the spool is full.</summary>
    private async Task AppendEventsAsync(IReadOnlyList<Entry> entries, CancellationToken stop)
    {
        var started = time.GetTimestamp();
        foreach (var entry in entries)
        {
            while (true)
            {
                try
                {
                    await events.EntryCommittedAsync(entry, stop);
                    break;
                }
                catch (EventSpoolFullException) when (time.GetElapsedTime(started) < options.EventDeadline)
                {
                    await Task.Delay(EventRetry, time, stop);
                }
            }
        }
    }

    /// <summary>Answers those that need no commit any more and takes them out of the batch.</summary>
    private async Task AnswerSettledAsync(List<RoomChange> batch, CommitResult result, CancellationToken stop)
    {
        List<RoomChange> settled = [];
        foreach (var index in result.Duplicates)
        {
            var change = batch[index];
            // Absent only if it expired between the transaction and this read; then it is committed by the next try.
            if (await store.FindByDedupeAsync(roomId, change.ActorId, change.DedupeId, stop) is not { } first)
                continue;
            settled.Add(change);
            try
            {
                // Whoever stored it may have gone down before its event was on disk. Here an event may come after those of later entries; its first copy, if there is one, did not.
                await AppendEventsAsync([first], stop);
                change.Complete(new CommittedChange(first, IsNew: false));
            }
            catch (EventSpoolFullException error)
            {
                Log.EventsDelayed(logger, roomId, first.Seq, first.Seq, error.Message);
                change.Refuse(Refusals.Unavailable());
            }

            // An own commit whose answer was lost: the members have not been told. Any other was told by whoever got its answer.
            if (_unsure.Remove(change))
                await TellAsync(first, change, stop);
        }

        foreach (var index in result.Refused.Except(result.Duplicates))
        {
            batch[index].Refuse(batch[index].WhenRefused());
            settled.Add(batch[index]);
        }

        batch.RemoveAll(settled.Contains);
    }

    private async Task TellAsync(Entry entry, RoomChange change, CancellationToken stop)
    {
        _room ??= await store.FindRoomAsync(roomId, stop);
        if (_room is not null)
            await observer.CommittedAsync(new RoomCommit(_room, [entry], [change.Trace]), stop);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "A commit to room {RoomId} ended {Outcome}; try {Try} follows.")]
        public static partial void CommitDelayed(ILogger logger, string roomId, CommitOutcome outcome, int @try);

        [LoggerMessage(LogLevel.Warning, "Room {RoomId}: events of entries {First} to {Last} could not be kept in time ({Reason}); the callers are asked to try again.")]
        public static partial void EventsDelayed(ILogger logger, string roomId, long first, long last, string reason);

        [LoggerMessage(LogLevel.Information, "Room {RoomId}: events of entries after {From} up to {To} were appended from the log.")]
        public static partial void EventsRecovered(ILogger logger, string roomId, long from, long to);

        [LoggerMessage(LogLevel.Warning, "Room {RoomId} could not be taken off the outbox: {Reason}")]
        public static partial void NotSettled(ILogger logger, string roomId, string reason);

        [LoggerMessage(LogLevel.Error, "Commits to room {RoomId} fail.")]
        public static partial void CommitFailed(ILogger logger, string roomId, Exception error);
    }
}
