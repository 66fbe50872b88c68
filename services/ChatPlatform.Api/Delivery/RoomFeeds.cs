using System.Threading.Channels;
using ChatPlatform.Api.Rooms;
using ChatPlatform.Api.Rooms.Log;
using ChatPlatform.Contracts.Rooms;

namespace ChatPlatform.Api.Delivery;

/// <summary>
/// New entries of the rooms that gRPC subscribers of this server watch. One feed per room, whoever many watch it: this server's commits come from delivery; that another server has
/// committed is seen by the room's row, one keyed read per room at a time, and then those entries are read once for all. Thread-safe.
/// </summary>
internal sealed partial class RoomFeeds : IAsyncDisposable
{
    // How soon an entry that another server committed is seen.
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(500);
    private const int PageSize = 100;

    private readonly RoomStore _rooms;
    private readonly RoomLogStore _log;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly Dictionary<string, Feed> _feeds = new(StringComparer.Ordinal);

    // Guards _feeds, and each feed's subscribers.
    private readonly Lock _lock = new();

    public RoomFeeds(RoomStore rooms, RoomLogStore log, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<RoomFeeds> logger)
    {
        (_rooms, _log, _time, _logger) = (rooms, log, time, logger);
        // Subscribers' calls would hold up the web server's stop.
        lifetime.ApplicationStopping.Register(EndAll);
    }

    /// <summary>Begins to keep new entries of the rooms for one subscriber, who disposes it. What was committed before is in the log.</summary>
    public Subscription Subscribe(IReadOnlyCollection<string> roomIds)
    {
        var subscription = new Subscription(this);
        lock (_lock)
        {
            foreach (var roomId in roomIds)
            {
                if (!_feeds.TryGetValue(roomId, out var feed))
                {
                    _feeds[roomId] = feed = new Feed(roomId, CancellationTokenSource.CreateLinkedTokenSource(_stop.Token));
                    feed.Loop = Task.Run(() => FollowAsync(feed));
                }

                feed.Subscribers.Add(subscription);
                subscription.Feeds[roomId] = feed;
            }
        }

        return subscription;
    }

    /// <summary>A commit of this server's; called in seq order per room.</summary>
    public void Offer(RoomCommit commit)
    {
        lock (_lock)
        {
            if (_feeds.TryGetValue(commit.Room.RoomId, out var feed))
                Add(feed, commit.Entries);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        List<Feed> left;
        lock (_lock)
            left = [.. _feeds.Values];
        await Task.WhenAll(left.Select(feed => feed.Loop));
        _stop.Dispose();
    }

    private void EndAll()
    {
        lock (_lock)
        {
            foreach (var subscriber in _feeds.Values.SelectMany(feed => feed.Subscribers))
                subscriber.End();
        }
    }

    private async Task FollowAsync(Feed feed)
    {
        using var timer = new PeriodicTimer(Period, _time);
        try
        {
            do
            {
                try
                {
                    await CatchUpAsync(feed);
                }
                catch (Exception error) when (!feed.Stop.IsCancellationRequested)
                {
                    Log.FeedFailed(_logger, feed.RoomId, error.Message);
                }
            }
            while (await timer.WaitForNextTickAsync(feed.Stop.Token));
        }
        catch (OperationCanceledException) when (feed.Stop.IsCancellationRequested)
        {
            Log.FeedEnded(_logger, feed.RoomId);
        }
        finally
        {
            feed.Stop.Dispose();
        }
    }

    /// <summary>Reads what the room's row says there is and delivery has not brought.</summary>
    private async Task CatchUpAsync(Feed feed)
    {
        if (await _rooms.FindRoomAsync(feed.RoomId, feed.Stop.Token) is not { } row)
            return;
        long last;
        lock (_lock)
        {
            // Begins where the log ends: what was before, each subscriber reads.
            if (feed.Last < 0)
            {
                feed.Last = row.LastSeq;
                Add(feed, []);
            }

            last = feed.Last;
        }

        while (last < row.LastSeq)
        {
            var entries = await _log.ListAfterAsync(feed.RoomId, last, PageSize, readerId: null, feed.Stop.Token);
            if (entries.Count == 0)
                return;
            lock (_lock)
            {
                Add(feed, entries);
                last = feed.Last;
            }
        }
    }

    // Under the lock.
    private static void Add(Feed feed, IReadOnlyList<Entry> entries)
    {
        foreach (var entry in entries)
        {
            // One that is ahead is brought by the row's next look.
            if (feed.Last < 0 || entry.Seq != feed.Last + 1)
                continue;
            feed.Entries.Enqueue(entry);
            feed.Last = entry.Seq;
            if (feed.Entries.Count > Feed.MaxEntries)
                feed.Entries.Dequeue();
        }

        foreach (var subscriber in feed.Subscribers)
            subscriber.Wake();
    }

    private void Leave(Subscription subscription)
    {
        lock (_lock)
        {
            foreach (var feed in subscription.Feeds.Values)
            {
                feed.Subscribers.Remove(subscription);
                if (feed.Subscribers.Count == 0 && _feeds.Remove(feed.RoomId))
                    feed.Stop.Cancel();
            }
        }
    }

    /// <summary>One subscriber's view. Not thread-safe but for what the feeds do.</summary>
    internal sealed class Subscription(RoomFeeds owner) : IDisposable
    {
        // That something is new, not how much.
        private readonly Channel<bool> _news = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

        internal Dictionary<string, Feed> Feeds { get; } = new(StringComparer.Ordinal);

        /// <summary>The entries after a seq that have come, in order; null when the feed no longer holds the first of them, and the log must be read.</summary>
        public IReadOnlyList<Entry>? After(string roomId, long seq)
        {
            var feed = Feeds[roomId];
            lock (owner._lock)
            {
                if (seq >= feed.Last)
                    return [];
                return feed.Entries.TryPeek(out var first) && first.Seq <= seq + 1 ? feed.Entries.Where(entry => entry.Seq > seq).ToList() : null;
            }
        }

        /// <summary>Waits until something may be new in any of the rooms.</summary>
        /// <exception cref="ChannelClosedException">This server stops.</exception>
        public async Task WaitAsync(CancellationToken cancellationToken) => await _news.Reader.ReadAsync(cancellationToken);

        public void Dispose() => owner.Leave(this);

        internal void Wake() => _news.Writer.TryWrite(true);

        internal void End() => _news.Writer.TryComplete();
    }

    /// <summary>A room's feed; the lock of its owner guards it.</summary>
    internal sealed class Feed(string roomId, CancellationTokenSource stop)
    {
        /// <summary>A subscriber that is further behind reads the log.</summary>
        public const int MaxEntries = 512;

        public string RoomId => roomId;

        public CancellationTokenSource Stop => stop;

        public Task Loop { get; set; } = Task.CompletedTask;

        public HashSet<Subscription> Subscribers { get; } = [];

        public Queue<Entry> Entries { get; } = new();

        /// <summary>The newest seq seen; -1 before the first look.</summary>
        public long Last { get; set; } = -1;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "Room {RoomId} could not be looked at for its subscribers: {Reason}")]
        public static partial void FeedFailed(ILogger logger, string roomId, string reason);

        [LoggerMessage(LogLevel.Debug, "Nobody subscribes to room {RoomId} any more.")]
        public static partial void FeedEnded(ILogger logger, string roomId);
    }
}
