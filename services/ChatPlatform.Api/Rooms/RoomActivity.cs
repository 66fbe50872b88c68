using ChatPlatform.Api.Rooms.Log;
using ChatPlatform.Contracts.Rooms;

namespace ChatPlatform.Api.Rooms;

/// <summary>
/// Keeps the index <c>byActivity</c>. In rooms of up to <see cref="SmallRoom"/> members every member's row is touched after a commit. A larger room would cost a write per
/// member and message: once it grew beyond that, its members' rows have <see cref="LargeKey"/> for good, above all times, so that the index gives a user's large rooms (few by nature) by
/// one key; the list reads them whole, with the room rows' times, and merges them in.
/// A sender has read what they sent: their read position moves with it.
/// <para>
/// Nobody's delivery waits for these writes. A room has one round of them under way; what is committed meanwhile is one more round after it, however many commits it was. Thread-safe
/// for different rooms; the commits of one room are given one after the other.
/// </para>
/// </summary>
internal sealed partial class RoomActivity(RoomStore rooms, ILogger<RoomActivity> logger)
{
    /// <summary>Members up to which a room is small.</summary>
    public const int SmallRoom = 50;

    /// <summary>The sort key of a large room's members; sorts after every time.</summary>
    public const string LargeKey = "~";

    private const int MaxRounds = 512;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Round> _rounds = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _free = new(MaxRounds);

    /// <summary>Takes a commit over; waits only while very many rooms are being written.</summary>
    public async ValueTask TouchAsync(RoomCommit commit, IReadOnlyList<MemberRow> members, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_rounds.TryGetValue(commit.Room.RoomId, out var running))
            {
                running.Add(commit, members);
                return;
            }
        }

        await _free.WaitAsync(cancellationToken);
        var round = new Round();
        round.Add(commit, members);
        lock (_lock)
        {
            _rounds.Add(commit.Room.RoomId, round);
            round.Work = WorkAsync(commit.Room.RoomId, round, cancellationToken);
        }
    }

    /// <summary>Ends when all that was taken over is written.</summary>
    public Task DrainAsync()
    {
        lock (_lock)
            return Task.WhenAll(_rounds.Values.Select(round => round.Work));
    }

    private async Task WorkAsync(string roomId, Round round, CancellationToken stop)
    {
        await Task.Yield();
        try
        {
            while (Take(roomId, round) is { } next)
                await WriteAsync(next, stop);
        }
        catch (Exception error)
        {
            // What was not written the next commit of the room makes good.
            lock (_lock)
                _rounds.Remove(roomId);
            if (!stop.IsCancellationRequested)
                Log.NotWritten(logger, roomId, error);
        }
        finally
        {
            _free.Release();
        }
    }

    private Touches? Take(string roomId, Round round)
    {
        lock (_lock)
        {
            var next = round.Next;
            round.Next = null;
            if (next is null)
                _rounds.Remove(roomId);
            return next;
        }
    }

    private async Task WriteAsync(Touches touches, CancellationToken stop)
    {
        var (room, at) = (touches.Room.RoomId, touches.Room.ActiveAt);
        List<Task> writes = [];
        if (!touches.Room.IsLarge)
        {
            foreach (var member in touches.Members)
                writes.Add(touches.Sent.Remove(member.UserId, out var sent) ? TouchSenderAsync(sent, at, stop) : rooms.TouchAsync(room, member.UserId, at, stop));
        }
        else if (touches.HasJoins)
        {
            writes.AddRange(touches.Members.Where(member => !member.IsInLargeRoom).Select(member => (Task)rooms.MarkLargeAsync(room, member.UserId, stop)));
        }

        writes.AddRange(touches.Sent.Values.Select(sent => (Task)rooms.MoveReadPositionAsync(room, sent.ActorId, sent.Seq, sent.Message!.Ordinal, stop)));
        await Task.WhenAll(writes);
    }

    private async Task TouchSenderAsync(Entry sent, DateTimeOffset at, CancellationToken stop)
    {
        if (await rooms.TouchSenderAsync(sent.RoomId, sent.ActorId, at, sent.Seq, sent.Message!.Ordinal, stop))
            return;
        // One of the two is further on already.
        await rooms.TouchAsync(sent.RoomId, sent.ActorId, at, stop);
        await rooms.MoveReadPositionAsync(sent.RoomId, sent.ActorId, sent.Seq, sent.Message!.Ordinal, stop);
    }

    /// <summary>One room's writes under way, and what is to be written next; the lock guards it.</summary>
    private sealed class Round
    {
        public Touches? Next { get; set; }

        public Task Work { get; set; } = Task.CompletedTask;

        public void Add(RoomCommit commit, IReadOnlyList<MemberRow> members)
        {
            Next = new Touches(commit.Room, members, Next?.Sent ?? new(StringComparer.Ordinal))
            {
                HasJoins = Next?.HasJoins == true || commit.Entries.Any(entry => entry.Type == EntryTypes.MemberJoined),
            };
            foreach (var entry in commit.Entries)
            {
                if (entry.Type == EntryTypes.MessageCreated && entry.Message!.Kind is not (MessageKind.System or MessageKind.Transfer))
                    Next.Sent[entry.ActorId] = entry;
            }
        }
    }

    /// <param name="Room">The room as the newest commit left it.</param>
    /// <param name="Members">Its members.</param>
    /// <param name="Sent">Who wrote, and what last.</param>
    private sealed record Touches(RoomRow Room, IReadOnlyList<MemberRow> Members, Dictionary<string, Entry> Sent)
    {
        /// <summary>True when somebody joined.</summary>
        public bool HasJoins { get; init; }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "Room {RoomId}: its members' room lists were not updated.")]
        public static partial void NotWritten(ILogger logger, string roomId, Exception error);
    }
}
