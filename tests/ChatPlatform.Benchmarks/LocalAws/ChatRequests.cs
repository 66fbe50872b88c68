namespace ChatPlatform.Benchmarks.LocalAws;

/// <summary>The chat's requests, shaped as its API sends them. A message's item is 300 bytes as DynamoDB counts them.</summary>
internal sealed class ChatRequests
{
    public const int ItemBytes = 300;

    /// <summary>Messages of a room that are there from the beginning; more than a page of 30.</summary>
    public const int MessagesPerRoom = 50;
    public const int Rooms = 100;
    private const int BatchSize = 25;

    private static readonly string Text = new('x', 77);
    private readonly RequestTemplate _put = new("PutItem", $"{{\"TableName\":\"chat-log\",\"Item\":{Message("room-%rrrrrrr%", "2%ssssssss%")}}}");
    private readonly RequestTemplate _get = new("GetItem", """{"TableName":"chat-log","Key":{"roomId":{"S":"room-%rrrrrrr%"},"seq":{"N":"1%ssssss%%nn%"}},"ConsistentRead":true}""");
    private readonly RequestTemplate _query = new("Query", """
        {"TableName":"chat-log","KeyConditionExpression":"roomId = :room","ExpressionAttributeValues":{":room":{"S":"room-%rrrrrrr%"}},"ScanIndexForward":false,"Limit":30,"ConsistentRead":true}
        """.Trim());
    private readonly RequestTemplate _batch = new("BatchWriteItem",
        $$$"""{"RequestItems":{"chat-log":[{{{string.Join(',', Enumerable.Range(0, BatchSize).Select(PutRequest))}}}]}}""");
    private readonly RequestTemplate _transact = new("TransactWriteItems", $$$"""
        {"ClientRequestToken":"%gggg%-%cccc%-%ssssssss%","TransactItems":[
        {"Update":{"TableName":"chat-rooms","Key":{"roomId":{"S":"room-%gggg%-%cccc%"}},"ConditionExpression":"lastSeq = :was",
        "UpdateExpression":"SET lastSeq = :seq, messageCount = :messages, lastMessageSeq = :lastMessage, memberCount = :members, memberVersion = :version, activeAt = :at",
        "ExpressionAttributeValues":{":was":{"N":"1%pppppppp%"},":seq":{"N":"1%ssssssss%"},":messages":{"N":"1%ssssssss%"},":lastMessage":{"N":"1%ssssssss%"},":members":{"N":"12"},":version":{"N":"3"},":at":{"S":"2026-05-11T12:00:00.000Z"}} }},
        {"Put":{"TableName":"chat-users","Item":{"pk":{"S":"dedupe#room-%gggg%-%cccc%#user-0042"},"sk":{"S":"%ssssssss%"},"seq":{"N":"1%ssssssss%"},"expiresAt":{"N":"1778587200"}},
        "ConditionExpression":"attribute_not_exists(pk) OR expiresAt <= :now","ExpressionAttributeValues":{":now":{"N":"1778500800"}} }},
        {"Put":{"TableName":"chat-log","Item":{{{Message("room-%gggg%-%cccc%", "1%ssssssss%")}}} }}]}
        """.ReplaceLineEndings(""));
    private readonly RequestTemplate _room = new("PutItem", """{"TableName":"chat-rooms","Item":{"roomId":{"S":"room-%gggg%-%cccc%"},"lastSeq":{"N":"100000000"},"kind":{"S":"direct"},"title":{"S":"bicycle"}}}""");
    private readonly Random _random = new(42);
    private long _puts;

    /// <summary>The tables of contracts §7 that a send touches.</summary>
    public static IEnumerable<RequestTemplate> CreateTables(bool streams)
    {
        yield return CreateTable("chat-log", "roomId", "S", "seq", "N", streams);
        yield return CreateTable("chat-rooms", "roomId", "S", null, null, streams);
        yield return CreateTable("chat-users", "pk", "S", "sk", "S", streams: false);
    }

    public static RequestTemplate DescribeTable() => new("DescribeTable", """{"TableName":"chat-log"}""");

    /// <summary>A batch of 25 messages; batches after one another fill a room of <paramref name="perRoom"/> messages, then the next.</summary>
    public RequestTemplate Fill(long batch, int perRoom = MessagesPerRoom)
    {
        var perRoomBatches = perRoom / BatchSize;
        _batch.Set('r', batch / perRoomBatches);
        _batch.Set('s', batch % perRoomBatches);
        return _batch;
    }

    public static int Batches(int items) => items / BatchSize;

    /// <summary>A new message in one of the rooms.</summary>
    public RequestTemplate Put()
    {
        _put.Set('r', _random.Next(Rooms));
        _put.Set('s', _puts++);
        return _put;
    }

    /// <summary>One of the messages that <see cref="Fill"/> wrote.</summary>
    public RequestTemplate Get()
    {
        var message = _random.Next(MessagesPerRoom);
        _get.Set('r', _random.Next(Rooms));
        _get.Set('s', message / BatchSize);
        _get.Set('n', message % BatchSize);
        return _get;
    }

    /// <summary>The 30 newest messages of a room.</summary>
    public RequestTemplate Query()
    {
        _query.Set('r', _random.Next(Rooms));
        return _query;
    }

    /// <summary>The row of a room for <see cref="Transact"/>.</summary>
    public RequestTemplate Room(int group, int room)
    {
        _room.Set('g', group);
        _room.Set('c', room);
        return _room;
    }

    /// <summary>What the sequencer commits for one message: the room's row moves from <paramref name="was"/> to the next number, the dedupe record and the message are put.</summary>
    public RequestTemplate Transact(int group, int room, long was)
    {
        _transact.Set('g', group);
        _transact.Set('c', room);
        _transact.Set('p', was);
        _transact.Set('s', was + 1);
        return _transact;
    }

    private static string PutRequest(int i) => $$$"""{"PutRequest":{"Item":{{{Message("room-%rrrrrrr%", $"1%ssssss%{i:D2}")}}} }}""";

    private static string Message(string room, string seq) => $$$"""
        {"roomId":{"S":"{{{room}}}"},"seq":{"N":"{{{seq}}}"},"type":{"S":"message.created"},"at":{"S":"2026-05-11T12:00:00.000Z"},"actorId":{"S":"user-0042"},"messageCount":{"N":"{{{seq}}}"},
        "message":{"M":{"ordinal":{"N":"{{{seq}}}"},"senderId":{"S":"user-0042"},"kind":{"S":"text"},"clientMessageId":{"S":"m-{{{seq}}}"},"createdAt":{"S":"2026-05-11T12:00:00.000Z"},"text":{"S":"{{{Text}}}"}} }}
        """.ReplaceLineEndings("");

    private static RequestTemplate CreateTable(string name, string partition, string partitionType, string? sort, string? sortType, bool streams) => new("CreateTable", $$$"""
        {"TableName":"{{{name}}}","BillingMode":"PAY_PER_REQUEST",
        "AttributeDefinitions":[{"AttributeName":"{{{partition}}}","AttributeType":"{{{partitionType}}}"}{{{(sort is null ? "" : $",{{\"AttributeName\":\"{sort}\",\"AttributeType\":\"{sortType}\"}}")}}}],
        "KeySchema":[{"AttributeName":"{{{partition}}}","KeyType":"HASH"}{{{(sort is null ? "" : $",{{\"AttributeName\":\"{sort}\",\"KeyType\":\"RANGE\"}}")}}}]
        {{{(streams ? ""","StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_AND_OLD_IMAGES"}""" : "")}}} }
        """.ReplaceLineEndings(""));
}
