using System.Net.Http.Json;
using System.Text.Json;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using ChatPlatform.Smoke.Checks;
using ChatPlatform.Smoke.Clients;

namespace ChatPlatform.SystemTests;

/// <summary>Who is pushed what, through the whole system: API, spool, forwarder, Kafka, notifier, FCM.</summary>
[Collection(nameof(RunningSystem))]
public sealed class PushTests(RunningSystem system)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly string _run = Guid.NewGuid().ToString("N")[..8];

    [Fact]
    public async Task Who_is_offline_gets_one_push_a_message_with_the_unread_count_and_who_is_connected_none_also_after_FCM_was_down()
    {
        using var http = new HttpClient { BaseAddress = system.Endpoints.GatewayUrl };
        var (mina, joon, sora) = (await SignInAsync(http, "mina"), await SignInAsync(http, "joon"), await SignInAsync(http, "sora"));
        await joon.RegisterDeviceAsync("phone", Token(joon), CancellationToken.None);
        await sora.RegisterDeviceAsync("phone", Token(sora), CancellationToken.None);
        var room = await mina.OpenRoomAsync(group: true, "동네 모임", null, [joon.UserId, sora.UserId], CancellationToken.None);
        await using var socket = new ChatSocket(system.Endpoints.GatewayUrl, sora, [room]);
        await socket.ConnectAsync(CancellationToken.None);

        for (var i = 1; i <= 3; i++)
            await mina.SendAsync(room, $"before-{i}", $"hello {i}", null, CancellationToken.None);
        await PushesAsync(joon, ["hello 1", "hello 2", "hello 3"], [1, 2, 3]);

        await CommandAsync(KnownResourceCommands.StopCommand);
        await system.App.ResourceNotifications.WaitForResourceAsync("fcm", KnownResourceStates.TerminalStates).WaitAsync(Patience);
        for (var i = 4; i <= 5; i++)
            await mina.SendAsync(room, $"during-{i}", $"hello {i}", null, CancellationToken.None);
        await CommandAsync(KnownResourceCommands.StartCommand);
        await system.App.ResourceNotifications.WaitForResourceHealthyAsync("fcm").WaitAsync(Patience);

        // The emulator holds what it received since its start.
        await PushesAsync(joon, ["hello 4", "hello 5"], [4, 5]);
        (await ReceivedAsync(sora)).ShouldBeEmpty();
        socket.Feed(room).Count(entry => entry.Type == "message.created").ShouldBe(5);
    }

    private async Task PushesAsync(ChatRest user, IReadOnlyList<string> texts, IReadOnlyList<int> badges)
    {
        await Waiting.UntilAsync(
            async () => await ReceivedAsync(user) is { } received && received.Count < texts.Count ? $"{received.Count} of {texts.Count} pushes have arrived" : null, Patience, CancellationToken.None);
        var pushes = await ReceivedAsync(user);
        pushes.Select(push => push.GetProperty("notification").GetProperty("body").GetString()).ShouldBe(texts);
        pushes.Select(push => push.GetProperty("apns").GetProperty("payload").GetProperty("aps").GetProperty("badge").GetInt32()).ShouldBe(badges);
    }

    private async Task<IReadOnlyList<JsonElement>> ReceivedAsync(ChatRest user)
    {
        using var http = new HttpClient { BaseAddress = system.Endpoints.FcmUrl };
        return [.. (await http.GetFromJsonAsync<JsonElement>($"/_fcm/devices/{Token(user)}")).GetProperty("messages").EnumerateArray().Select(push => push.GetProperty("message"))];
    }

    private async Task CommandAsync(string command)
    {
        var result = await system.App.ResourceCommands.ExecuteCommandAsync("fcm", command);
        result.Success.ShouldBeTrue(result.Message);
    }

    private async Task<ChatRest> SignInAsync(HttpClient http, string name)
    {
        var user = new ChatRest(http, $"{name}-{_run}");
        await user.SignInAsync(name, CancellationToken.None);
        return user;
    }

    private static string Token(ChatRest user) => $"token-{user.UserId}";
}
