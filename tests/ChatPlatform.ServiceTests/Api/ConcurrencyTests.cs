using System.Net;
using System.Text.Json;
using ChatPlatform.Contracts.Protos.Chat.V1;
using ChatPlatform.ServiceTests.Chat;

namespace ChatPlatform.ServiceTests.Api;

/// <summary>Two servers and many callers at once: nothing doubled, nothing missed, nothing out of order.</summary>
[Collection(ApiCollection.Name)]
public sealed class ConcurrencyTests(ApiSystem system)
{
    [Fact]
    public async Task Racing_retries_of_one_send_on_two_servers_in_REST_and_gRPC_are_one_message()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewGroupAsync(joon);
        var ids = Enumerable.Range(0, 15).Select(i => $"c{i}").ToList();

        var seqs = await Task.WhenAll(ids.Select(async id =>
        {
            var rest = Enumerable.Range(0, 4).Select(async i =>
            {
                var answer = await mina.TrySendAsync(room, $"text {id}", id, api: i % 2);
                return (Seq: answer.Body.GetProperty("seq").GetInt64(), IsNew: answer.Status == HttpStatusCode.Created);
            });
            var grpc = Enumerable.Range(0, 4).Select(async i =>
            {
                var request = new SendMessageRequest { RoomId = room, ClientMessageId = id, Kind = "text", Text = $"text {id}" };
                var answer = await system.Grpc[i % 2].SendMessageAsync(request, ApiSystem.As(mina));
                return (answer.Message.Seq, IsNew: answer.Created);
            });
            var answers = await Task.WhenAll([.. rest, .. grpc]);
            answers.Count(answer => answer.IsNew).ShouldBe(1);
            return answers.Select(answer => answer.Seq).Distinct().ShouldHaveSingleItem();
        }));

        seqs.Order().ShouldBe(Enumerable.Range(1, ids.Count).Select(seq => (long)seq));
        (await joon.LogAsync(room)).Select(entry => entry.GetProperty("message").GetProperty("clientMessageId").GetString()).Order().ShouldBe(ids.Order());
    }

    [Fact]
    public async Task The_same_client_id_of_two_senders_or_in_two_rooms_is_two_messages()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var (one, other) = (await mina.NewGroupAsync(joon), await mina.NewGroupAsync(joon));

        (await mina.TrySendAsync(one, "a", "same")).Status.ShouldBe(HttpStatusCode.Created);
        (await joon.TrySendAsync(one, "b", "same")).Status.ShouldBe(HttpStatusCode.Created);
        (await mina.TrySendAsync(other, "c", "same")).Status.ShouldBe(HttpStatusCode.Created);
        (await mina.TrySendAsync(one, "another text", "same", api: 1)).Body.GetProperty("text").GetString().ShouldBe("a");
    }

    [Theory]
    [InlineData("messages", true)]
    [InlineData("messages", false)]
    [InlineData("log", true)]
    public async Task Pages_read_while_others_write_have_every_item_of_their_range_once_and_in_order(string what, bool forward)
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewGroupAsync(joon);
        const int Before = 40;
        for (var i = 0; i < Before; i += 10)
            await Task.WhenAll(Enumerable.Range(i, 10).Select(n => mina.SendAsync(room, $"{n}")));
        using var stop = new CancellationTokenSource();
        var writing = Enumerable.Range(0, 3).Select(async api =>
        {
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                var seq = (await mina.SendAsync(room, $"more {api} {i}", api: api % 2)).GetProperty("seq").GetInt64();
                await joon.PutAsync($"/v1/rooms/{room}/messages/{seq}/reactions/👍", api: (api + 1) % 2);
            }
        }).ToList();

        List<long> seqs = [];
        long? at = forward ? 0 : null;
        while (seqs.Count < Before + 20)
        {
            var query = forward ? $"after={at}" : at is null ? "" : $"before={at}";
            var page = (await joon.GetAsync($"/v1/rooms/{room}/{what}?limit=7&{query}", api: seqs.Count % 2)).Body;
            var items = page.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("seq").GetInt64()).ToList();
            seqs.AddRange(items);
            if (items.Count > 0)
                at = items[^1];
            if (!forward && (items.Count == 0 || items[^1] == 1))
                break;
        }

        await stop.CancelAsync();
        await Task.WhenAll(writing);
        var log = (await joon.LogAsync(room)).Where(entry => what == "log" || entry.GetProperty("type").GetString() == "message.created")
            .Select(entry => entry.GetProperty("seq").GetInt64()).ToList();
        seqs.ShouldBe(forward ? log.Take(seqs.Count) : log.Where(seq => seq <= seqs[0]).Reverse());
    }

    [Fact]
    public async Task Racing_joins_and_leaves_keep_the_member_count_and_the_log_right()
    {
        var owner = await system.NewUserAsync("owner");
        var users = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => system.NewUserAsync()));
        var room = await owner.NewGroupAsync();

        var ids = users.Select(user => user.Id).ToArray();
        await Task.WhenAll(Enumerable.Range(0, 4).Select(i => owner.PostAsync($"/v1/rooms/{room}/members", new { userIds = ids }, api: i % 2)));
        var left = await Task.WhenAll(users.Take(4).SelectMany(user => new[] { user.DeleteAsync($"/v1/rooms/{room}/members/me"), user.DeleteAsync($"/v1/rooms/{room}/members/me", api: 1) }));

        left.Count(answer => answer.Status == HttpStatusCode.NoContent).ShouldBe(4);
        left.Count(answer => answer.Status == HttpStatusCode.NotFound).ShouldBe(4);
        (await owner.GetAsync($"/v1/rooms/{room}")).Body.GetProperty("memberCount").GetInt32().ShouldBe(5);
        var log = await owner.LogAsync(room);
        log.Where(entry => entry.GetProperty("type").GetString() == "member.joined").SelectMany(entry => entry.GetProperty("userIds").EnumerateArray())
            .Select(id => id.GetString()).Order().ShouldBe(ids.Order());
        log.Count(entry => entry.GetProperty("type").GetString() == "member.left").ShouldBe(4);
    }

    [Fact]
    public async Task A_group_never_has_more_than_1000_members_however_they_join()
    {
        var owner = await system.NewUserAsync("owner");
        var answer = await owner.PostAsync("/v1/rooms", new { kind = "group", memberIds = Enumerable.Range(0, 997).Select(i => $"{owner.Id}-m{i}") });
        var room = answer.Body.GetProperty("roomId").GetString();

        var joins = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => owner.PostAsync($"/v1/rooms/{room}/members", new { userIds = new[] { $"{owner.Id}-late{i}" } }, api: i % 2)));

        joins.ShouldAllBe(join => join.Status == HttpStatusCode.OK || join.Code == "too_many_members");
        (await owner.GetAsync($"/v1/rooms/{room}")).Body.GetProperty("memberCount").GetInt32().ShouldBe(1_000);
    }

    [Fact]
    public async Task gRPC_answers_with_the_JSON_of_REST()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var (grpc, headers) = (system.Grpc[0], ApiSystem.As(mina));
        var created = await grpc.CreateRoomAsync(new CreateRoomRequest { Kind = "group", Title = "방 🚲", MemberIds = { joon.Id } }, headers);
        created.Created.ShouldBeTrue();
        var room = created.Room.RoomId;
        await grpc.SendMessageAsync(new SendMessageRequest { RoomId = room, ClientMessageId = "c", Kind = "text", Text = "안녕 🌙" }, headers);
        await grpc.EditMessageAsync(new EditMessageRequest { RoomId = room, Seq = 1, Text = "안녕 👋🏽" }, headers);
        await grpc.SetReactionAsync(new SetReactionRequest { RoomId = room, Seq = 1, Emoji = "🔥", Present = true }, headers);
        (await grpc.SetReadPositionAsync(new SetReadPositionRequest { RoomId = room, Seq = 3 }, headers)).Seq.ShouldBe(3);
        await grpc.AddMembersAsync(new AddMembersRequest { RoomId = room, UserIds = { "late" } }, headers);
        await grpc.RenameRoomAsync(new RenameRoomRequest { RoomId = room, Title = "새 방" }, headers);

        Text((await grpc.GetRoomAsync(new GetRoomRequest { RoomId = room }, headers)).Json).ShouldBe((await mina.GetAsync($"/v1/rooms/{room}")).Body.GetRawText());
        Text((await grpc.ListMessagesAsync(new ListMessagesRequest { RoomId = room }, headers)).Items[0].Json)
            .ShouldBe((await mina.GetAsync($"/v1/rooms/{room}/messages")).Body.GetProperty("items")[0].GetRawText());
        var log = await grpc.GetLogAsync(new GetLogRequest { RoomId = room, After = 1 }, headers);
        log.LastSeq.ShouldBe(5);
        log.Items.Select(entry => Text(entry.Json)).ShouldBe((await mina.GetAsync($"/v1/rooms/{room}/log?after=1")).Body.GetProperty("items").EnumerateArray().Select(item => item.GetRawText()));
        var listed = (await grpc.ListRoomsAsync(new ListRoomsRequest(), headers)).Items.ShouldHaveSingleItem();
        Text(listed.Room.Json).ShouldBe((await mina.GetAsync("/v1/rooms")).Body.GetProperty("items")[0].GetRawText());
        using var stream = grpc.Subscribe(new SubscribeRequest { After = { [room] = 0 } }, headers);
        for (var seq = 1; seq <= 5; seq++)
        {
            (await stream.ResponseStream.MoveNext(CancellationToken.None)).ShouldBeTrue();
            stream.ResponseStream.Current.Seq.ShouldBe(seq);
        }

        await grpc.RemoveMemberAsync(new RemoveMemberRequest { RoomId = room, UserId = "me" }, headers);
        (await joon.GetAsync($"/v1/rooms/{room}")).Body.GetProperty("memberCount").GetInt32().ShouldBe(2);

        static string Text(Google.Protobuf.ByteString json) => JsonElement.Parse(json.Span).GetRawText();
    }

    [Theory]
    [InlineData("post", "/v1/rooms")]
    [InlineData("get", "/v1/rooms")]
    [InlineData("get", "/v1/rooms/{roomId}")]
    [InlineData("patch", "/v1/rooms/{roomId}")]
    [InlineData("post", "/v1/rooms/{roomId}/members")]
    [InlineData("delete", "/v1/rooms/{roomId}/members/{userId}")]
    [InlineData("put", "/v1/rooms/{roomId}/settings")]
    [InlineData("post", "/v1/rooms/{roomId}/messages")]
    [InlineData("get", "/v1/rooms/{roomId}/messages")]
    [InlineData("get", "/v1/rooms/{roomId}/log")]
    [InlineData("patch", "/v1/rooms/{roomId}/messages/{seq}")]
    [InlineData("delete", "/v1/rooms/{roomId}/messages/{seq}")]
    [InlineData("put", "/v1/rooms/{roomId}/messages/{seq}/reactions/{emoji}")]
    [InlineData("delete", "/v1/rooms/{roomId}/messages/{seq}/reactions/{emoji}")]
    [InlineData("put", "/v1/rooms/{roomId}/read")]
    [InlineData("post", "/v1/attachments")]
    [InlineData("put", "/v1/devices/{deviceId}")]
    [InlineData("delete", "/v1/devices/{deviceId}")]
    [InlineData("put", "/v1/blocks/{userId}")]
    [InlineData("delete", "/v1/blocks/{userId}")]
    [InlineData("get", "/v1/blocks")]
    [InlineData("get", "/v1/presence")]
    [InlineData("post", "/internal/v1/rooms/{roomId}/messages")]
    public async Task OpenAPI_lists_every_call(string method, string path)
    {
        var document = (await new ChatUser(system.Chat, "nobody", "").GetAsync("/openapi/v1.json")).Body;

        document.GetProperty("paths").TryGetProperty(path, out var calls).ShouldBeTrue();
        calls.TryGetProperty(method, out var call).ShouldBeTrue();
        call.GetProperty("responses").EnumerateObject().Any(response => response.Name.StartsWith('2')).ShouldBeTrue();
    }
}
