using System.Text;
using ChatPlatform.Contracts.Protos.Chat.V1;
using ChatPlatform.ServiceTests.Chat;
using Grpc.Core;

namespace ChatPlatform.ServiceTests.Api;

/// <summary>Who may do what: every call of a room × every kind of caller, in REST and gRPC. A refused call leaves no entry.</summary>
[Collection(ApiCollection.Name)]
public sealed class AuthorisationMatrixTests(ApiSystem system)
{
    private static readonly string[] Callers = ["anonymous", "service", "stranger", "former", "blocked", "member", "sender"];

    // Message 1 is the sender's. The blocked one meets the sender in a direct room, all others in a group. A number alone is a success.
    // call                    stranger and former      blocked                member                   sender
    private static readonly (string Call, string Blocked, string Member, string Sender)[] Rows =
    [
        ("GET /",                     "200",                "200",                "200"),
        ("PATCH /",                   "400 not_a_group",    "200",                "200"),
        ("POST /members",             "400 not_a_group",    "200",                "200"),
        ("DELETE /members/me",        "204",                "204",                "204"),
        ("DELETE /members/{sender}",  "403 only_oneself",   "403 only_oneself",   "204"),
        ("DELETE /members/nobody",    "404 member_not_found", "404 member_not_found", "404 member_not_found"),
        ("PUT /settings",             "200",                "200",                "200"),
        ("POST /messages",            "403 blocked",        "201",                "201"),
        ("GET /messages",             "200",                "200",                "200"),
        ("GET /log",                  "200",                "200",                "200"),
        ("PATCH /messages/1",         "403 not_the_sender", "403 not_the_sender", "200"),
        ("DELETE /messages/1",        "403 not_the_sender", "403 not_the_sender", "200"),
        ("PUT /messages/1/reactions/👍", "403 blocked",      "200",                "200"),
        ("DELETE /messages/1/reactions/👍", "200",           "200",                "200"),
        ("PUT /read",                 "200",                "200",                "200"),
    ];

    public static TheoryData<string, string, string> RestCells()
    {
        var cells = new TheoryData<string, string, string>();
        foreach (var row in Rows)
        {
            foreach (var caller in Callers)
                cells.Add(row.Call, caller, Expected(caller, row.Blocked, row.Member, row.Sender));
        }

        foreach (var caller in Callers)
            cells.Add("POST /internal", caller, caller switch { "anonymous" => "401 unauthenticated", "service" => "201", _ => "403 forbidden" });
        return cells;
    }

    public static TheoryData<string, string, string> GrpcCells()
    {
        var cells = new TheoryData<string, string, string>();
        foreach (var row in Rows.Where(row => row.Call != "PUT /settings"))
        {
            foreach (var caller in Callers)
                cells.Add(row.Call, caller, Expected(caller, row.Blocked, row.Member, row.Sender));
        }

        foreach (var caller in Callers)
        {
            cells.Add("typing", caller, Expected(caller, "403 blocked", "200", "200"));
            cells.Add("subscribe", caller, Expected(caller, "200", "200", "200"));
        }

        return cells;
    }

    [Theory]
    [MemberData(nameof(RestCells))]
    public async Task In_REST(string call, string caller, string expected)
    {
        var scene = await Scene.MakeAsync(system, caller);
        var (method, path) = (call.Split(' ')[0], call.Split(' ')[1]);
        var target = path == "/internal" ? $"/internal/v1/rooms/{scene.Room}/messages" : $"/v1/rooms/{scene.Room}{path.TrimEnd('/').Replace("{sender}", scene.Sender.Id, StringComparison.Ordinal)}";
        var body = (method, path) switch
        {
            ("POST", "/internal") => """{"clientMessageId":"c1","kind":"system","text":"x"}""",
            ("POST", "/messages") => """{"clientMessageId":"c1","kind":"text","text":"x"}""",
            ("POST", "/members") => """{"userIds":["a-new-one"]}""",
            ("PATCH", "/") => """{"title":"t"}""",
            ("PATCH", _) => """{"text":"edited"}""",
            ("PUT", "/settings") => """{"muted":true}""",
            ("PUT", "/read") => """{"seq":1}""",
            _ => null,
        };

        var answer = await scene.Caller.CallAsync(new HttpMethod(method), target, body is null ? null : new StringContent(body, Encoding.UTF8, "application/json"));

        $"{(int)answer.Status} {answer.Code}".Trim().ShouldBe(expected);
        if (answer.Code is not null)
            await scene.ShouldBeAsBeforeAsync();
    }

    [Theory]
    [MemberData(nameof(GrpcCells))]
    public async Task In_gRPC(string call, string caller, string expected)
    {
        var scene = await Scene.MakeAsync(system, caller);
        var (grpc, room, headers) = (system.Grpc[1], scene.Room, caller == "anonymous" ? [] : ApiSystem.As(scene.Caller));
        Func<Task> act = call switch
        {
            "GET /" => async () => await grpc.GetRoomAsync(new GetRoomRequest { RoomId = room }, headers),
            "PATCH /" => async () => await grpc.RenameRoomAsync(new RenameRoomRequest { RoomId = room, Title = "t" }, headers),
            "POST /members" => async () => await grpc.AddMembersAsync(new AddMembersRequest { RoomId = room, UserIds = { "a-new-one" } }, headers),
            "DELETE /members/me" => async () => await grpc.RemoveMemberAsync(new RemoveMemberRequest { RoomId = room, UserId = "me" }, headers),
            "DELETE /members/{sender}" => async () => await grpc.RemoveMemberAsync(new RemoveMemberRequest { RoomId = room, UserId = scene.Sender.Id }, headers),
            "DELETE /members/nobody" => async () => await grpc.RemoveMemberAsync(new RemoveMemberRequest { RoomId = room, UserId = "nobody" }, headers),
            "POST /messages" => async () => await grpc.SendMessageAsync(new SendMessageRequest { RoomId = room, ClientMessageId = "c1", Kind = "text", Text = "x" }, headers),
            "GET /messages" => async () => await grpc.ListMessagesAsync(new ListMessagesRequest { RoomId = room }, headers),
            "GET /log" => async () => await grpc.GetLogAsync(new GetLogRequest { RoomId = room }, headers),
            "PATCH /messages/1" => async () => await grpc.EditMessageAsync(new EditMessageRequest { RoomId = room, Seq = 1, Text = "edited" }, headers),
            "DELETE /messages/1" => async () => await grpc.DeleteMessageAsync(new DeleteMessageRequest { RoomId = room, Seq = 1 }, headers),
            "PUT /messages/1/reactions/👍" => async () => await grpc.SetReactionAsync(new SetReactionRequest { RoomId = room, Seq = 1, Emoji = "👍", Present = true }, headers),
            "DELETE /messages/1/reactions/👍" => async () => await grpc.SetReactionAsync(new SetReactionRequest { RoomId = room, Seq = 1, Emoji = "👍" }, headers),
            "PUT /read" => async () => await grpc.SetReadPositionAsync(new SetReadPositionRequest { RoomId = room, Seq = 1 }, headers),
            "typing" => async () => await grpc.NotifyTypingAsync(new NotifyTypingRequest { RoomId = room }, headers),
            _ => async () =>
            {
                using var stream = grpc.Subscribe(new SubscribeRequest { After = { [room] = 0 } }, headers);
                (await stream.ResponseStream.MoveNext(CancellationToken.None)).ShouldBeTrue();
            },
        };

        var (status, code) = await ApiSystem.RefusalOfAsync(act);

        // A token is looked at before a call is known to be one: its refusals are statuses without a code.
        if (caller is "anonymous" or "service")
        {
            status.ShouldBe(caller == "anonymous" ? StatusCode.Unauthenticated : StatusCode.PermissionDenied);
        }
        else
        {
            status.ShouldBe(expected[..3] switch
            {
                "200" or "201" or "204" => StatusCode.OK,
                "400" => StatusCode.InvalidArgument,
                "403" => StatusCode.PermissionDenied,
                _ => StatusCode.NotFound,
            });
            code.ShouldBe(expected.Length > 3 ? expected[4..] : null);
        }

        if (status != StatusCode.OK)
            await scene.ShouldBeAsBeforeAsync();
    }

    public static TheoryData<string, string, string> OwnCalls()
    {
        var cells = new TheoryData<string, string, string>();
        foreach (var (call, body) in new[]
        {
            ("POST /v1/rooms", """{"kind":"group","title":"t","memberIds":[]}"""), ("GET /v1/rooms", ""), ("POST /v1/attachments", """{"contentType":"image/png","size":1,"fileName":"a"}"""),
            ("PUT /v1/devices/d", """{"platform":"fcm","token":"t"}"""), ("DELETE /v1/devices/d", ""), ("PUT /v1/blocks/somebody", ""), ("DELETE /v1/blocks/somebody", ""),
            ("GET /v1/blocks", ""), ("GET /v1/presence?userIds=somebody", ""),
        })
        {
            foreach (var caller in new[] { "anonymous", "service", "user" })
                cells.Add(call, body, caller);
        }

        return cells;
    }

    [Theory]
    [MemberData(nameof(OwnCalls))]
    public async Task A_call_about_oneself_is_for_users_only(string call, string body, string caller)
    {
        var user = caller == "anonymous" ? new ChatUser(system.Chat, "nobody", "") : await system.NewUserAsync(scope: caller == "service" ? "chat.internal" : null);

        var answer = await user.CallAsync(
            new HttpMethod(call.Split(' ')[0]), call.Split(' ')[1], body.Length == 0 ? null : new StringContent(body, Encoding.UTF8, "application/json"));

        switch (caller)
        {
            case "anonymous":
                $"{(int)answer.Status} {answer.Code}".ShouldBe("401 unauthenticated");
                break;
            case "service":
                $"{(int)answer.Status} {answer.Code}".ShouldBe("403 forbidden");
                break;
            default:
                ((int)answer.Status).ShouldBeInRange(200, 204);
                break;
        }
    }

    private static string Expected(string caller, string blocked, string member, string sender) => caller switch
    {
        "anonymous" => "401 unauthenticated",
        "service" => "403 forbidden",
        "stranger" or "former" => "404 room_not_found",
        "blocked" => blocked,
        "member" => member,
        _ => sender,
    };

    /// <summary>A room with one message of its sender, and somebody who calls.</summary>
    private sealed record Scene(string Room, ChatUser Sender, ChatUser Caller, int Entries)
    {
        public static async Task<Scene> MakeAsync(ApiSystem system, string caller)
        {
            var (sender, other) = (await system.NewUserAsync("sender"), await system.NewUserAsync(caller, caller == "service" ? "chat.internal" : null));
            var isInRoom = caller is "former" or "member";
            var room = caller == "blocked" ? await sender.NewDirectAsync(other) : await sender.NewGroupAsync(isInRoom ? [other] : []);
            await sender.SendAsync(room, "the sender's");
            if (caller == "former")
                await other.DeleteAsync($"/v1/rooms/{room}/members/me");
            if (caller == "blocked")
                await sender.PutAsync($"/v1/blocks/{other.Id}");
            var who = caller switch { "sender" => sender, "anonymous" => new ChatUser(system.Chat, "nobody", ""), _ => other };
            return new Scene(room, sender, who, caller == "former" ? 2 : 1);
        }

        public async Task ShouldBeAsBeforeAsync() => (await Sender.LogAsync(Room)).Count.ShouldBe(Entries);
    }
}
