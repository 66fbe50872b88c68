using System.Globalization;
using System.Net.Http.Json;
using Amazon.DynamoDBv2.Model;
using Xunit.Abstractions;

namespace ChatPlatform.ServiceTests.Chat.UnderFire;

/// <summary>
/// The first promise under fire: 50 clients on two relays and two API servers in 20 rooms do random things while processes are killed, a Redis node goes and comes back and the table throttles
/// or loses answers. At the end everybody holds exactly the store's log, and what was acknowledged is there once.
/// <c>CHAT_FIRE_OPERATIONS</c> sets how many operations (60,000 is the full run), <c>CHAT_FIRE_SEED</c> repeats a run's choices.
/// </summary>
public sealed class ChatUnderFireTests(ITestOutputHelper output)
{
    private const int Clients = 50;
    private const int Rooms = 20;
    private const int MembersPerRoom = 15;
    private static readonly int Operations = Setting("CHAT_FIRE_OPERATIONS", 4_000);
    private static readonly int Seed = Setting("CHAT_FIRE_SEED", Random.Shared.Next());

    [Fact]
    public async Task Whatever_fails_meanwhile_every_client_ends_with_the_stores_log_and_every_acknowledged_change_is_in_it_once()
    {
        output.WriteLine($"{Operations} operations, seed {Seed}");
        var system = new ChatSystem();
        try
        {
            await system.InitializeAsync();
            await system.WaitForApiNodesAsync();
            var clients = await ClientsAsync(system);
            await RunAsync(system, clients);
            foreach (var client in clients)
                await client.CatchUpAsync();
            output.WriteLine($"sockets lost {clients.Sum(c => c.Reconnects)}, holes filled from the log {clients.Sum(c => c.Holes)}, entries got twice {clients.Sum(c => c.Doubles)}");

            clients.SelectMany(client => client.OutOfOrder).ShouldBeEmpty();
            foreach (var room in clients.SelectMany(client => client.Rooms.Keys).Distinct())
                Compare(room, await ItemsAsync(system, room), clients);
        }
        finally
        {
            await system.DisposeAsync();
        }
    }

    private static async Task<List<FireClient>> ClientsAsync(ChatSystem system)
    {
        var random = new Random(Seed);
        var users = new List<ChatUser>();
        for (var i = 0; i < Clients; i++)
            users.Add(await system.NewUserAsync("fire"));
        var host = users[0];
        var rooms = users.ToDictionary(user => user, _ => new List<string>());
        for (var i = 0; i < Rooms; i++)
        {
            // Everybody is in two rooms at least; the host, who lets people in again, is in all.
            var members = users.Skip(1).Where((_, index) => index % (Rooms / 2) == i % (Rooms / 2)).ToHashSet();
            while (members.Count < MembersPerRoom - 1)
                members.Add(users[random.Next(1, Clients)]);
            var room = await host.NewGroupAsync([.. members]);
            foreach (var member in members.Append(host))
                rooms[member].Add(room);
        }

        return [.. users.Select((user, index) => new FireClient(system, user, host, rooms[user], Seed + index))];
    }

    private async Task RunAsync(ChatSystem system, List<FireClient> clients)
    {
        using var listening = new CancellationTokenSource();
        var listeners = clients.Select(client => client.ListenAsync(listening.Token)).ToList();
        var begun = 0;
        var acting = clients.Select(client => client.ActAsync(() => Interlocked.Increment(ref begun) <= Operations)).ToList();
        var all = Task.WhenAll(acting);

        // A fault every so many operations, so that a run of any length has each kind.
        var every = Math.Clamp(Operations / 16, 250, 3_000);
        for (var fault = 0; !all.IsCompleted; fault++)
        {
            await UntilAsync(all, listeners, () => Volatile.Read(ref begun) >= Math.Min(Operations, (fault + 1) * every));
            if (Volatile.Read(ref begun) < Operations)
                await StrikeAsync(system, fault, () => UntilAsync(all, listeners, AfterSome(() => Volatile.Read(ref begun), every / 4)));
        }

        await all;
        output.WriteLine($"{clients.Sum(client => client.Operations)} operations done, {clients.Sum(client => client.Sends.Count)} sends acknowledged");
        await listening.CancelAsync();
        await Task.WhenAll(listeners);
    }

    /// <summary>One fault, held while the clients do something more, and its end.</summary>
    private async Task StrikeAsync(ChatSystem system, int fault, Func<Task> hold)
    {
        var (kind, victim) = (fault % 4, fault / 4 % 2);
        switch (kind)
        {
            case 0:
                output.WriteLine($"kill API server {victim}");
                await system.ApiProcesses[victim].KillAsync();
                await hold();
                await system.StartApiAsync(victim);
                break;
            case 1:
                output.WriteLine($"kill relay {victim}");
                await system.RelayProcesses[victim].KillAsync();
                await hold();
                await system.StartRelayAsync(victim);
                break;
            case 2:
                output.WriteLine("tables throttle, transactions lose their answers");
                await FaultAsync(system, new { service = "dynamodb", kind = "throttling", probability = 0.2 });
                await FaultAsync(system, new { service = "dynamodb", operation = "TransactWriteItems", kind = "internalError", when = "after", probability = 0.1 });
                await hold();
                using (var http = new HttpClient())
                    (await http.DeleteAsync(new Uri(system.Aws, "_localaws/faults"))).EnsureSuccessStatusCode();
                break;
            default:
                var node = fault / 4 % 3;
                output.WriteLine($"Redis node {node} goes");
                await system.Redis.KillNodeAsync(node);
                await hold();
                system.Redis.StartNode(node);
                break;
        }
    }

    private static async Task FaultAsync(ChatSystem system, object rule)
    {
        using var http = new HttpClient();
        using var answer = await http.PostAsJsonAsync(new Uri(system.Aws, "_localaws/faults"), rule);
        answer.IsSuccessStatusCode.ShouldBeTrue(await answer.Content.ReadAsStringAsync());
    }

    /// <summary>Waits for a condition, for the clients' end, or for the failure of one.</summary>
    private static async Task UntilAsync(Task all, List<Task> listeners, Func<bool> condition)
    {
        while (!condition() && !all.IsCompleted)
        {
            await Task.WhenAny(all, Task.Delay(20));
            if (listeners.FirstOrDefault(listener => listener.IsFaulted) is { } failed)
                await failed;
        }
    }

    private static Func<bool> AfterSome(Func<int> counter, int some)
    {
        var start = counter();
        return () => counter() >= start + some;
    }

    private static async Task<List<Dictionary<string, AttributeValue>>> ItemsAsync(ChatSystem system, string room)
    {
        List<Dictionary<string, AttributeValue>> items = [];
        var request = new QueryRequest("chat-log")
        {
            KeyConditionExpression = "roomId = :room",
            ExpressionAttributeValues = new() { [":room"] = new AttributeValue(room) },
            ConsistentRead = true,
        };
        do
        {
            var page = await system.Dynamo.QueryAsync(request);
            items.AddRange(page.Items);
            request.ExclusiveStartKey = page.LastEvaluatedKey;
        }
        while (request.ExclusiveStartKey is { Count: > 0 });
        return items;
    }

    private static void Compare(string room, List<Dictionary<string, AttributeValue>> items, List<FireClient> clients)
    {
        var log = items.ConvertAll(EntryFacts.Of);
        log.Select(entry => entry.Seq).ShouldBe(Enumerable.Range(1, log.Count).Select(seq => (long)seq), $"{room} has a hole");
        foreach (var client in clients.Where(client => client.Rooms.ContainsKey(room)))
            client.Rooms[room].Entries().ShouldBe(log, $"{client.Id} in {room}");

        var sent = log.Where(entry => entry.Type == "message.created").ToList();
        sent.GroupBy(entry => (entry.SenderId, entry.ClientMessageId)).Where(group => group.Count() > 1).ShouldBeEmpty("a send is there twice");
        var bySeq = sent.ToDictionary(entry => entry.Seq);
        foreach (var client in clients)
        {
            var acknowledged = client.Sends.Where(send => send.RoomId == room).ToList();
            foreach (var send in acknowledged)
                bySeq[send.Seq].ShouldSatisfyAllConditions(entry => entry.SenderId.ShouldBe(client.Id), entry => entry.ClientMessageId.ShouldBe(send.ClientMessageId));
            acknowledged.Select(send => send.Seq).ShouldBeInOrder(SortDirection.Ascending, $"{client.Id} sent them one after another");
            foreach (var (_, target, text) in client.Edits.Where(edit => edit.RoomId == room))
                log.ShouldContain(entry => entry.Type == "message.edited" && entry.Target == target && entry.Text == text && entry.ActorId == client.Id);
            foreach (var (_, target) in client.Deletes.Where(delete => delete.RoomId == room))
                log.Count(entry => entry.Type == "message.deleted" && entry.Target == target).ShouldBe(1);
        }

        // What the log says of a message is what its item holds.
        foreach (var item in items.Where(item => item["type"].S == "message.created"))
        {
            var changes = log.Where(entry => entry.Target == long.Parse(item["seq"].N, CultureInfo.InvariantCulture)).ToList();
            var deleted = changes.Any(entry => entry.Type == "message.deleted");
            var message = item["message"].M;
            message.ContainsKey("deletedAt").ShouldBe(deleted);
            var text = changes.LastOrDefault(entry => entry.Type == "message.edited")?.Text ?? message["clientMessageId"].S;
            (message.TryGetValue("text", out var held) ? held.S : null).ShouldBe(deleted ? null : text);
            var reactions = new HashSet<string>();
            foreach (var change in changes)
            {
                if (change.Type == "reaction.added")
                    reactions.Add($"{change.Emoji} {change.ActorId}").ShouldBeTrue("a reaction was added that was there");
                else if (change.Type == "reaction.removed")
                    reactions.Remove($"{change.Emoji} {change.ActorId}").ShouldBeTrue("a reaction was removed that was not there");
            }

            (item.TryGetValue("reactions", out var set) ? set.SS : []).Order().ShouldBe(deleted ? [] : reactions.Order());
        }
    }

    private static int Setting(string name, int otherwise) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } set ? int.Parse(set, CultureInfo.InvariantCulture) : otherwise;
}
