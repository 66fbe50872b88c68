using System.Net.Http.Json;
using System.Text.Json;
using ChatPlatform.Smoke.Replay;

namespace ChatPlatform.Smoke.Checks;

/// <summary>
/// At the device of everyone who never connected: one push for every message of their rooms that another person sent, told apart by <c>data.roomId</c>
/// and <c>data.seq</c>.
/// </summary>
internal static class PushCheck
{
    public static async Task<string> RunAsync(ConversationReplay replay, TimeSpan patience, CancellationToken cancellationToken)
    {
        using var http = new HttpClient { BaseAddress = replay.System.FcmUrl, Timeout = TimeSpan.FromSeconds(10) };
        var (pushes, devices) = (0, 0);
        foreach (var user in replay.Users.Values.Where(user => user.PushToken is not null))
        {
            var missed = replay.Conversation.Rooms
                .Where(room => room.Members.Contains(user.Input.UserId) && replay.Sent.ContainsKey(room.Room))
                .SelectMany(room => replay.Sent[room.Room])
                .Where(message => message.Input.From != user.Input.UserId)
                .Select(message => (message.RoomId, message.Answer.Seq))
                .ToHashSet();
            await Waiting.UntilAsync(
                async () => Difference(user.Input.UserId, missed, Received(await http.GetFromJsonAsync<JsonElement>($"/_fcm/devices/{user.PushToken}", cancellationToken))),
                patience, cancellationToken);
            pushes += missed.Count;
            devices++;
        }

        return $"{pushes} pushes at {devices} device(s), one a message";
    }

    /// <summary>Null when exactly the missed messages were pushed, each once.</summary>
    internal static string? Difference(string userId, HashSet<(string RoomId, long Seq)> missed, IReadOnlyCollection<(string RoomId, long Seq)> received)
    {
        if (received.GroupBy(push => push).FirstOrDefault(push => push.Count() > 1) is { } twice)
            throw new CheckFailedException($"{userId}: {twice.Count()} pushes for seq {twice.Key.Seq} of room {twice.Key.RoomId}");
        if (received.Where(push => !missed.Contains(push)).ToList() is { Count: > 0 } extra)
            throw new CheckFailedException($"{userId}: a push for seq {extra[0].Seq} of room {extra[0].RoomId}, which was not missed");
        return received.Count == missed.Count ? null : $"{userId}: {received.Count} of {missed.Count} pushes have arrived";
    }

    /// <summary>
    /// The device's messages: an array, bare or as the answer's only array member; each is an FCM message or <c>{"message":{…}}</c>, with string values
    /// in <c>data</c>.
    /// </summary>
    internal static IReadOnlyList<(string RoomId, long Seq)> Received(JsonElement answer)
    {
        var list = answer.ValueKind == JsonValueKind.Array
            ? answer
            : answer.EnumerateObject().Select(member => member.Value).First(value => value.ValueKind == JsonValueKind.Array);
        return [.. list.EnumerateArray().Select(push =>
        {
            var data = (push.TryGetProperty("message", out var message) ? message : push).GetProperty("data");
            return (data.GetProperty("roomId").GetString()!, long.Parse(data.GetProperty("seq").ToString(), System.Globalization.CultureInfo.InvariantCulture));
        })];
    }
}
