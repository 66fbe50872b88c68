using ChatPlatform.Contracts.Tables;

namespace ChatPlatform.AppHost.Stack;

/// <summary>A column of a table in the lake.</summary>
/// <param name="Name">The item's attribute; Hive compares without case.</param>
/// <param name="Type">A Hive type.</param>
internal sealed record LakeColumn(string Name, string Type);

/// <summary>
/// What a line of the lake holds, for whoever queries it: the keys of the table, which every item has, and what the chat writes beside them. A column without a value in a
/// line is null.
/// </summary>
internal static class LakeColumns
{
    private const string Message =
        "struct<ordinal:bigint,senderId:string,kind:string,clientMessageId:string,createdAt:string,text:string,payload:string," +
        "attachments:array<struct<attachmentId:string,contentType:string,size:bigint,fileName:string>>>";

    public static IReadOnlyList<LakeColumn> Of(TableSchema table) =>
    [
        .. new[] { table.PartitionKey, table.SortKey }.OfType<TableKey>().Select(key => new LakeColumn(key.Name, key.Type is KeyType.Number ? "bigint" : "string")),
        .. Beside(table),
    ];

    private static LakeColumn[] Beside(TableSchema table) => table.Name switch
    {
        // services/ChatPlatform.Api/Rooms/Log/EntryItems.cs
        _ when table == ChatTables.Log =>
        [
            new("type", "string"), new("at", "string"), new("actorId", "string"), new("messageCount", "bigint"), new("message", Message), new("targetSeq", "bigint"),
            new("text", "string"), new("emoji", "string"), new("userIds", "array<string>"), new("title", "string"),
        ],
        // services/ChatPlatform.Api/Rooms/RoomRow.cs
        _ when table == ChatTables.Rooms =>
        [
            new("kind", "string"), new("title", "string"), new("articleId", "string"), new("createdBy", "string"), new("createdAt", "string"), new("activeAt", "string"),
            new("lastSeq", "bigint"), new("messageCount", "bigint"), new("memberCount", "bigint"),
        ],
        _ when table == ChatTables.Members =>
        [
            new("kind", "string"), new("joinedAt", "string"), new("muted", "boolean"), new("lastReadSeq", "bigint"), new("lastReadOrdinal", "bigint"), new("activeAt", "string"),
            new("peerId", "string"),
        ],
        // Another team's: they add theirs.
        _ => [],
    };
}
