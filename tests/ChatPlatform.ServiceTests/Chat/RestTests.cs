using System.Net;
using System.Text;
using System.Text.Json;

namespace ChatPlatform.ServiceTests.Chat;

/// <summary>REST as contracts §1 and §3 have it.</summary>
[Collection(ChatCollection.Name)]
public sealed class RestTests(ChatSystem system)
{
    [Fact]
    public async Task A_direct_room_of_the_same_two_about_the_same_article_exists_once()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        object Ask(ChatUser other, string article) => new { kind = "direct", memberIds = new[] { other.Id }, articleId = article };

        var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => (i % 2 == 0 ? mina : joon).PostAsync("/v1/rooms", Ask(i % 2 == 0 ? joon : mina, "a1"), api: i / 3)));

        answers.Count(answer => answer.Status == HttpStatusCode.Created).ShouldBe(1);
        answers.Select(answer => answer.Body.GetProperty("roomId").GetString()).Distinct().Count().ShouldBe(1);
        (await mina.PostAsync("/v1/rooms", Ask(joon, "a2"))).Status.ShouldBe(HttpStatusCode.Created);
    }

    [Fact]
    public async Task A_room_shows_its_members_and_a_group_can_be_renamed()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewGroupAsync(joon);

        var renamed = await joon.PatchAsync($"/v1/rooms/{room}", new { title = "새 이름" });
        var seen = await mina.GetAsync($"/v1/rooms/{room}", api: 1);

        renamed.Status.ShouldBe(HttpStatusCode.OK);
        seen.Body.GetProperty("title").GetString().ShouldBe("새 이름");
        seen.Body.GetProperty("members").EnumerateArray().Select(member => member.GetProperty("userId").GetString()).Order().ShouldBe(new[] { mina.Id, joon.Id }.Order());
        (await mina.LogAsync(room)).Single().GetProperty("type").GetString().ShouldBe("room.updated");
    }

    [Fact]
    public async Task The_room_list_has_the_latest_first_with_unread_counts_and_pages()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        List<string> rooms = [];
        for (var i = 0; i < 3; i++)
            rooms.Add(await mina.NewDirectAsync(joon, $"article-{i}"));
        await mina.SendAsync(rooms[2], "x");
        await mina.SendAsync(rooms[0], "a");
        await mina.SendAsync(rooms[0], "b");

        var list = await joon.GetAsync("/v1/rooms");
        var items = list.Body.GetProperty("items").EnumerateArray().ToList();

        items.Select(item => item.GetProperty("roomId").GetString()).ShouldBe([rooms[0], rooms[2], rooms[1]]);
        items.Select(item => item.GetProperty("unreadCount").GetInt64()).ShouldBe([2, 1, 0]);
        items[0].GetProperty("lastMessage").GetProperty("text").GetString().ShouldBe("b");
        list.Body.GetProperty("nextCursor").ValueKind.ShouldBe(JsonValueKind.Null);
        var page = await joon.GetAsync("/v1/rooms?limit=2");
        var rest = await joon.GetAsync($"/v1/rooms?limit=2&cursor={page.Body.GetProperty("nextCursor").GetString()}");
        page.Body.GetProperty("items").EnumerateArray().Concat(rest.Body.GetProperty("items").EnumerateArray())
            .Select(item => item.GetProperty("roomId").GetString()).Distinct().Count().ShouldBe(3);
    }

    [Fact]
    public async Task The_read_position_counts_unread_down_and_never_moves_back()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);
        for (var i = 0; i < 5; i++)
            await mina.SendAsync(room, $"{i}");

        (await joon.PutAsync($"/v1/rooms/{room}/read", new { seq = 3 })).Body.GetProperty("seq").GetInt64().ShouldBe(3);
        (await joon.PutAsync($"/v1/rooms/{room}/read", new { seq = 1 }, api: 1)).Body.GetProperty("seq").GetInt64().ShouldBe(3);
        (await joon.GetAsync("/v1/rooms")).Body.GetProperty("items")[0].GetProperty("unreadCount").GetInt64().ShouldBe(2);
        (await joon.PutAsync($"/v1/rooms/{room}/read", new { seq = 99 })).Body.GetProperty("seq").GetInt64().ShouldBe(5);
        (await joon.GetAsync("/v1/rooms")).Body.GetProperty("items")[0].GetProperty("unreadCount").GetInt64().ShouldBe(0);
    }

    [Fact]
    public async Task An_edit_and_a_delete_are_entries_and_change_the_messages_current_state()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);
        await mina.SendAsync(room, "first");

        var edited = await mina.PatchAsync($"/v1/rooms/{room}/messages/1", new { text = "second" });
        var deleted = await mina.DeleteAsync($"/v1/rooms/{room}/messages/1", api: 1);
        var again = await mina.DeleteAsync($"/v1/rooms/{room}/messages/1");

        edited.Body.GetProperty("text").GetString().ShouldBe("second");
        edited.Body.GetProperty("editedAt").GetString().ShouldNotBeNull();
        deleted.Body.GetProperty("text").ValueKind.ShouldBe(JsonValueKind.Null);
        deleted.Body.GetProperty("deletedAt").GetString().ShouldNotBeNull();
        again.Status.ShouldBe(HttpStatusCode.OK);
        (await joon.LogAsync(room)).Select(entry => entry.GetProperty("type").GetString()).ShouldBe(["message.created", "message.edited", "message.deleted"]);
        (await mina.PatchAsync($"/v1/rooms/{room}/messages/1", new { text = "third" })).Code.ShouldBe("message_deleted");
        (await joon.PutAsync($"/v1/rooms/{room}/messages/1/reactions/👍")).Code.ShouldBe("message_deleted");
    }

    [Fact]
    public async Task Reactions_are_idempotent_also_when_they_race()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);
        await mina.SendAsync(room, "like me");
        var path = $"/v1/rooms/{room}/messages/1/reactions/{Uri.EscapeDataString("👍🏽")}";

        var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => joon.PutAsync(path, api: i % 2)));
        var seen = (await mina.GetAsync($"/v1/rooms/{room}/messages")).Body.GetProperty("items")[0].GetProperty("reactions")[0];
        var removed = await joon.DeleteAsync(path);
        await joon.DeleteAsync(path);

        answers.ShouldAllBe(answer => answer.Status == HttpStatusCode.OK);
        seen.GetProperty("emoji").GetString().ShouldBe("👍🏽");
        seen.GetProperty("count").GetInt32().ShouldBe(1);
        seen.GetProperty("mine").GetBoolean().ShouldBeFalse();
        answers[0].Body.GetProperty("reactions")[0].GetProperty("mine").GetBoolean().ShouldBeTrue();
        removed.Body.GetProperty("reactions").GetArrayLength().ShouldBe(0);
        (await mina.LogAsync(room)).Select(entry => entry.GetProperty("type").GetString()).ShouldBe(["message.created", "reaction.added", "reaction.removed"]);
    }

    [Fact]
    public async Task Messages_page_backwards_from_the_newest_and_forwards_from_a_seq()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);
        for (var i = 1; i <= 5; i++)
            await mina.SendAsync(room, $"{i}");
        await joon.PutAsync($"/v1/rooms/{room}/messages/2/reactions/🔥");
        static string[] Texts(Answer answer) => [.. answer.Body.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("text").GetString()!)];

        var newest = await joon.GetAsync($"/v1/rooms/{room}/messages?limit=2");
        var older = await joon.GetAsync($"/v1/rooms/{room}/messages?limit=2&before={newest.Body.GetProperty("nextCursor").GetString()}");
        var forward = await joon.GetAsync($"/v1/rooms/{room}/messages?limit=2&after=0");

        Texts(newest).ShouldBe(["5", "4"]);
        Texts(older).ShouldBe(["3", "2"]);
        Texts(forward).ShouldBe(["1", "2"]);
        Texts(await joon.GetAsync($"/v1/rooms/{room}/messages?after=3")).ShouldBe(["4", "5"]);
    }

    [Fact]
    public async Task Members_join_and_leave_a_group_and_who_left_knows_the_room_no_more()
    {
        var (mina, joon, sora) = (await system.NewUserAsync(), await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewGroupAsync(joon);
        await mina.SendAsync(room, "before sora");

        (await joon.PostAsync($"/v1/rooms/{room}/members", new { userIds = new[] { sora.Id, joon.Id } })).Body.GetProperty("memberCount").GetInt32().ShouldBe(3);
        (await sora.GetAsync("/v1/rooms")).Body.GetProperty("items")[0].GetProperty("unreadCount").GetInt64().ShouldBe(0);
        (await joon.DeleteAsync($"/v1/rooms/{room}/members/me")).Status.ShouldBe(HttpStatusCode.NoContent);

        (await joon.GetAsync($"/v1/rooms/{room}")).Code.ShouldBe("room_not_found");
        (await joon.TrySendAsync(room, "still here?")).Status.ShouldBe(HttpStatusCode.NotFound);
        (await mina.LogAsync(room)).Select(entry => entry.GetProperty("type").GetString()).ShouldBe(["message.created", "member.joined", "member.left"]);
    }

    [Fact]
    public async Task A_blocked_user_cannot_open_a_room_or_write_in_the_direct_one()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);
        (await mina.PutAsync($"/v1/blocks/{joon.Id}")).Status.ShouldBe(HttpStatusCode.NoContent);

        (await joon.TrySendAsync(room, "please")).Code.ShouldBe("blocked");
        (await joon.PostAsync("/v1/rooms", new { kind = "direct", memberIds = new[] { mina.Id }, articleId = "other" })).Status.ShouldBe(HttpStatusCode.Forbidden);
        (await mina.GetAsync("/v1/blocks")).Body.GetProperty("items")[0].GetProperty("userId").GetString().ShouldBe(joon.Id);
        await mina.DeleteAsync($"/v1/blocks/{joon.Id}");
        (await joon.TrySendAsync(room, "thanks")).Status.ShouldBe(HttpStatusCode.Created);
    }

    [Fact]
    public async Task Presence_follows_connections()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        async Task<JsonElement> SeenAsync() => (await mina.GetAsync($"/v1/presence?userIds={joon.Id}", api: 1)).Body.GetProperty("items")[0];
        (await SeenAsync()).GetProperty("online").GetBoolean().ShouldBeFalse();

        var socket = await joon.ConnectAsync();
        (await SeenAsync()).GetProperty("online").GetBoolean().ShouldBeTrue();
        await socket.DisposeAsync();

        await system.RelayProcesses[0].WaitForAsync(async () => !(await SeenAsync()).GetProperty("online").GetBoolean(), "the user to be offline");
        (await SeenAsync()).GetProperty("lastSeenAt").GetString().ShouldNotBeNull();
    }

    [Fact]
    public async Task Another_service_posts_system_messages_and_a_user_may_not()
    {
        var (mina, joon, payments) = (await system.NewUserAsync(), await system.NewUserAsync(), await system.NewUserAsync("payments", scope: "chat.internal"));
        var room = await mina.NewDirectAsync(joon);
        var body = new { clientMessageId = "t1", kind = "transfer", payload = new { amount = 12_000, currency = "KRW" } };

        (await payments.PostAsync($"/internal/v1/rooms/{room}/messages", body)).Body.GetProperty("payload").GetProperty("amount").GetInt32().ShouldBe(12_000);
        (await mina.PostAsync($"/internal/v1/rooms/{room}/messages", body)).Status.ShouldBe(HttpStatusCode.Forbidden);
        (await payments.GetAsync("/v1/rooms")).Status.ShouldBe(HttpStatusCode.Forbidden);
        (await mina.PostAsync($"/v1/rooms/{room}/messages", body)).Code.ShouldBe("invalid_kind");
    }

    [Fact]
    public async Task Devices_are_registered_where_push_looks_for_them()
    {
        var mina = await system.NewUserAsync();
        (await mina.PutAsync("/v1/devices/phone", new { platform = "fcm", token = "device-token" })).Status.ShouldBe(HttpStatusCode.NoContent);

        var item = await system.Dynamo.GetItemAsync("chat-users", new() { ["pk"] = new($"user#{mina.Id}"), ["sk"] = new("device#phone") });

        item.Item["token"].S.ShouldBe("device-token");
        (await mina.PutAsync("/v1/devices/phone", new { platform = "pigeon", token = "t" })).Code.ShouldBe("invalid_platform");
        (await mina.DeleteAsync("/v1/devices/phone")).Status.ShouldBe(HttpStatusCode.NoContent);
    }

    [Fact]
    public async Task Settings_belong_to_the_caller_alone()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);

        (await mina.PutAsync($"/v1/rooms/{room}/settings", new { muted = true })).Body.GetProperty("muted").GetBoolean().ShouldBeTrue();

        (await mina.GetAsync($"/v1/rooms/{room}")).Body.GetProperty("muted").GetBoolean().ShouldBeTrue();
        (await joon.GetAsync($"/v1/rooms/{room}")).Body.GetProperty("muted").GetBoolean().ShouldBeFalse();
    }

    [Theory]
    [InlineData("""{"clientMessageId":"c","kind":"shout","text":"x"}""", 400, "invalid_body")]
    [InlineData("""{"clientMessageId":"c","kind":3,"text":"x"}""", 400, "invalid_body")]
    [InlineData("""{"clientMessageId":"c","kind":"text","text":""}""", 400, "invalid_text")]
    [InlineData("""{"clientMessageId":"c","kind":"text"}""", 400, "invalid_text")]
    [InlineData("""{"kind":"text","text":"x"}""", 400, "invalid_clientMessageId")]
    [InlineData("""{"clientMessageId":"c","text":"x"}""", 400, "invalid_kind")]
    [InlineData("""{"clientMessageId":"c","kind":"system","text":"x"}""", 400, "invalid_kind")]
    [InlineData("""{"clientMessageId":"c","kind":"location"}""", 400, "invalid_payload")]
    [InlineData("""{"clientMessageId":"c","kind":"text","text":"x","payload":[1]}""", 400, "invalid_payload")]
    [InlineData("""{"clientMessageId":"c","kind":"text",""", 400, "invalid_body")]
    [InlineData("[]", 400, "invalid_body")]
    public async Task A_message_that_is_not_as_the_call_takes_it_is_a_400_with_a_code(string body, int status, string code)
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);

        var answer = await mina.PostAsync($"/v1/rooms/{room}/messages", new StringContent(body, Encoding.UTF8, "application/json"));

        ((int)answer.Status).ShouldBe(status);
        answer.Code.ShouldBe(code);
        answer.ContentType.ShouldBe("application/problem+json");
        (await mina.LogAsync(room)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Unknown_fields_are_ignored()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);

        (await mina.PostAsync($"/v1/rooms/{room}/messages", new { clientMessageId = "c", kind = "text", text = "x", colour = "red" })).Status.ShouldBe(HttpStatusCode.Created);
    }

    [Fact]
    public async Task A_text_over_5000_code_points_is_a_400_and_a_body_over_64_KiB_a_413()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);

        (await mina.TrySendAsync(room, new string('가', 5_001))).Code.ShouldBe("text_too_long");
        var large = await mina.TrySendAsync(room, new string('x', 70_000));
        large.Status.ShouldBe(HttpStatusCode.RequestEntityTooLarge);
        large.Code.ShouldBe("body_too_large");
    }

    [Theory]
    [InlineData("GET", "/v1/rooms")]
    [InlineData("POST", "/v1/rooms")]
    [InlineData("GET", "/v1/rooms/r/log")]
    [InlineData("POST", "/v1/rooms/r/messages")]
    [InlineData("GET", "/v1/blocks")]
    [InlineData("POST", "/internal/v1/rooms/r/messages")]
    public async Task Without_a_valid_token_every_call_is_a_401(string method, string path)
    {
        foreach (var token in new[] { "", "x.y.z", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1MSJ9." })
        {
            var answer = await new ChatUser(system, "nobody", token).CallAsync(new HttpMethod(method), path, method == "POST" ? new { } : null);
            answer.Status.ShouldBe(HttpStatusCode.Unauthorized);
            answer.Code.ShouldBe("unauthenticated");
        }
    }

    [Theory]
    [InlineData("GET", "", null)]
    [InlineData("PATCH", "", """{"title":"t"}""")]
    [InlineData("POST", "/members", """{"userIds":["x"]}""")]
    [InlineData("DELETE", "/members/me", null)]
    [InlineData("PUT", "/settings", """{"muted":true}""")]
    [InlineData("POST", "/messages", """{"clientMessageId":"c","kind":"text","text":"x"}""")]
    [InlineData("GET", "/messages", null)]
    [InlineData("GET", "/log", null)]
    [InlineData("PATCH", "/messages/1", """{"text":"x"}""")]
    [InlineData("DELETE", "/messages/1", null)]
    [InlineData("PUT", "/messages/1/reactions/👍", null)]
    [InlineData("DELETE", "/messages/1/reactions/👍", null)]
    [InlineData("PUT", "/read", """{"seq":1}""")]
    public async Task A_stranger_and_a_former_member_learn_nothing_of_a_room(string method, string path, string? body)
    {
        var (mina, former, stranger) = (await system.NewUserAsync(), await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewGroupAsync(former);
        await mina.SendAsync(room, "secret");
        await former.DeleteAsync($"/v1/rooms/{room}/members/me");
        var before = (await mina.LogAsync(room)).Count;

        foreach (var user in new[] { former, stranger })
        {
            foreach (var target in new[] { room, "no-such-room" })
            {
                var content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json");
                var answer = await user.CallAsync(new HttpMethod(method), $"/v1/rooms/{target}{path}", content);
                answer.Status.ShouldBe(HttpStatusCode.NotFound);
                answer.Code.ShouldBe("room_not_found");
            }
        }

        (await mina.LogAsync(room)).Count.ShouldBe(before);
    }

    [Fact]
    public async Task Only_the_sender_may_edit_or_delete_a_message()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);
        await mina.SendAsync(room, "mine");

        (await joon.PatchAsync($"/v1/rooms/{room}/messages/1", new { text = "x" })).Code.ShouldBe("not_the_sender");
        (await joon.DeleteAsync($"/v1/rooms/{room}/messages/1")).Status.ShouldBe(HttpStatusCode.Forbidden);
        (await mina.PatchAsync($"/v1/rooms/{room}/messages/7", new { text = "x" })).Code.ShouldBe("message_not_found");
        (await joon.DeleteAsync($"/v1/rooms/{room}/members/{mina.Id}")).Code.ShouldBe("only_oneself");
    }

    [Fact]
    public async Task The_openapi_document_lists_the_calls()
    {
        var document = await (await system.NewUserAsync()).GetAsync("/openapi/v1.json");

        var paths = document.Body.GetProperty("paths").EnumerateObject().Select(path => path.Name).ToList();
        foreach (var path in new[] { "/v1/rooms", "/v1/rooms/{roomId}/messages", "/v1/rooms/{roomId}/log", "/v1/rooms/{roomId}/read", "/v1/presence", "/v1/blocks" })
            paths.ShouldContain(path);
    }

    [Fact]
    public async Task An_unknown_path_is_a_404_as_problem_json()
    {
        var answer = await (await system.NewUserAsync()).GetAsync("/v1/nothing");

        answer.Status.ShouldBe(HttpStatusCode.NotFound);
        answer.Code.ShouldBe("not_found");
    }
}
