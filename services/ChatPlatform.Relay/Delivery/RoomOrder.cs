using System.Collections.Concurrent;

namespace ChatPlatform.Relay.Delivery;

/// <summary>An entry's frame on its way to users' sockets.</summary>
internal readonly record struct EntryFrame(string RoomId, long Seq, IReadOnlyList<string> UserIds, ReadOnlyMemory<byte> Payload);

/// <summary>
/// Puts a room's entries in seq order. They come over one stream per API server, and two servers' streams are in no order to each other; an entry that is ahead of its turn
/// waits a moment for those before it. What does not come by then was not for this node, or is late: then it is not pushed out of order, and clients that see a hole ask
/// the log. Thread-safe; <paramref name="push"/> is called in seq order per room.
/// </summary>
internal sealed class RoomOrder(Action<EntryFrame> push, TimeProvider time) : IDisposable
{
    /// <summary>How long an entry waits for one that must come before it.</summary>
    public static readonly TimeSpan GapWait = TimeSpan.FromMilliseconds(250);

    /// <summary>The same for the first entry of a room that this node knows nothing of, or nothing recent.</summary>
    public static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(30);

    private static readonly TimeSpan Recent = TimeSpan.FromSeconds(5);
    private const int MaxHeld = 256;
    private const int MaxRooms = 50_000;
    private static readonly TimeSpan Forget = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<string, Room> _rooms = new(StringComparer.Ordinal);

    public void Add(EntryFrame entry)
    {
        if (_rooms.Count > MaxRooms)
            ForgetQuiet();
        while (true)
        {
            var room = _rooms.GetOrAdd(entry.RoomId, static (_, self) => new Room(self), this);
            lock (room)
            {
                if (room.IsForgotten)
                    continue;
                room.Add(entry);
                return;
            }
        }
    }

    public void Dispose()
    {
        foreach (var (_, room) in _rooms)
        {
            lock (room)
                room.Dispose();
        }
    }

    private void ForgetQuiet()
    {
        foreach (var (id, room) in _rooms)
        {
            lock (room)
            {
                if (!room.IsQuiet)
                    continue;
                room.Dispose();
                _rooms.TryRemove(id, out _);
            }
        }
    }

    /// <summary>All members are guarded by the lock on the object itself.</summary>
    private sealed class Room(RoomOrder owner) : IDisposable
    {
        private readonly SortedDictionary<long, EntryFrame> _held = [];
        private ITimer? _timer;
        private bool _timerOn;
        private long _last;
        private long _usedAt;

        public bool IsForgotten { get; private set; }

        public bool IsQuiet => _held.Count == 0 && owner.Time.GetElapsedTime(_usedAt) > Forget;

        public void Add(EntryFrame entry)
        {
            // After a pause this node has likely missed entries that were not for it: no reason to wait long for them.
            var isKnown = _last > 0 && owner.Time.GetElapsedTime(_usedAt) < Recent;
            _usedAt = owner.Time.GetTimestamp();
            if (_last > 0 && entry.Seq <= _last)
            {
                RelayTelemetry.Late.Add(1);
                return;
            }

            _held[entry.Seq] = entry;
            Release(all: _held.Count > MaxHeld);
            if (_held.Count > 0 && !_timerOn)
            {
                _timer ??= owner.Time.CreateTimer(static state => ((Room)state!).WaitedLongEnough(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                _timer.Change(isKnown ? GapWait : FirstWait, Timeout.InfiniteTimeSpan);
                _timerOn = true;
            }
        }

        public void Dispose()
        {
            IsForgotten = true;
            _timer?.Dispose();
        }

        private void WaitedLongEnough()
        {
            lock (this)
            {
                _timerOn = false;
                if (!IsForgotten)
                    Release(all: true);
            }
        }

        private void Release(bool all)
        {
            while (_held.Count > 0)
            {
                var (seq, entry) = _held.First();
                if (!all && seq != _last + 1)
                    return;
                _held.Remove(seq);
                _last = seq;
                owner.Push(entry);
            }
        }
    }

    private TimeProvider Time { get; } = time;

    private Action<EntryFrame> Push { get; } = push;
}
