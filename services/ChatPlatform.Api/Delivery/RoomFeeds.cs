using System.Threading.Channels;
using ChatPlatform.Api.Rooms;
using ChatPlatform.Api.Rooms.Log;
using ChatPlatform.Contracts.Rooms;

namespace ChatPlatform.Api.Delivery;

/// <summary>
/// New entries of the rooms that gRPC subscribers of this server watch. One feed per room, whoever many watch it: this server's commits come from delivery; that another server has
/// committed is seen by the room's row, and then those entries are read once for all. The rows of all rooms are read together every 500 ms: two BatchGetItem calls a second for each
/// hundred rooms, one read unit a row (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html). Thread-safe.
/// </summary>
internal sealed partial class RoomFeeds : BackgroundService
{
    // How soon an entry that another server committed is seen.
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(500);
    private const int PageSize = 100;
    private const int LogsAtOnce = 8;

    private readonly RoomStore _rooms;
    private readonly RoomLogStore _log;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
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
    public async Task<Subscription> SubscribeAsync(IReadOnlyCollection<string> roomIds, CancellationToken cancellationToken)
    {
        var subscription = new Subscription(this);
        List<Feed> begun = [];
        lock (_lock)
        {
            foreach (var roomId in roomIds)
            {
                if (!_feeds.TryGetValue(roomId, out var feed))
                {
                    _feeds[roomId] = feed = new Feed(roomId);
                    begun.Add(feed);
                }

                feed.Subscribers.Add(subscription);
                subscription.Feeds[roomId] = feed;
            }
        }

        try
        {
            await LookAsync(begun, cancellationToken);
            return subscription;
        }
        catch
        {
            subscription.Dispose();
            throw;
        }
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

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Period, _time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            List<Feed> feeds;
            lock (_lock)
                feeds = [.. _feeds.Values];
            await LookAsync(feeds, stoppingToken);
        }
    }

    private void EndAll()
    {
        lock (_lock)
        {
            foreach (var subscriber in _feeds.Values.SelectMany(feed => feed.Subscribers))
                subscriber.End();
        }
    }

    /// <summary>Brings the feeds up to what their rooms' rows say there is. What fails is brought by the next look.</summary>
    private async Task LookAsync(List<Feed> feeds, CancellationToken stop)
    {
        if (feeds.Count == 0)
            return;
        try
        {
            var rows = await _rooms.GetRoomsAsync(feeds.Select(feed => feed.RoomId), stop);
            await Parallel.ForEachAsync(
                feeds.Where(feed => rows.ContainsKey(feed.RoomId)),
                new ParallelOptions { MaxDegreeOfParallelism = LogsAtOnce, CancellationToken = stop },
                (feed, cancel) => CatchUpAsync(feed, rows[feed.RoomId].LastSeq, cancel));
        }
        catch (Exception error) when (!stop.IsCancellationRequested)
        {
            Log.LookFailed(_logger, feeds.Count, error.Message);
        }
    }

    /// <summary>Reads what delivery has not brought.</summary>
    private async ValueTask CatchUpAsync(Feed feed, long lastSeq, CancellationToken stop)
    {
        long last;
        lock (_lock)
        {
            // Begins where the log ends: what was before, each subscriber reads.
            if (feed.Last < 0)
            {
                feed.Last = lastSeq;
                Add(feed, []);
            }

            last = feed.Last;
        }

        while (last < lastSeq)
        {
            var entries = await _log.ListAfterAsync(feed.RoomId, last, PageSize, readerId: null, stop);
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
                if (feed.Subscribers.Count == 0)
                    _feeds.Remove(feed.RoomId);
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
    internal sealed class Feed(string roomId)
    {
        /// <summary>A subscriber that is further behind reads the log.</summary>
        public const int MaxEntries = 512;

        public string RoomId => roomId;

        public HashSet<Subscription> Subscribers { get; } = [];

        public Queue<Entry> Entries { get; } = new();

        /// <summary>The newest seq seen; -1 before the first look.</summary>
        public long Last { get; set; } = -1;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "{Count} rooms could not be looked at for their subscribers: {Reason}")]
        public static partial void LookFailed(ILogger logger, int count, string reason);
    }
}
