using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Amazon.DynamoDBv2.Model;
using ChatPlatform.ServiceTests.Chat;
using ChatPlatform.ServiceTests.Processes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ChatPlatform.ServiceTests.Api;

/// <summary>The room list by latest activity, for somebody in many rooms and in large ones; and what reaches DynamoDB for all of it.</summary>
[Collection(ApiCollection.Name)]
public sealed class RoomListTests(ApiSystem system)
{
    [Fact]
    public async Task A_large_room_moves_up_for_all_without_a_write_per_member()
    {
        var (mina, joon) = (await system.NewUserAsync(), await system.NewUserAsync());
        var large = await mina.NewGroupAsync(joon);
        await mina.PostAsync($"/v1/rooms/{large}/members", new { userIds = Enumerable.Range(0, 60).Select(i => $"{mina.Id}-{i}") });
        // Growing past the limit marks the rows of those who were there.
        await system.Chat.ApiProcesses[0].WaitForAsync(async () => (await MemberAsync(joon.Id, large))["activeAt"].S == "~", "the row to be marked");
        List<string> small = [];
        for (var i = 0; i < 3; i++)
            small.Add(await mina.NewDirectAsync(joon, $"a{i}"));
        foreach (var room in small)
            await mina.SendAsync(room, "x");
        var before = await MemberAsync($"{mina.Id}-5", large);

        await mina.SendAsync(large, "to all");
        (await ListAsync(joon, 10)).ShouldBe([large, small[2], small[1], small[0]]);
        await mina.SendAsync(small[0], "up again");
        await system.Chat.ApiProcesses[0].WaitForAsync(
            async () => (await ListAsync(joon, 1)).SequenceEqual([small[0], large, small[2], small[1]]), "pages of one to be in order");

        var item = (await joon.GetAsync("/v1/rooms")).Body.GetProperty("items").EnumerateArray().Single(room => room.GetProperty("roomId").GetString() == large);
        item.GetProperty("unreadCount").GetInt64().ShouldBe(1);
        item.GetProperty("lastMessage").GetProperty("text").GetString().ShouldBe("to all");
        (await MemberAsync($"{mina.Id}-5", large)).Select(pair => $"{pair.Key}={pair.Value.S}{pair.Value.N}").Order()
            .ShouldBe(before.Select(pair => $"{pair.Key}={pair.Value.S}{pair.Value.N}").Order());
    }

    [Fact]
    public async Task With_5000_rooms_each_is_on_one_page_and_pages_come_quickly_in_order()
    {
        var mina = await system.NewUserAsync("popular");
        const int Rooms = 5_000, Large = 100;
        var start = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        // Every time is that of three rooms, so that pages break within an instant.
        var rooms = Enumerable.Range(0, Rooms).Select(i => (Id: $"{mina.Id}-r{i:00000}", At: start.AddSeconds(i / 3), IsLarge: i % (Rooms / Large) == 0, Messages: i % 7)).ToList();
        await Parallel.ForEachAsync(rooms.Chunk(12), new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (chunk, cancellationToken) =>
        {
            await system.Chat.Dynamo.BatchWriteItemAsync(new Dictionary<string, List<WriteRequest>>
            {
                ["chat-rooms"] = [.. chunk.Select(room => Put(RoomItem(room.Id, room.At, room.IsLarge, room.Messages)))],
                ["chat-members"] = [.. chunk.Select(room => Put(MemberItem(mina.Id, room.Id, room.At, room.IsLarge)))],
            }, cancellationToken);
        });

        List<(string Id, string At, long Unread)> listed = [];
        List<double> times = [];
        string? cursor = null;
        do
        {
            var watch = Stopwatch.StartNew();
            var page = await mina.GetAsync("/v1/rooms?limit=100" + (cursor is null ? "" : $"&cursor={cursor}"), api: listed.Count / 100 % 2);
            page.Status.ShouldBe(HttpStatusCode.OK);
            times.Add(watch.Elapsed.TotalMilliseconds);
            listed.AddRange(page.Body.GetProperty("items").EnumerateArray().Select(item =>
                (item.GetProperty("roomId").GetString()!, item.GetProperty("activeAt").GetString()!, item.GetProperty("unreadCount").GetInt64())));
            cursor = page.Body.GetProperty("nextCursor").GetString();
        }
        while (cursor is not null);

        listed.Select(room => room.Id).ShouldBe(rooms.OrderByDescending(room => room.At).ThenBy(room => room.Id, StringComparer.Ordinal).Select(room => room.Id));
        listed.ShouldAllBe(room => room.Unread == rooms[int.Parse(room.Id.Substring(room.Id.Length - 5), System.Globalization.CultureInfo.InvariantCulture)].Messages);
        // A bound that only a read of all 5,000 would break, on a busy machine too.
        times.Order().ElementAt(times.Count / 2).ShouldBeLessThan(2_000);
    }

    [Fact]
    public async Task No_call_makes_DynamoDB_scan()
    {
        await using var recorder = await DynamoRecorder.StartAsync(system.Chat.Dynamo.Config.ServiceURL);
        await using var server = system.Chat.StartApi(out var url, out _, ("AWS_ENDPOINT_URL", recorder.Url), ("AWS_ENDPOINT_URL_S3", system.Chat.Dynamo.Config.ServiceURL));
        await server.WaitForHealthAsync(url + "health", TimeSpan.FromSeconds(90));
        var (mina, joon) = ((await system.NewUserAsync()).At(url), await system.NewUserAsync());
        var room = await mina.NewGroupAsync(joon);
        var direct = await mina.NewDirectAsync(joon);
        var message = $"/v1/rooms/{room}/messages/1";
        foreach (var call in new Func<Task<Answer>>[]
        {
            () => mina.TrySendAsync(room, "x", "c"), () => mina.TrySendAsync(room, "x", "c"), () => mina.TrySendAsync(direct, "x"),
            () => mina.PatchAsync(message, new { text = "y" }), () => mina.PutAsync($"{message}/reactions/👍"), () => mina.DeleteAsync($"{message}/reactions/👍"),
            () => mina.GetAsync($"/v1/rooms/{room}/messages"), () => mina.GetAsync($"/v1/rooms/{room}/log"), () => mina.GetAsync("/v1/rooms"), () => mina.GetAsync($"/v1/rooms/{room}"),
            () => mina.PatchAsync($"/v1/rooms/{room}", new { title = "t" }), () => mina.PostAsync($"/v1/rooms/{room}/members", new { userIds = new[] { "late" } }),
            () => mina.PutAsync($"/v1/rooms/{room}/settings", new { muted = true }), () => mina.PutAsync($"/v1/rooms/{room}/read", new { seq = 2 }),
            () => mina.PutAsync("/v1/devices/d", new { platform = "fcm", token = "t" }), () => mina.DeleteAsync("/v1/devices/d"),
            () => mina.PutAsync("/v1/blocks/somebody"), () => mina.GetAsync("/v1/blocks"), () => mina.DeleteAsync("/v1/blocks/somebody"),
            () => mina.GetAsync("/v1/presence?userIds=a,b"), () => mina.PostAsync("/v1/attachments", new { contentType = "image/png", size = 1, fileName = "a" }),
            () => mina.DeleteAsync(message), () => mina.DeleteAsync($"/v1/rooms/{room}/members/me"),
        })
        {
            ((int)(await call()).Status).ShouldBeInRange(200, 204);
        }

        recorder.Operations.Keys.ShouldContain("Query");
        recorder.Operations.Keys.ShouldContain("TransactWriteItems");
        recorder.Operations.Keys.ShouldBeSubsetOf(["GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "DescribeTable"]);
    }

    private async Task<Dictionary<string, AttributeValue>> MemberAsync(string user, string room) =>
        (await system.Chat.Dynamo.GetItemAsync("chat-members", new() { ["userId"] = new AttributeValue(user), ["roomId"] = new AttributeValue(room) })).Item;

    private static async Task<List<string>> ListAsync(ChatUser user, int limit)
    {
        List<string> rooms = [];
        var query = $"?limit={limit}";
        while (true)
        {
            var page = (await user.GetAsync("/v1/rooms" + query)).Body;
            rooms.AddRange(page.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("roomId").GetString()!));
            if (page.GetProperty("nextCursor").ValueKind == JsonValueKind.Null)
                return rooms;
            query = $"?limit={limit}&cursor={page.GetProperty("nextCursor").GetString()}";
        }
    }

    private static WriteRequest Put(Dictionary<string, AttributeValue> item) => new(new PutRequest(item));

    private static Dictionary<string, AttributeValue> RoomItem(string id, DateTimeOffset at, bool isLarge, int messages) => new()
    {
        ["roomId"] = new(id), ["kind"] = new("group"), ["createdBy"] = new("somebody"), ["createdAt"] = Time(at), ["activeAt"] = Time(at),
        ["lastSeq"] = Number(messages), ["messageCount"] = Number(messages), ["lastMessageSeq"] = Number(0), ["memberCount"] = Number(isLarge ? 60 : 2),
        ["memberVersion"] = Number(1), ["spooledSeq"] = Number(messages), ["isLarge"] = new() { BOOL = isLarge },
    };

    private static Dictionary<string, AttributeValue> MemberItem(string user, string room, DateTimeOffset at, bool isLarge) => new()
    {
        ["userId"] = new(user), ["roomId"] = new(room), ["kind"] = new("group"), ["joinedAt"] = Time(at), ["activeAt"] = isLarge ? new("~") : Time(at),
        ["muted"] = new() { BOOL = false }, ["lastReadSeq"] = Number(0), ["lastReadOrdinal"] = Number(0),
    };

    private static AttributeValue Time(DateTimeOffset at) => new(at.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", System.Globalization.CultureInfo.InvariantCulture));

    private static AttributeValue Number(long value) => new() { N = value.ToString(System.Globalization.CultureInfo.InvariantCulture) };

    /// <summary>Passes DynamoDB calls on and keeps their names.</summary>
    private sealed class DynamoRecorder(WebApplication app, HttpClient http) : IAsyncDisposable
    {
        public string Url { get; private set; } = "";

        public ConcurrentDictionary<string, bool> Operations { get; } = new();

        public static async Task<DynamoRecorder> StartAsync(string target)
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            var url = $"http://127.0.0.1:{ServiceProcess.FreePort()}";
            builder.WebHost.UseUrls(url);
            var recorder = new DynamoRecorder(builder.Build(), new HttpClient { BaseAddress = new Uri(target) }) { Url = url };
            recorder.Run();
            await recorder.StartAsync();
            return recorder;
        }

        public async ValueTask DisposeAsync()
        {
            await app.DisposeAsync();
            http.Dispose();
        }

        private Task StartAsync() => app.StartAsync();

        private void Run() => app.Run(async context =>
        {
            var operation = context.Request.Headers["X-Amz-Target"].ToString();
            Operations[operation[(operation.IndexOf('.', StringComparison.Ordinal) + 1)..]] = true;
            using var request = new HttpRequestMessage(HttpMethod.Post, "/") { Content = new StreamContent(context.Request.Body) };
            foreach (var (name, value) in context.Request.Headers.Where(header => header.Key is not ("Host" or "Transfer-Encoding")))
            {
                if (!request.Headers.TryAddWithoutValidation(name, value.AsEnumerable()))
                    request.Content.Headers.TryAddWithoutValidation(name, value.AsEnumerable());
            }

            using var answer = await http.SendAsync(request, context.RequestAborted);
            context.Response.StatusCode = (int)answer.StatusCode;
            foreach (var (name, value) in answer.Headers.Concat(answer.Content.Headers).Where(header => header.Key is not "Transfer-Encoding"))
                context.Response.Headers[name] = value.ToArray();
            await answer.Content.CopyToAsync(context.Response.Body, context.RequestAborted);
        });
    }
}
