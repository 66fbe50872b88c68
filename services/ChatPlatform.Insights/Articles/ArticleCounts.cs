using ChatPlatform.Insights.Events;

namespace ChatPlatform.Insights.Articles;

/// <param name="ArticleId">The article.</param>
/// <param name="Rooms">Rooms that were opened about it.</param>
/// <param name="Messages">Messages sent in them.</param>
/// <param name="LastMessageAt">The latest one; null when there is none.</param>
internal sealed record ArticleCount(string ArticleId, long Rooms, long Messages, DateTimeOffset? LastMessageAt);

/// <param name="ArticleId">What the room is about; null for a room about no article.</param>
/// <param name="LastSeq">The latest message that was counted: one at or before it came twice.</param>
internal sealed record RoomState(string? ArticleId, long LastSeq);

/// <summary>
/// The counts, and where in the topic they stand. An event changes them once however often it comes: the topic keeps a room's order, so that a message at or before the room's last counted
/// one is a repetition, be it of the producer, of a rebalance or after a restart. Readers may come from any thread; one caller changes.
/// </summary>
internal sealed class ArticleCounts
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, RoomState> _rooms = [];
    private readonly Dictionary<string, ArticleCount> _articles = [];
    private readonly Dictionary<int, long> _offsets = [];

    /// <summary>The offset to go on from, by partition.</summary>
    public IReadOnlyDictionary<int, long> Offsets
    {
        get
        {
            lock (_gate)
                return new Dictionary<int, long>(_offsets);
        }
    }

    public ArticleCount? Find(string articleId)
    {
        lock (_gate)
            return _articles.GetValueOrDefault(articleId);
    }

    /// <summary>Those with most messages.</summary>
    public IReadOnlyList<ArticleCount> Top(int most)
    {
        lock (_gate)
            return [.. _articles.Values.OrderByDescending(article => article.Messages).ThenBy(article => article.ArticleId, StringComparer.Ordinal).Take(most)];
    }

    /// <summary>What <paramref name="events"/> change; nothing is changed yet.</summary>
    public CountsChange Plan(IEnumerable<ChatEvent> events, IReadOnlyDictionary<int, long> offsets)
    {
        var change = new CountsChange([], [], new Dictionary<int, long>(offsets));
        foreach (var happened in events)
        {
            var known = change.Rooms.GetValueOrDefault(happened.RoomId) ?? _rooms.GetValueOrDefault(happened.RoomId);
            if (happened.IsMessage ? known is null || happened.Seq <= known.LastSeq : known is not null)
                continue;
            var room = happened.IsMessage ? known! with { LastSeq = happened.Seq } : new RoomState(happened.ArticleId, 0);
            change.Rooms[happened.RoomId] = room;
            if (room.ArticleId is not { } id)
                continue;
            var article = change.Articles.GetValueOrDefault(id) ?? _articles.GetValueOrDefault(id) ?? new ArticleCount(id, 0, 0, null);
            change.Articles[id] = happened.IsMessage
                ? article with { Messages = article.Messages + 1, LastMessageAt = article.LastMessageAt > happened.At ? article.LastMessageAt : happened.At }
                : article with { Rooms = article.Rooms + 1 };
        }

        return change;
    }

    public void Apply(CountsChange change)
    {
        lock (_gate)
        {
            foreach (var (id, room) in change.Rooms)
                _rooms[id] = room;
            foreach (var (id, article) in change.Articles)
                _articles[id] = article;
            foreach (var (partition, offset) in change.Offsets)
                _offsets[partition] = offset;
        }
    }

    /// <summary>Everything, as one change of nothing.</summary>
    public CountsChange Snapshot()
    {
        lock (_gate)
            return new CountsChange(new(_rooms), new(_articles), new(_offsets));
    }
}

/// <summary>New values, not differences: one line of the journal.</summary>
internal sealed record CountsChange(Dictionary<string, RoomState> Rooms, Dictionary<string, ArticleCount> Articles, Dictionary<int, long> Offsets);
