using System.Collections.Concurrent;
using System.Text.Json;
using ChatPlatform.Contracts.Frames;
using ChatPlatform.Contracts.Json;
using Grpc.Core;
using Entry = ChatPlatform.Contracts.Protos.Chat.V1.Entry;

namespace ChatPlatform.Relay.Resume;

/// <summary>Reads a page of a room's log, oldest first, in the name of the user whose token it is.</summary>
internal delegate Task<IReadOnlyList<Entry>> ReadLogPage(string token, string roomId, long after, int limit);

/// <summary>
/// The last entries of rooms whose members come back at the moment. After a relay or a network went away all members of a room ask for the same entries at once: the log is read
/// by the first of them, live delivery keeps what was read up to date, and the store sees one query per room instead of one per client. Thread-safe; bounded in entries per room
/// and rooms, and forgotten a while after the last use.
/// </summary>
internal sealed class RoomTails(ReadLogPage readLog, TimeProvider time)
{
    /// <summary>How many entries before those asked for are read along: clients lose their connections at slightly different seqs.</summary>
    internal const int Margin = 32;

    /// <summary>How long entries are kept after their last use. Also how long a text that was edited or deleted meanwhile can be replayed as it was, with that change right behind it.</summary>
    internal static readonly TimeSpan Window = TimeSpan.FromSeconds(20);

    // What is in the log and not here yet is likely on its way by live delivery.
    private static readonly TimeSpan DeliveryWait = TimeSpan.FromMilliseconds(100);

    private const int MaxEntries = 4 * RoomReplay.MaxMissing;
    private const int MaxRooms = 2_000;

    private readonly ConcurrentDictionary<string, Tail> _tails = new(StringComparer.Ordinal);

    /// <summary>
    /// The frames of the entries after one seq up to another, which is at most <see cref="RoomReplay.MaxMissing"/> on and in the log. As <paramref name="userId"/> sees them; the
    /// caller has made sure that this user may.
    /// </summary>
    /// <exception cref="RpcException">The log could not be read.</exception>
    public async Task<IReadOnlyList<ReadOnlyMemory<byte>>> ReadAsync(string roomId, long after, long last, string userId, string token, CancellationToken cancellationToken)
    {
        var tail = GetOrAdd(roomId);
        for (var isMine = false; ;)
        {
            Task reading;
            lock (tail)
            {
                tail.UsedAt = time.GetTimestamp();
                if (tail.TryTake(after, last) is { } entries)
                    return entries.ConvertAll(entry => entry.For(userId));
                if (isMine)
                    throw new RpcException(new Status(StatusCode.DataLoss, $"The log of room {roomId} was read without its entries {after + 1} to {last}."));
                if (tail.Reading is not { IsCompleted: false })
                {
                    isMine = true;
                    tail.Reading = ReadOnAsync(tail, roomId, after, last, token);
                }

                reading = tail.Reading;
            }

            try
            {
                await reading.WaitAsync(cancellationToken);
            }
            catch (RpcException) when (!isMine)
            {
                // It was made in another user's name, who may have left the room just now: the next one is made in this user's.
                continue;
            }
        }
    }

    /// <summary>A live entry of a room, in seq order: it goes on where the log was read to.</summary>
    public void Offer(string roomId, long seq, ReadOnlyMemory<byte> frame)
    {
        if (!_tails.TryGetValue(roomId, out var tail))
            return;
        lock (tail)
            tail.Append(seq, new TailEntry(frame, []));
    }

    /// <summary>Forgets what was not used for a while.</summary>
    public void Sweep()
    {
        foreach (var (roomId, tail) in _tails)
        {
            lock (tail)
            {
                if (tail.Reading is { IsCompleted: false } || time.GetElapsedTime(tail.UsedAt) < Window)
                    continue;
                _tails.TryRemove(KeyValuePair.Create(roomId, tail));
            }
        }
    }

    private Tail GetOrAdd(string roomId)
    {
        if (_tails.TryGetValue(roomId, out var known))
            return known;
        // More rooms than that at once: one that shares with nobody else.
        return _tails.Count >= MaxRooms ? new Tail() : _tails.GetOrAdd(roomId, static _ => new Tail());
    }

    private async Task ReadOnAsync(Tail tail, string roomId, long after, long last, string token)
    {
        Task<bool>? delivered = null;
        lock (tail)
        {
            if (tail.Reaches(after))
                delivered = tail.WaitForAsync(last);
        }

        // Never under the lock of the caller.
        await Task.Yield();
        if (delivered is not null && await Task.WhenAny(delivered, Task.Delay(DeliveryWait, time)) == delivered)
            return;

        long from;
        lock (tail)
        {
            if (tail.Covers(after, last))
                return;
            from = tail.Reaches(after) ? tail.Last : Math.Max(0, Math.Min(after, last - Margin));
        }

        var page = await readLog(token, roomId, from, RoomReplay.MaxMissing);
        lock (tail)
            tail.Put(from, page);
    }

    /// <summary>An entry's frame, and who has reacted to its message, each as <c>EMOJI USERID</c>.</summary>
    private readonly record struct TailEntry(ReadOnlyMemory<byte> Frame, IReadOnlyList<string> Reactions)
    {
        /// <summary>The frame as a user sees it: their own reactions are marked as theirs.</summary>
        public ReadOnlyMemory<byte> For(string userId)
        {
            var mine = Reactions.Where(reaction => reaction.AsSpan(reaction.IndexOf(' ') + 1).SequenceEqual(userId))
                .Select(reaction => reaction[..reaction.IndexOf(' ')]).ToHashSet(StringComparer.Ordinal);
            if (mine.Count == 0)
                return Frame;
            var entry = JsonSerializer.Deserialize(ServerFrames.EntryOf(Frame.Span), ChatJson.Wire.Entry)!;
            var reactions = entry.Message!.Reactions.Select(reaction => reaction with { Mine = mine.Contains(reaction.Emoji) }).ToList();
            return ServerFrames.Entry(entry with { Message = entry.Message with { Reactions = reactions } });
        }
    }

    /// <summary>Entries without a hole. All members are guarded by the lock on the object itself.</summary>
    private sealed class Tail
    {
        private readonly List<TailEntry> _entries = [];
        private long _first = 1;
        private TaskCompletionSource<bool>? _awaited;
        private long _awaitedSeq;

        public long UsedAt { get; set; }

        public Task? Reading { get; set; }

        /// <summary>The seq of the newest entry here.</summary>
        public long Last => _first + _entries.Count - 1;

        /// <summary>True when what follows a seq begins here.</summary>
        public bool Reaches(long after) => _entries.Count > 0 && after + 1 >= _first;

        public bool Covers(long after, long last) => Reaches(after) && last <= Last;

        public List<TailEntry>? TryTake(long after, long last) =>
            Covers(after, last) ? _entries.GetRange((int)(after + 1 - _first), (int)(last - after)) : null;

        /// <summary>Ends when entries up to a seq are here.</summary>
        public Task<bool> WaitForAsync(long seq)
        {
            _awaited = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
            _awaitedSeq = seq;
            return _awaited.Task;
        }

        public void Append(long seq, TailEntry entry)
        {
            if (_entries.Count == 0 || seq != Last + 1)
                return;
            _entries.Add(entry);
            if (_entries.Count > MaxEntries)
            {
                _entries.RemoveRange(0, MaxEntries / 2);
                _first += MaxEntries / 2;
            }

            if (Last >= _awaitedSeq)
                _awaited?.TrySetResult(true);
        }

        public void Put(long after, IReadOnlyList<Entry> page)
        {
            // Live delivery may have gone on meanwhile: what it brought stays, where the page leads up to it.
            if (_entries.Count == 0 || after != Last)
            {
                var isJoined = _entries.Count > 0 && after + 1 < _first && after + page.Count + 1 >= _first;
                if (isJoined)
                {
                    _entries.InsertRange(0, page.Take((int)(_first - after - 1)).Select(ToTail));
                    _first = after + 1;
                }
                else if (!Reaches(after))
                {
                    _entries.Clear();
                    _first = after + 1;
                }
            }

            foreach (var entry in page)
                Append(entry.Seq, entry);
        }

        private void Append(long seq, Entry entry)
        {
            if (_entries.Count == 0 && seq == _first)
                _entries.Add(ToTail(entry));
            else if (seq == Last + 1)
                Append(seq, ToTail(entry));
        }

        private static TailEntry ToTail(Entry entry) => new(ServerFrames.Entry(entry.Json.Span), entry.Reactions);
    }
}
