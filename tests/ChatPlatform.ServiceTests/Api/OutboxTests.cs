using System.Net;
using Amazon.DynamoDBv2.Model;
using ChatPlatform.ServiceTests.Chat;

namespace ChatPlatform.ServiceTests.Api;

/// <summary>A server that is killed between the commit and its event owes the event no more than the next owner of the room can pay.</summary>
[Collection(ApiCollection.Name)]
public sealed class OutboxTests(ApiSystem system)
{
    [Fact]
    public async Task Events_of_commits_that_a_killed_server_did_not_spool_come_from_the_next_owner_whether_the_room_is_used_again_or_not()
    {
        var spool = Directory.CreateTempSubdirectory("chat-small-spool-").FullName;
        try
        {
            await using var server = system.Chat.StartApi(out var url, out _, ("Events__SpoolPath", spool), ("Events__SpoolLimitBytes", "65536"), ("Sequencer__EventDeadline", "00:00:30"));
            await server.WaitForHealthAsync(url + "health", TimeSpan.FromSeconds(90));
            var mina = await system.NewUserAsync("mina");
            var on = mina.At(url);
            var (used, unused, filler) = (await on.NewGroupAsync(), await on.NewGroupAsync(), await on.NewGroupAsync());

            // Up to where a commit is still taken on and the event of a large join does not fit any more.
            while (Bytes(spool) < 61_000)
                await on.SendAsync(filler, new string('x', 900));
            var rooms = new[] { used, unused };
            var joins = rooms.Select((room, i) => on.PostAsync($"/v1/rooms/{room}/members", new { userIds = Enumerable.Range(0, 50).Select(n => $"{new string('m', 110)}-{i}-{n}") })).ToList();
            foreach (var room in rooms)
                await server.WaitForAsync(async () => await LastSeqAsync(room) == 1, "the join to be committed");
            joins.ShouldAllBe(join => !join.IsCompleted);
            await server.KillAsync();
            foreach (var join in joins)
                await Should.ThrowAsync<HttpRequestException>(join);
            system.Chat.SpooledEvents.ShouldNotContain($"\"id\":\"{used}:1:chat.member.joined.v1\"");

            (await mina.TrySendAsync(used, "next")).Status.ShouldBe(HttpStatusCode.Created);
            var events = system.Chat.SpooledEvents;
            var joined = events.IndexOf($"\"id\":\"{used}:1:chat.member.joined.v1\"", StringComparison.Ordinal);
            joined.ShouldBeGreaterThan(0);
            await system.Chat.ApiProcesses[0].WaitForAsync(
                () => Task.FromResult(system.Chat.SpooledEvents.Contains($"\"id\":\"{unused}:1:chat.member.joined.v1\"", StringComparison.Ordinal)),
                "the sweep to find the room that nobody used",
                TimeSpan.FromSeconds(60));
        }
        finally
        {
            Directory.Delete(spool, recursive: true);
        }
    }

    private async Task<long> LastSeqAsync(string room)
    {
        var answer = await system.Chat.Dynamo.GetItemAsync(new GetItemRequest
        {
            TableName = "chat-rooms",
            Key = new() { ["roomId"] = new AttributeValue(room) },
            ConsistentRead = true,
        });
        return long.Parse(answer.Item["lastSeq"].N, System.Globalization.CultureInfo.InvariantCulture);
    }

    private static long Bytes(string folder)
    {
        long bytes = 0;
        foreach (var file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Where(file => Path.GetFileName(file) != "lock"))
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            bytes += stream.Length;
        }

        return bytes;
    }
}
