using ChatPlatform.Smoke;
using ChatPlatform.Smoke.Checks;
using ChatPlatform.Smoke.Conversations;
using ChatPlatform.Smoke.Replay;

namespace ChatPlatform.UnitTests.Smoke;

/// <summary>The replay and its checks against a chat in memory: the right one passes, each wrong one is caught with the first difference.</summary>
public sealed class ReplayTests
{
    private static readonly Conversation Whole = ConversationLoader.Load(Path.Combine(AppContext.BaseDirectory, "data", "conversation.jsonl"));

    [Fact]
    public async Task Every_byte_of_the_conversation_survives_a_chat_that_is_right()
    {
        await using var chat = await FakeChat.StartAsync();
        await using var replay = Replay(chat, Whole);
        (await FrontDoorCheck.RunAsync(replay, default)).ShouldContain("401");
        (await SendCheck.PrepareAsync(replay, default)).ShouldBe("29 people, 17 rooms, 26 sockets on 1 relay(s)");
        await SendCheck.SendAsync(replay, default);
        (await RetryCheck.RunAsync(replay, default)).ShouldBe("17 retries, no log grew");
        (await SocketCheck.RunAsync(replay, default)).ShouldContain("0 came twice, 0 asked from the log, 0 reconnects");
        (await LogCheck.RunAsync(replay, default)).ShouldContain("of 17 rooms");
    }

    [Fact]
    public async Task A_socket_that_is_cut_resumes_and_misses_nothing()
    {
        await using var chat = await FakeChat.StartAsync(app => FakeChat.With(app, cutEvery: 15));
        await using var replay = Replay(chat, Only("bike"), socketEvery: 0);
        await replay.PrepareAsync(default);
        await replay.SendAllAsync(default);
        var detail = await SocketCheck.RunAsync(replay, default);
        detail.ShouldNotContain(" 0 reconnects");
    }

    [Fact]
    public async Task A_changed_byte_is_named_with_its_place()
    {
        await using var chat = await FakeChat.StartAsync(app => FakeChat.With(app, entry =>
        {
            if (entry["message"] is { } message && message["clientMessageId"]!.GetValue<string>() == Only("bike").Messages[4].ClientMessageId)
                message["text"] = message["text"]!.GetValue<string>() + "\r";
            return entry;
        }));
        (await FailureAsync(chat, SocketCheck.RunAsync)).ShouldContain("message 5");
    }

    [Fact]
    public async Task A_swallowed_tail_is_noticed_although_the_log_has_it()
    {
        var last = Only("bike").Messages[^1].ClientMessageId;
        await using var chat = await FakeChat.StartAsync(app => FakeChat.With(app, entry =>
            entry["message"]?["clientMessageId"]?.GetValue<string>() == last ? null : entry));
        (await FailureAsync(chat, (replay, token) => SocketCheck.RunAsync(replay, TimeSpan.FromSeconds(1), token))).ShouldContain("has arrived");
    }

    [Fact]
    public async Task A_retry_that_stores_a_second_message_is_noticed()
    {
        await using var chat = await FakeChat.StartAsync(app => FakeChat.With(app, dedupes: false));
        (await FailureAsync(chat, RetryCheck.RunAsync)).ShouldContain("answered 201, not 200");
    }

    [Fact]
    public async Task A_system_that_is_not_there_fails_the_first_check_and_stops()
    {
        await using var replay = new ConversationReplay(
            new SystemEndpoints(new Uri("http://127.0.0.1:9"), new Uri("http://127.0.0.1:9"), "127.0.0.1:9", new Uri("http://127.0.0.1:9")), Whole);
        var results = await SmokeChecks.RunAllAsync(replay, TimeSpan.FromSeconds(1), default);
        results.ShouldHaveSingleItem().Ok.ShouldBeFalse();
    }

    private static async Task<string> FailureAsync(FakeChat chat, Func<ConversationReplay, CancellationToken, Task<string>> check)
    {
        await using var replay = Replay(chat, Only("bike"));
        await replay.PrepareAsync(default);
        await replay.SendAllAsync(default);
        return (await Should.ThrowAsync<CheckFailedException>(() => check(replay, default))).Message;
    }

    private static ConversationReplay Replay(FakeChat chat, Conversation conversation, int socketEvery = 4) =>
        new(new SystemEndpoints(chat.Url, chat.Url, "127.0.0.1:9", chat.Url), conversation, new ReplayOptions { SocketEvery = socketEvery });

    private static Conversation Only(string name)
    {
        var room = Whole.Rooms.Single(room => room.Room == name);
        return new Conversation(
            [.. Whole.Users.Where(user => room.Members.Contains(user.UserId))], [room], [.. Whole.Messages.Where(message => message.Room == name)]);
    }
}
