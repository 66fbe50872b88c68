using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using ChatPlatform.ServiceTests.Chat;
using ChatPlatform.ServiceTests.Processes;

namespace ChatPlatform.ServiceTests.Relay;

/// <summary>A system of its own for what would disturb other tests. Thousands of clients that share the processors with the servers are slow to say hello.</summary>
public sealed class FaultySystem : IAsyncLifetime
{
    public ChatSystem Chat { get; } = new() { CountsTableCalls = true, HelloSeconds = 60 };

    public Task InitializeAsync() => Chat.InitializeAsync();

    public Task DisposeAsync() => Chat.DisposeAsync();
}

/// <summary>Relays and Redis nodes that die, hang, drain or come back, and clients that do not behave.</summary>
public sealed class RelayFaultTests(FaultySystem faulty) : IClassFixture<FaultySystem>
{
    private readonly ChatSystem _system = faulty.Chat;

    [Fact]
    public async Task A_relay_that_hangs_holds_up_neither_the_others_nor_what_its_users_are_owed()
    {
        await using var hung = _system.StartRelay(0, out var url);
        await hung.WaitForHealthAsync(url + "health");
        var (mina, joon, sora) = (_system.NewLocalUser(), _system.NewLocalUser(), _system.NewLocalUser());
        var room = await mina.NewGroupAsync(joon, sora);
        await using var joonSocket = await joon.ConnectAsync(relay: 1);
        await using var soraSocket = await sora.OpenAsync(url);
        await soraSocket.SendAsync(new { type = "hello" });
        await soraSocket.NextAsync("welcome");
        await mina.SendAsync(room, "before");
        await soraSocket.NextEntryAsync(room);
        await joonSocket.NextEntryAsync(room);

        hung.Signal(19);
        try
        {
            for (var i = 0; i < 30; i++)
            {
                var watch = Stopwatch.StartNew();
                await mina.SendAsync(room, $"meanwhile {i}", api: i % 2);
                (await joonSocket.NextEntryAsync(room)).GetProperty("seq").GetInt64().ShouldBe(i + 2);
                watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(3));
            }

            // Push gets them within the time of an acknowledgement, and the lease's end is not needed for it.
            await WaitForMissedAsync(room, 2, sora.Id);
        }
        finally
        {
            hung.Signal(18);
        }

        await using var again = await sora.ConnectAsync(relay: 0, new() { [room] = 1 });
        (await again.EntriesUntilAsync(room, 31)).Count.ShouldBe(30);
    }

    [Fact]
    public async Task Who_missed_an_answered_message_is_told_though_the_server_dies_before_it_knows()
    {
        await _system.WaitForApiNodesAsync();
        await using var hung = _system.StartRelay(0, out var url);
        await hung.WaitForHealthAsync(url + "health");
        var (mina, joon) = (_system.NewLocalUser(), _system.NewLocalUser());
        var room = await mina.NewDirectAsync(joon);
        await using var socket = await joon.OpenAsync(url);
        await socket.SendAsync(new { type = "hello" });
        await socket.NextAsync("welcome");
        await mina.SendAsync(room, "before");
        await socket.NextEntryAsync(room);

        // It takes frames and acknowledges none; each is waited for, while further messages are stored and answered.
        hung.Signal(19);
        for (var i = 0; i < 3; i++)
            await mina.SendAsync(room, $"meanwhile {i}");
        await _system.ApiProcesses[0].KillAsync();
        await hung.KillAsync();
        try
        {
            await mina.SendAsync(room, "after", api: 1);

            for (var seq = 2; seq <= 5; seq++)
                await WaitForMissedAsync(room, seq, joon.Id);
        }
        finally
        {
            await _system.StartApiAsync(0);
        }
    }

    [Fact]
    public async Task The_users_of_a_relay_that_is_killed_are_missed_at_once_and_resume_elsewhere()
    {
        await using var relay = _system.StartRelay(1, out var url);
        await relay.WaitForHealthAsync(url + "health");
        var (mina, joon) = (_system.NewLocalUser(), _system.NewLocalUser());
        var room = await mina.NewDirectAsync(joon);
        await using var socket = await joon.OpenAsync(url);
        await socket.SendAsync(new { type = "hello" });
        await socket.NextAsync("welcome");
        await mina.SendAsync(room, "one");
        await socket.NextEntryAsync(room);

        await relay.KillAsync();
        await mina.SendAsync(room, "two");

        await WaitForMissedAsync(room, 2, joon.Id);
        await using var elsewhere = await joon.ConnectAsync(relay: 0, new() { [room] = 1 });
        (await elsewhere.NextEntryAsync(room)).GetProperty("seq").GetInt64().ShouldBe(2);
        await mina.SendAsync(room, "three");
        (await elsewhere.NextEntryAsync(room)).GetProperty("seq").GetInt64().ShouldBe(3);
        await elsewhere.DisposeAsync();
        // Without a word it is out of the directory within 15 s.
        var killed = Stopwatch.StartNew();
        await _system.RelayProcesses[0].WaitForAsync(async () => !await IsOnlineAsync(mina, joon), "the killed relay's user to be offline");
        killed.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(15));
    }

    [Fact]
    public async Task Sockets_outlive_a_redis_node_and_are_all_registered_again_when_it_comes_back_empty()
    {
        var users = Enumerable.Range(0, 40).Select(_ => _system.NewLocalUser()).ToArray();
        var room = await users[0].NewGroupAsync(users[1..]);
        var sockets = await Task.WhenAll(users.Select((user, i) => user.ConnectAsync(relay: i % 2)));
        await users[0].SendAsync(room, "before");
        foreach (var socket in sockets)
            await socket.NextEntryAsync(room);

        await _system.Redis.KillNodeAsync(1);
        await users[0].SendAsync(room, "while it is away");
        foreach (var socket in sockets)
            (await socket.NextEntryAsync(room)).GetProperty("seq").GetInt64().ShouldBe(2);
        _system.Redis.StartNode(1);

        foreach (var part in users.Chunk(20))
        {
            var ids = string.Join(',', part.Select(user => user.Id));
            await _system.RelayProcesses[0].WaitForAsync(
                async () => (await users[0].GetAsync($"/v1/presence?userIds={ids}")).Body.GetProperty("items").EnumerateArray().All(item => item.GetProperty("online").GetBoolean()),
                "everybody to be online again");
        }

        await users[0].SendAsync(room, "after");
        foreach (var socket in sockets)
        {
            (await socket.NextEntryAsync(room)).GetProperty("seq").GetInt64().ShouldBe(3);
            await socket.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_relay_that_stops_flushes_acknowledgements_leaves_the_directory_and_exits_within_its_grace()
    {
        await using var relay = _system.StartRelay(0, out var url);
        await relay.WaitForHealthAsync(url + "health");
        var (mina, joon) = (_system.NewLocalUser(), _system.NewLocalUser());
        var room = await mina.NewDirectAsync(joon);
        await using var socket = await mina.OpenAsync(url);
        await using var deaf = await RawSocket.ConnectAsync(url, IPAddress.Loopback, joon.Token, CancellationToken.None);
        await deaf.SendAsync("""{"type":"hello"}""", CancellationToken.None);
        await socket.SendAsync(new { type = "hello" });
        await socket.NextAsync("welcome");
        // A delivery stream to it is open as well.
        await mina.SendAsync(room, "before");
        await socket.NextEntryAsync(room);
        for (var i = 0; i < 20; i++)
            await socket.SendAsync(new { type = "send", @ref = $"{i}", roomId = room, clientMessageId = $"c{i}", kind = "text", text = "x" });
        await socket.NextAsync("ack");

        var watch = Stopwatch.StartNew();
        var stopping = relay.StopAsync();
        var acknowledged = 1;
        var draining = false;
        while (await socket.NextAsync() is { } frame)
        {
            acknowledged += frame.GetProperty("type").GetString() == "ack" ? 1 : 0;
            draining |= frame.GetProperty("type").GetString() == "draining";
        }

        draining.ShouldBeTrue();
        (await socket.CloseCodeAsync()).ShouldBe(1001);
        (await stopping).ShouldBe(0);
        watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(18));
        // What was stored was acknowledged: nothing is stored behind the client's back.
        (await joon.LogAsync(room)).Count.ShouldBe(acknowledged + 1);
        (await IsOnlineAsync(mina, joon)).ShouldBeFalse();
        (await IsOnlineAsync(joon, mina)).ShouldBeFalse();
    }

    [Fact]
    public async Task A_client_that_does_not_read_is_closed_with_4503_and_resumes_and_the_others_notice_nothing()
    {
        await using var relay = _system.StartRelay(0, out var url, ("Relay__SocketQueueLength", "16"), ("Relay__CloseSeconds", "60"), ("Relay__HeartbeatSeconds", "300"));
        await relay.WaitForHealthAsync(url + "health");
        var (mina, joon, sora) = (_system.NewLocalUser(), _system.NewLocalUser(), _system.NewLocalUser());
        var room = await mina.NewGroupAsync(joon, sora);
        await using var slow = await RawSocket.ConnectAsync(url, IPAddress.Loopback, joon.Token, CancellationToken.None, receiveBuffer: 4_096);
        await slow.SendAsync("""{"type":"hello"}""", CancellationToken.None);
        await using var quick = await sora.ConnectAsync(relay: 1);
        const int Count = 250;

        // More than the kernel's buffers of the connection hold.
        var sending = Parallel.ForEachAsync(
            Enumerable.Range(0, Count), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (i, _) => await mina.SendAsync(room, new string('가', 5_000)));
        await quick.EntriesUntilAsync(room, Count);
        await sending;
        var buffer = new byte[256 * 1_024];
        while (await slow.ReadAsync(buffer, CancellationToken.None) is { Count: > 0 })
            continue;

        slow.CloseCode.ShouldBe(4503);
        await using var again = await joon.ConnectAsync(relay: 1, new() { [room] = Count - 10 });
        (await again.EntriesUntilAsync(room, Count)).Count.ShouldBe(10);
    }

    [Fact]
    public async Task A_half_open_connection_is_dropped_and_its_user_goes_offline()
    {
        await using var relay = _system.StartRelay(0, out var url, ("Relay__HeartbeatSeconds", "1"));
        await relay.WaitForHealthAsync(url + "health");
        var (mina, joon) = (_system.NewLocalUser(), _system.NewLocalUser());
        // Answers nothing, not even a close, as if its network were gone.
        await using var socket = await RawSocket.ConnectAsync(url, IPAddress.Loopback, joon.Token, CancellationToken.None);
        await socket.SendAsync("""{"type":"hello"}""", CancellationToken.None);
        await relay.WaitForAsync(() => IsOnlineAsync(mina, joon), "the user to be online");

        await relay.WaitForAsync(async () => !await IsOnlineAsync(mina, joon), "the user to be offline");
    }

    /// <summary>500 sockets, or as many as <c>STORM_SOCKETS</c> says (5,000 is what the service is built for).</summary>
    [Fact]
    public async Task After_a_drop_of_all_connections_every_client_has_resumed_within_ten_seconds_and_each_relay_has_read_each_room_once()
    {
        var count = int.Parse(Environment.GetEnvironmentVariable("STORM_SOCKETS") ?? "500", CultureInfo.InvariantCulture);
        var users = Enumerable.Range(0, count).Select(_ => _system.NewLocalUser()).ToArray();
        var rooms = new List<(string Id, ChatUser[] Members)>();
        foreach (var members in users.Chunk(250))
            rooms.Add((await members[0].NewGroupAsync(members[1..]), members));
        var roomOf = rooms.SelectMany(room => room.Members, (room, member) => (member, room.Id)).ToDictionary(pair => pair.member, pair => pair.Id);
        var sockets = await ConnectAllAsync(has: 0);
        foreach (var (room, members) in rooms)
        {
            for (var i = 0; i < 10; i++)
                await members[i].SendAsync(room, $"before {i}");
        }

        foreach (var socket in sockets)
            socket.Reset();
        foreach (var (room, members) in rooms)
        {
            for (var i = 0; i < 5; i++)
                await members[i].SendAsync(room, $"while away {i}");
        }

        var queries = _system.TableCalls!.Count("Query", "chat-log");
        var watch = Stopwatch.StartNew();
        sockets = await ConnectAllAsync(has: 10);
        var elapsed = watch.Elapsed;

        (_system.TableCalls.Count("Query", "chat-log") - queries).ShouldBeLessThanOrEqualTo(2 * rooms.Count);
        elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(10));
        foreach (var socket in sockets)
            await socket.DisposeAsync();

        Task<RawSocket[]> ConnectAllAsync(int has) => Task.WhenAll(users.Select(async (user, i) =>
        {
            var room = roomOf[user];
            var socket = await RawSocket.ConnectAsync(_system.Relays[i % 2], new IPAddress([127, 0, 0, (byte)(1 + (i % 200))]), user.Token, CancellationToken.None);
            await socket.SendAsync($$$"""{"type":"hello","resume":{"{{{room}}}":{{{has}}}}}""", CancellationToken.None);
            List<JsonElement> frames = [];
            var buffer = new byte[64 * 1_024];
            while (frames.Count == 0 || frames[^1].GetProperty("type").GetString() != "resumed")
            {
                var read = await socket.ReadAsync(buffer, CancellationToken.None);
                read.ShouldNotBeEmpty($"closed with {socket.CloseCode}");
                frames.AddRange(read.Select(frame => JsonElement.Parse(frame)));
            }

            var seqs = frames.Where(frame => frame.GetProperty("type").GetString() == "entry").Select(frame => frame.GetProperty("entry").GetProperty("seq").GetInt64());
            seqs.ShouldBe(has == 0 ? [] : Enumerable.Range(11, 5).Select(seq => (long)seq));
            return socket;
        }));
    }

    private Task WaitForMissedAsync(string room, long seq, string userId) => _system.ApiProcesses[1].WaitForAsync(
        () => Task.FromResult(_system.SpooledEvents.Contains($"\"data\":{{\"roomId\":\"{room}\",\"seq\":{seq},\"userIds\":[\"{userId}\"]", StringComparison.Ordinal)),
        $"the event that {userId} missed {seq}");

    private static async Task<bool> IsOnlineAsync(ChatUser asks, ChatUser about) =>
        (await asks.GetAsync($"/v1/presence?userIds={about.Id}")).Body.GetProperty("items")[0].GetProperty("online").GetBoolean();
}
