using System.Text.Json;
using ChatPlatform.ServiceTests.Chat;

namespace ChatPlatform.ServiceTests.Relay;

/// <summary><c>hello.resume</c>: every later entry exactly once and in order, whatever happens meanwhile; or a word that it cannot be had.</summary>
[Collection(ChatCollection.Name)]
public sealed class ResumeTests(ChatSystem system)
{
    [Fact]
    public async Task A_thousand_missed_entries_are_replayed_and_one_more_is_a_reset()
    {
        var (mina, joon) = (system.NewLocalUser(), system.NewLocalUser());
        var room = await mina.NewDirectAsync(joon);
        await Parallel.ForEachAsync(Enumerable.Range(0, 1_001), new ParallelOptions { MaxDegreeOfParallelism = 40 }, async (i, _) => await mina.SendAsync(room, $"{i}"));

        await using var late = await joon.ConnectAsync(resume: new() { [room] = 1 });
        await using var later = await joon.ConnectAsync(relay: 1, resume: new() { [room] = 0 });

        (await late.EntriesUntilAsync(room, 1_001)).Select(Seq).ShouldBe(Enumerable.Range(2, 1_000).Select(i => (long)i));
        (await late.NextAsync("resumed")).GetProperty("seq").GetInt64().ShouldBe(1_001);
        (await later.NextAsync())!.Value.GetProperty("type").GetString().ShouldBe("reset");
        // After a reset the room is live.
        await mina.SendAsync(room, "after");
        Seq(await later.NextEntryAsync(room)).ShouldBe(1_002);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(7)]
    [InlineData(long.MaxValue)]
    [InlineData(long.MinValue)]
    public async Task A_client_that_says_it_has_what_there_is_not_is_told_to_reload_and_gets_live_entries(long has)
    {
        var (mina, joon) = (system.NewLocalUser(), system.NewLocalUser());
        var room = await mina.NewDirectAsync(joon);
        await mina.SendAsync(room, "one");
        await using var socket = await joon.ConnectAsync(resume: new() { [room] = has });

        (await socket.NextAsync())!.Value.GetProperty("type").GetString().ShouldBe("reset");
        await mina.SendAsync(room, "two");
        Seq(await socket.NextEntryAsync(room)).ShouldBe(2);
    }

    [Fact]
    public async Task A_client_that_missed_nothing_is_told_so_without_an_entry()
    {
        var (mina, joon) = (system.NewLocalUser(), system.NewLocalUser());
        var (room, empty) = (await mina.NewDirectAsync(joon), await mina.NewGroupAsync(joon));
        await mina.SendAsync(room, "one");
        await using var socket = await joon.ConnectAsync(resume: new() { [room] = 1, [empty] = 0 });

        List<JsonElement> frames = [(await socket.NextAsync())!.Value, (await socket.NextAsync())!.Value];
        frames.ShouldAllBe(frame => frame.GetProperty("type").GetString() == "resumed");
        frames.Single(frame => frame.GetProperty("roomId").GetString() == room).GetProperty("seq").GetInt64().ShouldBe(1);
        frames.Single(frame => frame.GetProperty("roomId").GetString() == empty).GetProperty("seq").GetInt64().ShouldBe(0);
    }

    [Fact]
    public async Task A_former_member_is_refused_like_a_stranger()
    {
        var (mina, joon, sora) = (system.NewLocalUser(), system.NewLocalUser(), system.NewLocalUser());
        var room = await mina.NewGroupAsync(joon, sora);
        await mina.SendAsync(room, "one");
        await using var before = await joon.ConnectAsync(resume: new() { [room] = 0 });
        await before.NextAsync("resumed");
        (await joon.DeleteAsync($"/v1/rooms/{room}/members/me")).Status.ShouldBe(System.Net.HttpStatusCode.NoContent);
        await mina.SendAsync(room, "two");

        // Others of the room resume at the same time, from what the relay has read for them.
        await using var member = await sora.ConnectAsync(resume: new() { [room] = 0 });
        await using var after = await joon.ConnectAsync(resume: new() { [room] = 0 });

        (await member.EntriesUntilAsync(room, 3)).Count.ShouldBe(3);
        (await after.NextAsync())!.Value.GetProperty("code").GetString().ShouldBe("room_not_found");
    }

    [Fact]
    public async Task Each_reader_of_a_shared_replay_sees_their_own_reactions_as_theirs()
    {
        var (mina, joon) = (system.NewLocalUser(), system.NewLocalUser());
        var room = await mina.NewDirectAsync(joon);
        await mina.SendAsync(room, "react");
        await joon.PutAsync($"/v1/rooms/{room}/messages/1/reactions/👍");
        await mina.PutAsync($"/v1/rooms/{room}/messages/1/reactions/🥕");
        await joon.PutAsync($"/v1/rooms/{room}/messages/1/reactions/🥕");

        foreach (var reader in new[] { mina, joon })
        {
            await using var socket = await reader.ConnectAsync(resume: new() { [room] = 0 });
            var replayed = await socket.EntriesUntilAsync(room, 4);
            replayed.Select(entry => entry.GetRawText()).ShouldBe((await reader.LogAsync(room)).Select(entry => entry.GetRawText()));
        }
    }

    [Fact]
    public async Task Many_clients_that_come_back_at_different_seqs_while_others_send_get_every_entry_once_and_in_order()
    {
        var users = Enumerable.Range(0, 12).Select(_ => system.NewLocalUser()).ToArray();
        var room = await users[0].NewGroupAsync(users[1..]);
        for (var i = 0; i < 60; i++)
            await users[0].SendAsync(room, $"before {i}");
        const int Last = 160;
        var sending = Task.Run(async () =>
        {
            for (var i = 60; i < Last; i++)
                await users[i % 3].SendAsync(room, $"during {i}", api: i % 2);
        });

        var received = await Task.WhenAll(users[3..].Select(async (user, index) =>
        {
            List<long> seqs = [];
            // Comes back again and again from where it was.
            for (long has = index * 6; has < Last; has = seqs[^1])
            {
                await using var socket = await user.ConnectAsync(index % 2, new() { [room] = has });
                var until = Math.Min(Last, has + 25);
                seqs.AddRange((await socket.EntriesUntilAsync(room, until)).Select(Seq));
            }

            return (From: (long)index * 6, Seqs: seqs);
        }));

        await sending;
        foreach (var (from, seqs) in received)
            seqs.ShouldBe(Enumerable.Range(1, Last).Select(i => (long)i).Where(seq => seq > from));
    }

    private static long Seq(JsonElement entry) => entry.GetProperty("seq").GetInt64();
}
