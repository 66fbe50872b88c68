using System.Text;
using ChatPlatform.Contracts.Protos.Chat.V1;
using ChatPlatform.ServiceTests.Chat;
using Google.Protobuf;
using Grpc.Core;

namespace ChatPlatform.ServiceTests.Api;

/// <summary>Each call's errors: what it does not take, with the documented status and a stable code, as problem+json, and without an entry in the log.</summary>
[Collection(ApiCollection.Name)]
public sealed class RefusalTests(ApiSystem system)
{
    private static readonly string Long = new('x', 129);

    public static TheoryData<string, string?, int, string> RestErrors()
    {
        var rows = new TheoryData<string, string?, int, string>
        {
            { "POST /v1/rooms", "{}", 400, "invalid_kind" },
            { "POST /v1/rooms", """{"kind":"party"}""", 400, "invalid_body" },
            { "POST /v1/rooms", """{"kind":1}""", 400, "invalid_body" },
            { "POST /v1/rooms", """{"kind":"direct"}""", 400, "invalid_memberIds" },
            { "POST /v1/rooms", """{"kind":"direct","memberIds":[]}""", 400, "invalid_memberIds" },
            { "POST /v1/rooms", """{"kind":"direct","memberIds":["{me}"]}""", 400, "invalid_memberIds" },
            { "POST /v1/rooms", """{"kind":"direct","memberIds":["a","b"]}""", 400, "invalid_memberIds" },
            { "POST /v1/rooms", """{"kind":"direct","memberIds":["a b"]}""", 400, "invalid_memberIds" },
            { "POST /v1/rooms", """{"kind":"direct","memberIds":["a#b"]}""", 400, "invalid_memberIds" },
            { "POST /v1/rooms", """{"kind":"direct","memberIds":[""]}""", 400, "invalid_memberIds" },
            { "POST /v1/rooms", """{"kind":"direct","memberIds":[null]}""", 400, "invalid_memberIds" },
            { "POST /v1/rooms", """{"kind":"direct","memberIds":"a"}""", 400, "invalid_body" },
            { "POST /v1/rooms", $$"""{"kind":"direct","memberIds":["{{Long}}"]}""", 400, "invalid_memberIds" },
            { "POST /v1/rooms", """{"kind":"direct","memberIds":["a"],"articleId":""}""", 400, "invalid_articleId" },
            { "POST /v1/rooms", $$"""{"kind":"direct","memberIds":["a"],"articleId":"{{Long}}"}""", 400, "invalid_articleId" },
            { "POST /v1/rooms", """{"kind":"group","title":" ","memberIds":["a"]}""", 400, "invalid_title" },
            { "POST /v1/rooms", $$"""{"kind":"group","title":"{{Long}}","memberIds":["a"]}""", 400, "invalid_title" },
            { "POST /v1/rooms", $$"""{"kind":"group","memberIds":[{{string.Join(',', Enumerable.Range(0, 1_000).Select(i => $"\"m{i}\""))}}]}""", 400, "too_many_members" },
            { "POST /v1/rooms", "", 400, "invalid_request" },
            { "POST /v1/rooms", "null", 400, "invalid_request" },
            { "GET /v1/rooms?limit=0", null, 400, "invalid_limit" },
            { "GET /v1/rooms?limit=101", null, 400, "invalid_limit" },
            { "GET /v1/rooms?limit=-1", null, 400, "invalid_limit" },
            { "GET /v1/rooms?limit=many", null, 400, "invalid_request" },
            { "GET /v1/rooms?cursor=x", null, 400, "invalid_cursor" },
            { "GET /v1/rooms?cursor=%25%25", null, 400, "invalid_cursor" },
            { "GET /v1/rooms/unknown", null, 404, "room_not_found" },
            { $"GET /v1/rooms/{Long}", null, 404, "room_not_found" },
            { "PATCH /v1/rooms/{group}", "{}", 400, "invalid_title" },
            { "PATCH /v1/rooms/{group}", """{"title":""}""", 400, "invalid_title" },
            { "PATCH /v1/rooms/{group}", """{"title":5}""", 400, "invalid_body" },
            { "PATCH /v1/rooms/{direct}", """{"title":"t"}""", 400, "not_a_group" },
            { "POST /v1/rooms/{group}/members", "{}", 400, "invalid_userIds" },
            { "POST /v1/rooms/{group}/members", """{"userIds":[]}""", 400, "invalid_userIds" },
            { "POST /v1/rooms/{group}/members", """{"userIds":["a/b"]}""", 400, "invalid_userIds" },
            { "POST /v1/rooms/{group}/members", $$"""{"userIds":[{{string.Join(',', Enumerable.Range(0, 1_000).Select(i => $"\"m{i}\""))}}]}""", 400, "too_many_members" },
            { "POST /v1/rooms/{direct}/members", """{"userIds":["a"]}""", 400, "not_a_group" },
            { "DELETE /v1/rooms/{group}/members/{other}", null, 403, "only_oneself" },
            { "DELETE /v1/rooms/{group}/members/nobody", null, 404, "member_not_found" },
            { "PUT /v1/rooms/{group}/settings", "{}", 400, "invalid_muted" },
            { "PUT /v1/rooms/{group}/settings", """{"muted":"yes"}""", 400, "invalid_body" },
            { "POST /v1/rooms/{group}/messages", """{"clientMessageId":"","kind":"text","text":"x"}""", 400, "invalid_clientMessageId" },
            { "POST /v1/rooms/{group}/messages", $$"""{"clientMessageId":"{{Long}}","kind":"text","text":"x"}""", 400, "invalid_clientMessageId" },
            { "POST /v1/rooms/{group}/messages", """{"clientMessageId":"a\u0000b","kind":"text","text":"x"}""", 400, "invalid_clientMessageId" },
            { "POST /v1/rooms/{group}/messages", """{"clientMessageId":"change:1","kind":"text","text":"x"}""", 400, "invalid_clientMessageId" },
            { "POST /v1/rooms/{group}/messages", """{"clientMessageId":1,"kind":"text","text":"x"}""", 400, "invalid_body" },
            { "POST /v1/rooms/{group}/messages", """{"clientMessageId":"c","kind":"transfer","payload":{}}""", 400, "invalid_kind" },
            { "POST /v1/rooms/{group}/messages", """{"clientMessageId":"c","kind":"sticker"}""", 400, "invalid_payload" },
            { "POST /v1/rooms/{group}/messages", """{"clientMessageId":"c","kind":"sticker","payload":"p"}""", 400, "invalid_payload" },
            { "POST /v1/rooms/{group}/messages", """{"clientMessageId":"c","kind":"image"}""", 400, "invalid_attachmentIds" },
            { "POST /v1/rooms/{group}/messages", """{"clientMessageId":"c","kind":"image","attachmentIds":[""]}""", 400, "invalid_attachmentIds" },
            { "POST /v1/rooms/{group}/messages", """{"clientMessageId":"c","kind":"image","attachmentIds":[null]}""", 400, "invalid_attachmentIds" },
            { "POST /v1/rooms/{group}/messages", """{"clientMessageId":"c","kind":"image","attachmentIds":"a"}""", 400, "invalid_body" },
            { "POST /v1/rooms/{group}/messages", $$"""{"clientMessageId":"c","kind":"text","text":"{{new string('x', 5_001)}}"}""", 400, "text_too_long" },
            { "POST /v1/rooms/{group}/messages", $$"""{"clientMessageId":"c","kind":"text","text":"{{new string('x', 66_000)}}"}""", 413, "body_too_large" },
            { "GET /v1/rooms/{group}/messages?limit=0", null, 400, "invalid_limit" },
            { "GET /v1/rooms/{group}/messages?limit=101", null, 400, "invalid_limit" },
            { "GET /v1/rooms/{group}/messages?before=-1", null, 400, "invalid_before" },
            { "GET /v1/rooms/{group}/messages?after=-1", null, 400, "invalid_after" },
            { "GET /v1/rooms/{group}/messages?before=5&after=1", null, 400, "invalid_before" },
            { "GET /v1/rooms/{group}/messages?before=x", null, 400, "invalid_request" },
            { "GET /v1/rooms/{group}/messages?after=99999999999999999999", null, 400, "invalid_request" },
            { "GET /v1/rooms/{group}/log?after=-1", null, 400, "invalid_after" },
            { "GET /v1/rooms/{group}/log?limit=0", null, 400, "invalid_limit" },
            { "GET /v1/rooms/{group}/log?limit=1001", null, 400, "invalid_limit" },
            { "PATCH /v1/rooms/{group}/messages/1", "{}", 400, "invalid_text" },
            { "PATCH /v1/rooms/{group}/messages/1", """{"text":""}""", 400, "invalid_text" },
            { "PATCH /v1/rooms/{group}/messages/1", $$"""{"text":"{{new string('x', 5_001)}}"}""", 400, "text_too_long" },
            { "PATCH /v1/rooms/{group}/messages/2", """{"text":"x"}""", 404, "message_not_found" },
            { "PATCH /v1/rooms/{group}/messages/0", """{"text":"x"}""", 404, "message_not_found" },
            { "PATCH /v1/rooms/{group}/messages/one", """{"text":"x"}""", 404, "not_found" },
            { "DELETE /v1/rooms/{group}/messages/2", null, 404, "message_not_found" },
            { "DELETE /v1/rooms/{group}/messages/-1", null, 404, "message_not_found" },
            { "PUT /v1/rooms/{group}/messages/1/reactions/a", null, 400, "invalid_emoji" },
            { "PUT /v1/rooms/{group}/messages/1/reactions/👍👍", null, 400, "invalid_emoji" },
            { "PUT /v1/rooms/{group}/messages/1/reactions/%20", null, 400, "invalid_emoji" },
            { "PUT /v1/rooms/{group}/messages/2/reactions/👍", null, 404, "message_not_found" },
            { "DELETE /v1/rooms/{group}/messages/1/reactions/ok", null, 400, "invalid_emoji" },
            { "PUT /v1/rooms/{group}/read", "{}", 400, "invalid_seq" },
            { "PUT /v1/rooms/{group}/read", """{"seq":-1}""", 400, "invalid_seq" },
            { "PUT /v1/rooms/{group}/read", """{"seq":"1"}""", 400, "invalid_body" },
            { "PUT /v1/rooms/{group}/read", """{"seq":1.5}""", 400, "invalid_body" },
            { "PUT /v1/devices/phone", "{}", 400, "invalid_platform" },
            { "PUT /v1/devices/phone", """{"platform":"fcm"}""", 400, "invalid_token" },
            { "PUT /v1/devices/phone", """{"platform":"fcm","token":""}""", 400, "invalid_token" },
            { "PUT /v1/devices/phone", $$"""{"platform":"fcm","token":"{{new string('t', 4_097)}}"}""", 400, "invalid_token" },
            { $"PUT /v1/devices/{Long}", """{"platform":"fcm","token":"t"}""", 400, "invalid_deviceId" },
            { $"DELETE /v1/devices/{Long}", null, 400, "invalid_deviceId" },
            { "PUT /v1/blocks/{me}", null, 400, "invalid_userId" },
            { "PUT /v1/blocks/a%23b", null, 400, "invalid_userId" },
            { "DELETE /v1/blocks/a%20b", null, 400, "invalid_userId" },
            { "GET /v1/presence", null, 400, "invalid_userIds" },
            { "GET /v1/presence?userIds=", null, 400, "invalid_userIds" },
            { "GET /v1/presence?userIds=a%23b", null, 400, "invalid_userIds" },
            { $"GET /v1/presence?userIds={string.Join(',', Enumerable.Range(0, 101))}", null, 400, "invalid_userIds" },
            { "POST /v1/attachments", "{}", 400, "invalid_contentType" },
            { "DELETE /v1/rooms", null, 405, "method_not_allowed" },
            { "PUT /v1/rooms/{group}/messages", "{}", 405, "method_not_allowed" },
            { "GET /v1/nothing", null, 404, "not_found" },
            { "GET /", null, 404, "not_found" },
        };
        return rows;
    }

    [Theory]
    [MemberData(nameof(RestErrors))]
    public async Task In_REST(string call, string? body, int status, string code)
    {
        var scene = await MakeAsync();
        var (method, path) = (call.Split(' ', 2)[0], Fill(call.Split(' ', 2)[1], scene));

        var answer = await scene.Me.CallAsync(new HttpMethod(method), path, body is null ? null : new StringContent(Fill(body, scene), Encoding.UTF8, "application/json"));

        $"{(int)answer.Status} {answer.Code}".ShouldBe($"{status} {code}");
        answer.ContentType.ShouldBe("application/problem+json");
        answer.Body.GetProperty("status").GetInt32().ShouldBe(status);
        answer.Body.GetProperty("title").GetString().ShouldNotBeNullOrEmpty();
        (await scene.Me.LogAsync(scene.Group)).Count.ShouldBe(1);
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("application/xml")]
    public async Task A_body_that_is_no_JSON_by_its_type_is_a_415(string type)
    {
        var scene = await MakeAsync();

        var answer = await scene.Me.PostAsync("/v1/rooms", new StringContent("{}", Encoding.UTF8, type));

        $"{(int)answer.Status} {answer.Code}".ShouldBe("415 not_json");
    }

    private static readonly Dictionary<string, (Func<ChatService.ChatServiceClient, Scene, Metadata, Task> Call, StatusCode Status, string Code)> GrpcCalls = new()
    {
        ["room of no kind"] = (async (c, s, h) => await c.CreateRoomAsync(new CreateRoomRequest(), h), StatusCode.InvalidArgument, "invalid_kind"),
        ["room of an unknown kind"] = (async (c, s, h) => await c.CreateRoomAsync(new CreateRoomRequest { Kind = "party" }, h), StatusCode.InvalidArgument, "invalid_kind"),
        ["room of a numbered kind"] = (async (c, s, h) => await c.CreateRoomAsync(new CreateRoomRequest { Kind = "1" }, h), StatusCode.InvalidArgument, "invalid_kind"),
        ["direct room alone"] = (async (c, s, h) => await c.CreateRoomAsync(new CreateRoomRequest { Kind = "direct" }, h), StatusCode.InvalidArgument, "invalid_memberIds"),
        ["direct room of three"] = (async (c, s, h) => await c.CreateRoomAsync(new CreateRoomRequest { Kind = "direct", MemberIds = { "a", "b" } }, h), StatusCode.InvalidArgument, "invalid_memberIds"),
        ["member id with a space"] = (async (c, s, h) => await c.CreateRoomAsync(new CreateRoomRequest { Kind = "group", MemberIds = { "a b" } }, h), StatusCode.InvalidArgument, "invalid_memberIds"),
        ["long title"] = (async (c, s, h) => await c.CreateRoomAsync(new CreateRoomRequest { Kind = "group", Title = Long }, h), StatusCode.InvalidArgument, "invalid_title"),
        ["unknown room"] = (async (c, s, h) => await c.GetRoomAsync(new GetRoomRequest { RoomId = "unknown" }, h), StatusCode.NotFound, "room_not_found"),
        ["no room"] = (async (c, s, h) => await c.GetRoomAsync(new GetRoomRequest(), h), StatusCode.NotFound, "room_not_found"),
        ["too long a list"] = (async (c, s, h) => await c.ListRoomsAsync(new ListRoomsRequest { Limit = 101 }, h), StatusCode.InvalidArgument, "invalid_limit"),
        ["made up cursor"] = (async (c, s, h) => await c.ListRoomsAsync(new ListRoomsRequest { Cursor = "x" }, h), StatusCode.InvalidArgument, "invalid_cursor"),
        ["rename to nothing"] = (async (c, s, h) => await c.RenameRoomAsync(new RenameRoomRequest { RoomId = s.Group }, h), StatusCode.InvalidArgument, "invalid_title"),
        ["rename a direct room"] = (async (c, s, h) => await c.RenameRoomAsync(new RenameRoomRequest { RoomId = s.Direct, Title = "t" }, h), StatusCode.InvalidArgument, "not_a_group"),
        ["join nobody"] = (async (c, s, h) => await c.AddMembersAsync(new AddMembersRequest { RoomId = s.Group }, h), StatusCode.InvalidArgument, "invalid_userIds"),
        ["join to a direct room"] = (async (c, s, h) => await c.AddMembersAsync(new AddMembersRequest { RoomId = s.Direct, UserIds = { "a" } }, h), StatusCode.InvalidArgument, "not_a_group"),
        ["remove another"] = (async (c, s, h) => await c.RemoveMemberAsync(new RemoveMemberRequest { RoomId = s.Group, UserId = s.Other.Id }, h), StatusCode.PermissionDenied, "only_oneself"),
        ["remove nobody"] = (async (c, s, h) => await c.RemoveMemberAsync(new RemoveMemberRequest { RoomId = s.Group, UserId = "nobody" }, h), StatusCode.NotFound, "member_not_found"),
        ["message without an id"] = (async (c, s, h) => await c.SendMessageAsync(new SendMessageRequest { RoomId = s.Group, Kind = "text", Text = "x" }, h), StatusCode.InvalidArgument, "invalid_clientMessageId"),
        ["message of no kind"] = (async (c, s, h) => await c.SendMessageAsync(new SendMessageRequest { RoomId = s.Group, ClientMessageId = "c", Text = "x" }, h), StatusCode.InvalidArgument, "invalid_kind"),
        ["message of a service's kind"] = (async (c, s, h) => await c.SendMessageAsync(new SendMessageRequest { RoomId = s.Group, ClientMessageId = "c", Kind = "system", Text = "x" }, h), StatusCode.InvalidArgument, "invalid_kind"),
        ["message of two kinds"] = (async (c, s, h) => await c.SendMessageAsync(new SendMessageRequest { RoomId = s.Group, ClientMessageId = "c", Kind = "text,image", Text = "x" }, h), StatusCode.InvalidArgument, "invalid_kind"),
        ["empty text"] = (async (c, s, h) => await c.SendMessageAsync(new SendMessageRequest { RoomId = s.Group, ClientMessageId = "c", Kind = "text" }, h), StatusCode.InvalidArgument, "invalid_text"),
        ["long text"] = (async (c, s, h) => await c.SendMessageAsync(new SendMessageRequest { RoomId = s.Group, ClientMessageId = "c", Kind = "text", Text = new string('x', 5_001) }, h), StatusCode.InvalidArgument, "text_too_long"),
        ["payload that is no JSON"] = (async (c, s, h) => await c.SendMessageAsync(new SendMessageRequest { RoomId = s.Group, ClientMessageId = "c", Kind = "sticker", PayloadJson = ByteString.CopyFromUtf8("{") }, h), StatusCode.InvalidArgument, "invalid_payload"),
        ["payload that is no object"] = (async (c, s, h) => await c.SendMessageAsync(new SendMessageRequest { RoomId = s.Group, ClientMessageId = "c", Kind = "sticker", PayloadJson = ByteString.CopyFromUtf8("[]") }, h), StatusCode.InvalidArgument, "invalid_payload"),
        ["image without one"] = (async (c, s, h) => await c.SendMessageAsync(new SendMessageRequest { RoomId = s.Group, ClientMessageId = "c", Kind = "image" }, h), StatusCode.InvalidArgument, "invalid_attachmentIds"),
        ["unknown attachment"] = (async (c, s, h) => await c.SendMessageAsync(new SendMessageRequest { RoomId = s.Group, ClientMessageId = "c", Kind = "image", AttachmentIds = { "a" } }, h), StatusCode.NotFound, "attachment_not_found"),
        ["page before and after"] = (async (c, s, h) => await c.ListMessagesAsync(new ListMessagesRequest { RoomId = s.Group, Before = 5, After = 1 }, h), StatusCode.InvalidArgument, "invalid_before"),
        ["page before nothing"] = (async (c, s, h) => await c.ListMessagesAsync(new ListMessagesRequest { RoomId = s.Group, Before = -1 }, h), StatusCode.InvalidArgument, "invalid_before"),
        ["too large a page"] = (async (c, s, h) => await c.ListMessagesAsync(new ListMessagesRequest { RoomId = s.Group, Limit = 101 }, h), StatusCode.InvalidArgument, "invalid_limit"),
        ["log from below"] = (async (c, s, h) => await c.GetLogAsync(new GetLogRequest { RoomId = s.Group, After = -1 }, h), StatusCode.InvalidArgument, "invalid_after"),
        ["too much log"] = (async (c, s, h) => await c.GetLogAsync(new GetLogRequest { RoomId = s.Group, Limit = 1_001 }, h), StatusCode.InvalidArgument, "invalid_limit"),
        ["edit to nothing"] = (async (c, s, h) => await c.EditMessageAsync(new EditMessageRequest { RoomId = s.Group, Seq = 1 }, h), StatusCode.InvalidArgument, "invalid_text"),
        ["edit of no message"] = (async (c, s, h) => await c.EditMessageAsync(new EditMessageRequest { RoomId = s.Group, Seq = 9, Text = "x" }, h), StatusCode.NotFound, "message_not_found"),
        ["delete of no message"] = (async (c, s, h) => await c.DeleteMessageAsync(new DeleteMessageRequest { RoomId = s.Group }, h), StatusCode.NotFound, "message_not_found"),
        ["reaction that is no emoji"] = (async (c, s, h) => await c.SetReactionAsync(new SetReactionRequest { RoomId = s.Group, Seq = 1, Emoji = "ok", Present = true }, h), StatusCode.InvalidArgument, "invalid_emoji"),
        ["reaction of nothing"] = (async (c, s, h) => await c.SetReactionAsync(new SetReactionRequest { RoomId = s.Group, Seq = 1, Present = true }, h), StatusCode.InvalidArgument, "invalid_emoji"),
        ["reaction to no message"] = (async (c, s, h) => await c.SetReactionAsync(new SetReactionRequest { RoomId = s.Group, Seq = 9, Emoji = "👍", Present = true }, h), StatusCode.NotFound, "message_not_found"),
        ["read from below"] = (async (c, s, h) => await c.SetReadPositionAsync(new SetReadPositionRequest { RoomId = s.Group, Seq = -1 }, h), StatusCode.InvalidArgument, "invalid_seq"),
        ["subscribe to nothing"] = (async (c, s, h) => await c.Subscribe(new SubscribeRequest(), h).ResponseStream.MoveNext(default), StatusCode.InvalidArgument, "invalid_after"),
        ["subscribe to an unknown room"] = (async (c, s, h) => await c.Subscribe(new SubscribeRequest { After = { ["unknown"] = 0 } }, h).ResponseStream.MoveNext(default), StatusCode.NotFound, "room_not_found"),
        ["typing in an unknown room"] = (async (c, s, h) => await c.NotifyTypingAsync(new NotifyTypingRequest { RoomId = "unknown" }, h), StatusCode.NotFound, "room_not_found"),
    };

    public static TheoryData<string> GrpcErrors() => [.. GrpcCalls.Keys];

    [Theory]
    [MemberData(nameof(GrpcErrors))]
    public async Task In_gRPC(string what)
    {
        var scene = await MakeAsync();
        var (call, status, code) = GrpcCalls[what];

        (await ApiSystem.RefusalOfAsync(() => call(system.Grpc[0], scene, ApiSystem.As(scene.Me)))).ShouldBe((status, code));
        (await scene.Me.LogAsync(scene.Group)).Count.ShouldBe(1);
    }

    /// <summary>Random bodies: valid ones with parts replaced, repeated, cut or nested; whatever comes of them, no call fails inside and each refusal has a code.</summary>
    [Fact]
    public async Task No_body_makes_a_call_fail_inside()
    {
        var scene = await MakeAsync();
        (string Method, string Path, string Body)[] calls =
        [
            ("POST", "/v1/rooms", """{"kind":"group","title":"t","memberIds":["a","b"],"articleId":"x"}"""),
            ("PATCH", $"/v1/rooms/{scene.Group}", """{"title":"t"}"""),
            ("POST", $"/v1/rooms/{scene.Group}/members", """{"userIds":["a"]}"""),
            ("PUT", $"/v1/rooms/{scene.Group}/settings", """{"muted":true}"""),
            ("POST", $"/v1/rooms/{scene.Group}/messages", """{"clientMessageId":"c","kind":"sticker","text":"x","payload":{"a":[1,{"b":null}]},"attachmentIds":["a"]}"""),
            ("PATCH", $"/v1/rooms/{scene.Group}/messages/1", """{"text":"x"}"""),
            ("PUT", $"/v1/rooms/{scene.Group}/read", """{"seq":1}"""),
            ("PUT", "/v1/devices/d", """{"platform":"fcm","token":"t"}"""),
            ("POST", "/v1/attachments", """{"contentType":"image/png","size":10,"fileName":"a.png"}"""),
        ];
        string[] parts = ["null", "true", "-1", "1e400", "99999999999999999999", "\"\"", "\"\\ud83d\"", "\"\\u0000\"", "[]", "{}", "[[[[]]]]", "\"가😀\"", "{\"kind\":{}}", ",", ":", "\"", "}", "\u0001"];
        var random = new Random(20260301);
        var bodies = Enumerable.Range(0, 400).Select(_ =>
        {
            var (method, path, body) = calls[random.Next(calls.Length)];
            for (var changes = random.Next(1, 4); changes > 0; changes--)
            {
                var (at, length) = (random.Next(body.Length + 1), random.Next(6));
                body = random.Next(4) switch
                {
                    0 => body[..at],
                    1 => body.Insert(at, parts[random.Next(parts.Length)]),
                    2 => body.Remove(Math.Min(at, body.Length), Math.Min(length, body.Length - at)),
                    _ => ReplaceValue(body, parts[random.Next(parts.Length)], random),
                };
            }

            return (method, path, body);
        }).ToList();

        await Parallel.ForEachAsync(bodies, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (input, _) =>
        {
            var answer = await scene.Me.CallAsync(new HttpMethod(input.method), input.path, new StringContent(input.body, Encoding.UTF8, "application/json"));
            ((int)answer.Status).ShouldBeLessThan(500, $"{input.method} {input.path} {input.body}");
            if ((int)answer.Status >= 400)
                answer.Code.ShouldNotBeNullOrEmpty(input.body);
        });
    }

    private static string ReplaceValue(string json, string value, Random random)
    {
        var colons = json.Select((c, i) => (c, i)).Where(pair => pair.c == ':').Select(pair => pair.i).ToList();
        if (colons.Count == 0)
            return json;
        var from = colons[random.Next(colons.Count)] + 1;
        var to = json.IndexOfAny([',', '}'], from);
        return to < 0 ? json : json[..from] + value + json[to..];
    }

    private static string Fill(string text, Scene scene) => text
        .Replace("{group}", scene.Group, StringComparison.Ordinal).Replace("{direct}", scene.Direct, StringComparison.Ordinal)
        .Replace("{me}", scene.Me.Id, StringComparison.Ordinal).Replace("{other}", scene.Other.Id, StringComparison.Ordinal);

    private async Task<Scene> MakeAsync()
    {
        var (me, other) = (await system.NewUserAsync("me"), await system.NewUserAsync("other"));
        var (group, direct) = (await me.NewGroupAsync(other), await me.NewDirectAsync(other));
        await me.SendAsync(group, "first");
        return new Scene(me, other, group, direct);
    }

    private sealed record Scene(ChatUser Me, ChatUser Other, string Group, string Direct);
}
