using System.Net;
using System.Text.Json;
using ChatPlatform.Contracts.Protos.Chat.V1;
using ChatPlatform.ServiceTests.Events;
using Grpc.Core;
using Grpc.Net.Client;

namespace ChatPlatform.ServiceTests.Chat;

/// <summary>Two API servers that tests may kill; whoever does starts the server again.</summary>
public sealed class OwnedRooms : IAsyncLifetime
{
    public ChatSystem Chat { get; private set; } = null!;

    /// <summary>Where the servers' events go once it runs.</summary>
    internal EventServices Events { get; } = new();

    public async Task InitializeAsync()
    {
        Chat = new ChatSystem { RelayCount = 0, EventsPort = Events.ForwardPort };
        await Chat.InitializeAsync();
        await Chat.WaitForApiNodesAsync();
    }

    public async Task DisposeAsync()
    {
        await Chat.DisposeAsync();
        await Events.DisposeAsync();
    }
}

/// <summary>One server commits a room's changes, wherever they arrive: events keep their order, and its end costs nothing but the order at that moment.</summary>
public sealed class RoomOwnerTests(OwnedRooms owned) : IClassFixture<OwnedRooms>
{
    private readonly ChatSystem _system = owned.Chat;

    [Fact]
    public async Task Events_of_a_room_reach_the_topic_in_seq_order_though_both_servers_take_its_sends()
    {
        await owned.Events.StartKafkaAsync();
        await owned.Events.StartForwarderAsync();
        var (mina, joon) = (await _system.NewUserAsync("mina"), await _system.NewUserAsync("joon"));
        using var one = GrpcChannel.ForAddress(_system.ApiGrpc[0]);
        using var two = GrpcChannel.ForAddress(_system.ApiGrpc[1]);
        var grpc = new[] { new ChatService.ChatServiceClient(one), new ChatService.ChatServiceClient(two) };
        var rooms = new List<string>();
        for (var i = 0; i < 4; i++)
            rooms.Add(await mina.NewGroupAsync(joon));
        const int Sends = 40;

        await Task.WhenAll(rooms.Select(async room =>
        {
            for (var i = 0; i < Sends; i += 4)
            {
                // Each pair one after the other over the two servers, REST and gRPC.
                await mina.SendAsync(room, "rest", api: 0);
                await joon.SendAsync(room, "rest", api: 1);
                for (var api = 0; api < 2; api++)
                {
                    await grpc[api].SendMessageAsync(
                        new SendMessageRequest { RoomId = room, ClientMessageId = Guid.NewGuid().ToString(), Kind = "text", Text = "grpc" },
                        new Metadata { { "authorization", "Bearer " + mina.Token } });
                }
            }
        }));

        var read = owned.Events.Read(all => all.Count(message => IsCreated(message) && rooms.Contains(message.Key)) >= rooms.Count * Sends);
        foreach (var room in rooms)
        {
            read.First(message => message.Key == room).Value.ShouldContain("chat.room.created.v1");
            read.Where(message => message.Key == room && IsCreated(message))
                .Select(message => JsonElement.Parse(message.Value).GetProperty("data").GetProperty("seq").GetInt64())
                .ShouldBe(Enumerable.Range(1, Sends).Select(seq => (long)seq));
        }

        // Another test looks into the spools.
        await owned.Events.Forwarder!.KillAsync();

        static bool IsCreated((string Key, string Value) message) => message.Value.Contains("\"type\":\"chat.message.created.v1\"", StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answered_sends_event_survives_kill_9_and_the_rooms_of_a_killed_server_go_on_at_once()
    {
        var (mina, joon) = (await _system.NewUserAsync("mina"), await _system.NewUserAsync("joon"));
        // A new room belongs to the server that made it: the first one, where groups are made.
        var room = await mina.NewGroupAsync(joon);

        var sent = await mina.SendAsync(room, "answered", "first", api: 1);
        await _system.ApiProcesses[0].KillAsync();
        try
        {
            _system.SpooledEvents.ShouldContain($"\"id\":\"{room}:{sent.GetProperty("seq").GetInt64()}:chat.message.created.v1\"");
            (await mina.PatchAsync($"/v1/rooms/{room}", new { title = "새 이름" }, api: 1)).Status.ShouldBeOneOf(HttpStatusCode.OK, HttpStatusCode.ServiceUnavailable);
            (await mina.TrySendAsync(room, "after", "second", api: 1)).Status.ShouldBe(HttpStatusCode.Created);
            (await mina.TrySendAsync(room, "after", "second", api: 1)).Status.ShouldBe(HttpStatusCode.OK);
            (await mina.TrySendAsync(room, "answered", "first", api: 1)).Status.ShouldBe(HttpStatusCode.OK);
        }
        finally
        {
            await RestartAsync();
        }
    }

    [Fact]
    public async Task A_send_passed_on_to_a_server_that_is_killed_meanwhile_is_stored_once()
    {
        var (mina, joon) = (await _system.NewUserAsync("mina"), await _system.NewUserAsync("joon"));
        var room = await mina.NewGroupAsync(joon);
        await mina.SendAsync(room, "opens the connection", api: 1);
        // Stopped first, so that the owner has the send and gives no answer.
        _system.ApiProcesses[0].Signal(19);
        try
        {
            var send = mina.TrySendAsync(room, "owner dies", "once", api: 1);
            await _system.ApiProcesses[1].WaitForAsync(
                () => Task.FromResult(send.IsCompleted || HoldsUnread(_system.Apis[0].Port)), "the stopped server to have the send, or not to own the room");
            await _system.ApiProcesses[0].KillAsync();

            (await send).Status.ShouldBeOneOf(HttpStatusCode.Created, HttpStatusCode.OK);
            var log = await mina.GetAsync($"/v1/rooms/{room}/log", api: 1);
            log.Body.GetProperty("items").GetArrayLength().ShouldBe(2);
        }
        finally
        {
            await RestartAsync();
        }
    }

    private async Task RestartAsync()
    {
        await _system.ApiProcesses[0].KillAsync();
        await _system.StartApiAsync(0);
        await _system.WaitForApiNodesAsync();
    }

    /// <summary>Whether a connection to <paramref name="port"/> holds bytes that its process has not read (https://docs.kernel.org/networking/proc_net_tcp.html).</summary>
    private static bool HoldsUnread(int port) => File.ReadLines("/proc/net/tcp").Skip(1)
        .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        .Any(fields => fields[1].EndsWith($":{port:X4}", StringComparison.Ordinal) && !fields[4].EndsWith(":00000000", StringComparison.Ordinal));
}
