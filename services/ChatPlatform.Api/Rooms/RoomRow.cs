using Amazon.DynamoDBv2.Model;
using ChatPlatform.Api.Tables;
using ChatPlatform.Contracts.Rooms;

namespace ChatPlatform.Api.Rooms;

/// <summary>A row of <c>chat-rooms</c>: what every commit to the room's log changes together, under the condition that <c>lastSeq</c> is what it was.</summary>
internal sealed record RoomRow(string RoomId, RoomKind Kind, string CreatedBy, DateTimeOffset CreatedAt)
{
    public string? Title { get; init; }

    public string? ArticleId { get; init; }

    public long LastSeq { get; init; }

    public long MessageCount { get; init; }

    /// <summary>The seq of the newest message; 0 without one.</summary>
    public long LastMessageSeq { get; init; }

    public int MemberCount { get; init; }

    /// <summary>Goes up with every change of the members, so that a cached list knows that it is old.</summary>
    public long MemberVersion { get; init; }

    public DateTimeOffset ActiveAt { get; init; }

    /// <summary>
    /// The outbox mark: the events of entries up to this seq are surely on disk, those of who missed them included. It travels in each commit's own write and so lags behind while the room is
    /// busy; -1 while even the event of the room's creation may be owed.
    /// </summary>
    public long SpooledSeq { get; init; }

    /// <summary>True once the room had more than <see cref="RoomActivity.SmallRoom"/> members; it stays so.</summary>
    public bool IsLarge { get; init; }

    public Dictionary<string, AttributeValue> ToItem()
    {
        var item = new Dictionary<string, AttributeValue>
        {
            ["roomId"] = Attributes.S(RoomId),
            ["kind"] = Attributes.S(KindText(Kind)),
            ["createdBy"] = Attributes.S(CreatedBy),
            ["createdAt"] = Attributes.Time(CreatedAt),
            ["lastSeq"] = Attributes.N(LastSeq),
            ["messageCount"] = Attributes.N(MessageCount),
            ["lastMessageSeq"] = Attributes.N(LastMessageSeq),
            ["memberCount"] = Attributes.N(MemberCount),
            ["memberVersion"] = Attributes.N(MemberVersion),
            ["activeAt"] = Attributes.Time(ActiveAt),
            ["spooledSeq"] = Attributes.N(SpooledSeq),
            ["isLarge"] = Attributes.Bool(IsLarge),
        };
        if (Title is not null)
            item["title"] = Attributes.S(Title);
        if (ArticleId is not null)
            item["articleId"] = Attributes.S(ArticleId);
        return item;
    }

    public static RoomRow FromItem(Dictionary<string, AttributeValue> item) =>
        new(item.Text("roomId"), ParseKind(item.Text("kind")), item.Text("createdBy"), item.Time("createdAt"))
        {
            Title = item.TextOrNull("title"),
            ArticleId = item.TextOrNull("articleId"),
            LastSeq = item.Number("lastSeq"),
            MessageCount = item.Number("messageCount"),
            LastMessageSeq = item.Number("lastMessageSeq"),
            MemberCount = (int)item.Number("memberCount"),
            MemberVersion = item.Number("memberVersion"),
            ActiveAt = item.Time("activeAt"),
            // A row of a time before the mark owes nothing.
            SpooledSeq = item.Number(item.ContainsKey("spooledSeq") ? "spooledSeq" : "lastSeq"),
            IsLarge = item.Flag("isLarge"),
        };

    public Room ToRoom(IReadOnlyList<RoomMember>? members = null, bool muted = false) => new(RoomId, Kind, CreatedAt)
    {
        Title = Title,
        ArticleId = ArticleId,
        CreatedBy = CreatedBy,
        LastSeq = LastSeq,
        MessageCount = MessageCount,
        MemberCount = MemberCount,
        ActiveAt = ActiveAt,
        Members = members,
        Muted = muted,
    };

    public static string KindText(RoomKind kind) => kind == RoomKind.Direct ? "direct" : "group";

    public static RoomKind ParseKind(string text) => text == "direct" ? RoomKind.Direct : RoomKind.Group;
}

/// <summary>A row of <c>chat-members</c>.</summary>
internal sealed record MemberRow(string UserId, string RoomId, RoomKind Kind, DateTimeOffset JoinedAt)
{
    /// <summary>In a direct room, the other user; null in a group.</summary>
    public string? PeerId { get; init; }

    public bool Muted { get; init; }

    public long LastReadSeq { get; init; }

    /// <summary>The ordinal of the newest message up to <see cref="LastReadSeq"/>: unread is the room's message count less this.</summary>
    public long LastReadOrdinal { get; init; }

    /// <summary>The sort key of the index <c>byActivity</c>: in a small room when it was last active, see <see cref="RoomActivity"/>.</summary>
    public DateTimeOffset ActiveAt { get; init; }

    /// <summary>The room's own flag, as far as this row knows; then the index has <see cref="RoomActivity.LargeKey"/> instead of a time.</summary>
    public bool IsInLargeRoom { get; init; }

    public Dictionary<string, AttributeValue> ToItem()
    {
        var item = new Dictionary<string, AttributeValue>
        {
            ["userId"] = Attributes.S(UserId),
            ["roomId"] = Attributes.S(RoomId),
            ["kind"] = Attributes.S(RoomRow.KindText(Kind)),
            ["joinedAt"] = Attributes.Time(JoinedAt),
            ["muted"] = Attributes.Bool(Muted),
            ["lastReadSeq"] = Attributes.N(LastReadSeq),
            ["lastReadOrdinal"] = Attributes.N(LastReadOrdinal),
            ["activeAt"] = IsInLargeRoom ? Attributes.S(RoomActivity.LargeKey) : Attributes.Time(ActiveAt),
        };
        if (PeerId is not null)
            item["peerId"] = Attributes.S(PeerId);
        return item;
    }

    public static MemberRow FromItem(Dictionary<string, AttributeValue> item) =>
        new(item.Text("userId"), item.Text("roomId"), RoomRow.ParseKind(item.Text("kind")), item.Time("joinedAt"))
        {
            PeerId = item.TextOrNull("peerId"),
            Muted = item.Flag("muted"),
            LastReadSeq = item.Number("lastReadSeq"),
            LastReadOrdinal = item.Number("lastReadOrdinal"),
            IsInLargeRoom = item.Text("activeAt") == RoomActivity.LargeKey,
            ActiveAt = item.Text("activeAt") == RoomActivity.LargeKey ? item.Time("joinedAt") : item.Time("activeAt"),
        };
}
