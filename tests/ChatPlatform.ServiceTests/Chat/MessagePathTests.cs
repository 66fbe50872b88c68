using System.Net;
using System.Text.Json;

namespace ChatPlatform.ServiceTests.Chat;

/// <summary>The way of a message, and the three guarantees of the room log.</summary>
[Collection(ChatCollection.Name)]
public sealed class MessagePathTests(ChatSystem system)
{
    [Fact]
    public async Task A_sent_message_reaches_every_member_on_every_relay_the_senders_other_connections_too()
    {
        var (mina, joon) = (await system.NewUserAsync("mina"), await system.NewUserAsync("joon"));
        var room = await mina.NewDirectAsync(joon, "article-1");
        await using var minaSocket = await mina.ConnectAsync(relay: 0);
        await using var joonSocket = await joon.ConnectAsync(relay: 1);
        await using var joonPhone = await joon.ConnectAsync(relay: 0);

        var sent = await mina.SendAsync(room, "안녕하세요 👋🏽\n\"직거래\" 가능할까요?\u0001", api: 1);

        sent.GetProperty("seq").GetInt64().ShouldBe(1);
        sent.GetProperty("ordinal").GetInt64().ShouldBe(1);
        foreach (var socket in new[] { minaSocket, joonSocket, joonPhone })
        {
            var entry = await socket.NextEntryAsync(room);
            entry.GetProperty("type").GetString().ShouldBe("message.created");
            entry.GetProperty("message").GetRawText().ShouldBe(sent.GetRawText());
        }
    }

    [Fact]
    public async Task A_send_over_the_socket_is_acknowledged_with_the_message_and_reaches_the_other()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);
        await using var from = await mina.ConnectAsync(relay: 0);
        await using var to = await joon.ConnectAsync(relay: 1);

        await from.SendAsync(new { type = "send", @ref = "r1", roomId = room, clientMessageId = "c1", kind = "text", text = "hello" });

        var ack = await from.NextAsync("ack");
        ack.GetProperty("ref").GetString().ShouldBe("r1");
        ack.GetProperty("message").GetProperty("text").GetString().ShouldBe("hello");
        (await to.NextEntryAsync(room)).GetProperty("message").GetProperty("clientMessageId").GetString().ShouldBe("c1");
    }

    [Fact]
    public async Task Retrying_a_send_with_the_same_client_id_stores_nothing_new()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);
        var first = await mina.TrySendAsync(room, "one", "same");

        var again = await mina.TrySendAsync(room, "other text", "same", api: 1);

        first.Status.ShouldBe(HttpStatusCode.Created);
        again.Status.ShouldBe(HttpStatusCode.OK);
        again.Body.GetRawText().ShouldBe(first.Body.GetRawText());
        (await mina.LogAsync(room)).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Two_senders_may_use_the_same_client_id()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);
        await mina.SendAsync(room, "mine", "same");

        (await joon.TrySendAsync(room, "mine too", "same")).Status.ShouldBe(HttpStatusCode.Created);

        (await mina.LogAsync(room)).Count.ShouldBe(2);
    }

    [Fact]
    public async Task Retries_that_race_on_two_replicas_store_one_message_and_all_return_it()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);
        for (var round = 0; round < 5; round++)
        {
            var id = $"race-{round}";
            var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => mina.TrySendAsync(room, "race", id, api: i % 2)));

            answers.Count(answer => answer.Status == HttpStatusCode.Created).ShouldBe(1);
            answers.Count(answer => answer.Status == HttpStatusCode.OK).ShouldBe(7);
            answers.Select(answer => answer.Body.GetRawText()).Distinct().Count().ShouldBe(1);
        }

        (await mina.LogAsync(room)).Count.ShouldBe(5);
    }

    [Fact]
    public async Task Concurrent_senders_on_both_replicas_leave_a_dense_log_that_every_socket_gets_in_order()
    {
        var users = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => system.NewUserAsync()));
        var room = await users[0].NewGroupAsync(users[1..]);
        await using var one = await users[0].ConnectAsync(relay: 0);
        await using var two = await users[1].ConnectAsync(relay: 1);
        const int Each = 20;

        var acknowledged = await Task.WhenAll(users.Select(async (user, index) =>
        {
            List<string> ids = [];
            for (var i = 0; i < Each; i++)
                ids.Add((await user.SendAsync(room, $"{index}:{i}", api: (index + i) % 2)).GetProperty("clientMessageId").GetString()!);
            return ids;
        }));

        var log = await users[0].LogAsync(room);
        log.Select(entry => entry.GetProperty("seq").GetInt64()).ShouldBe(Enumerable.Range(1, users.Length * Each).Select(i => (long)i));
        log.Select(entry => entry.GetProperty("message").GetProperty("ordinal").GetInt64()).ShouldBe(Enumerable.Range(1, users.Length * Each).Select(i => (long)i));
        log.Select(entry => entry.GetProperty("message").GetProperty("clientMessageId").GetString()).Order().ShouldBe(acknowledged.SelectMany(ids => ids).Order());
        foreach (var socket in new[] { one, two })
        {
            var seqs = (await socket.EntriesUntilAsync(room, log.Count)).Select(entry => entry.GetProperty("seq").GetInt64()).ToList();
            seqs.ShouldBe(seqs.Distinct().Order());
        }

        // Each sender's own messages are in the order in which it was answered.
        foreach (var (user, ids) in users.Zip(acknowledged))
        {
            log.Where(entry => entry.GetProperty("actorId").GetString() == user.Id)
                .Select(entry => entry.GetProperty("message").GetProperty("clientMessageId").GetString()).ShouldBe(ids);
        }
    }

    [Fact]
    public async Task Resuming_while_others_send_yields_every_entry_once_and_in_order()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);
        for (var i = 0; i < 10; i++)
            await mina.SendAsync(room, $"before {i}");
        var sending = Task.Run(async () =>
        {
            for (var i = 0; i < 40; i++)
                await mina.SendAsync(room, $"during {i}", api: i % 2);
        });

        await using var socket = await joon.ConnectAsync(relay: 1, resume: new() { [room] = 4 });
        await sending;
        var seqs = (await socket.EntriesUntilAsync(room, 50)).Select(entry => entry.GetProperty("seq").GetInt64()).ToList();

        seqs.ShouldBe(Enumerable.Range(5, 46).Select(i => (long)i));
    }

    [Fact]
    public async Task A_replay_ends_with_resumed_and_the_seq_it_reached()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);
        await mina.SendAsync(room, "one");
        await mina.SendAsync(room, "two");

        await using var socket = await joon.ConnectAsync(resume: new() { [room] = 1 });

        (await socket.NextEntryAsync(room)).GetProperty("seq").GetInt64().ShouldBe(2);
        var resumed = await socket.NextAsync("resumed");
        resumed.GetProperty("roomId").GetString().ShouldBe(room);
        resumed.GetProperty("seq").GetInt64().ShouldBe(2);
    }

    [Fact]
    public async Task Replayed_entries_have_the_bytes_of_live_ones()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);
        await using var live = await joon.ConnectAsync();
        await mina.SendAsync(room, "같은 <바이트> & \"따옴표\" 🥕");
        var pushed = await live.NextEntryAsync(room);

        await using var later = await joon.ConnectAsync(resume: new() { [room] = 0 });

        (await later.NextEntryAsync(room)).GetRawText().ShouldBe(pushed.GetRawText());
        (await joon.LogAsync(room))[0].GetRawText().ShouldBe(pushed.GetRawText());
    }

    [Fact]
    public async Task Resuming_a_room_that_is_not_mine_is_refused_and_the_others_go_on()
    {
        var (mina, joon, stranger) = (await system.NewUserAsync(), await system.NewUserAsync(), await system.NewUserAsync());
        var foreign = await mina.NewDirectAsync(joon);
        var own = await stranger.NewDirectAsync(joon);
        await joon.SendAsync(own, "hi");

        await using var socket = await stranger.ConnectAsync(resume: new() { [foreign] = 0, [own] = 0 });

        List<JsonElement> frames = [await socket.NextAsync() ?? default, await socket.NextAsync() ?? default, await socket.NextAsync() ?? default];
        frames.Single(frame => frame.GetProperty("type").GetString() == "error").GetProperty("code").GetString().ShouldBe("room_not_found");
        frames.Single(frame => frame.GetProperty("type").GetString() == "resumed").GetProperty("roomId").GetString().ShouldBe(own);
    }

    [Fact]
    public async Task Read_and_typing_frames_reach_the_other_member()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);
        await mina.SendAsync(room, "read me");
        await using var minaSocket = await mina.ConnectAsync(relay: 0);
        await using var joonSocket = await joon.ConnectAsync(relay: 1);

        await joonSocket.SendAsync(new { type = "typing", roomId = room });
        (await minaSocket.NextAsync("typing")).GetProperty("userId").GetString().ShouldBe(joon.Id);
        await joonSocket.SendAsync(new { type = "read", roomId = room, seq = 1 });
        (await minaSocket.NextAsync("read")).GetProperty("seq").GetInt64().ShouldBe(1);
    }

    [Fact]
    public async Task Events_tell_of_the_message_and_of_the_member_who_was_not_connected()
    {
        var (mina, joon, sora) = (await system.NewUserAsync(), await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewGroupAsync(joon, sora);
        await using var socket = await joon.ConnectAsync(relay: 1);
        await mina.SendAsync(room, "당근이세요?");
        await socket.NextEntryAsync(room);

        var missed = $"\"data\":{{\"roomId\":\"{room}\",\"seq\":1,\"userIds\":[\"{sora.Id}\"],\"message\":{{";
        await system.RelayProcesses[0].WaitForAsync(() => Task.FromResult(system.SpooledEvents.Contains(missed, StringComparison.Ordinal)), "the missed event");

        var events = system.SpooledEvents;
        events.ShouldContain($"\"id\":\"{room}:0:chat.room.created.v1\"");
        events.ShouldContain($"\"id\":\"{room}:1:chat.message.created.v1\"");
        events.ShouldContain($"\"id\":\"{room}:1:chat.delivery.missed.v1\"");
    }

    [Fact]
    public async Task A_5000_character_text_of_emoji_arrives_whole()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var room = await mina.NewDirectAsync(joon);
        var text = string.Concat(Enumerable.Repeat("🥕", 5_000));
        await using var socket = await joon.ConnectAsync(relay: 1);

        (await mina.SendAsync(room, text)).GetProperty("text").GetString().ShouldBe(text);

        (await socket.NextEntryAsync(room)).GetProperty("message").GetProperty("text").GetString().ShouldBe(text);
    }
}
