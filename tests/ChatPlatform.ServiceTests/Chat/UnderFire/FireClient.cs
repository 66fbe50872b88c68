using System.Collections.Concurrent;
using System.Net;
using System.Net.WebSockets;
using System.Text.Json;

namespace ChatPlatform.ServiceTests.Chat.UnderFire;

/// <summary>What a client was told is done; the store must agree.</summary>
internal sealed record Acknowledged(string RoomId, string ClientMessageId, long Seq);

/// <summary>
/// A user with one socket that comes back whenever it is lost, a copy of each of its rooms, and random operations, one after another. It behaves as contracts §2 and §4 ask of a client:
/// resumes by seq, asks the log when it sees a hole, retries a send under the same id until it is answered.
/// </summary>
internal sealed class FireClient(ChatSystem system, ChatUser user, ChatUser host, IReadOnlyList<string> rooms, int seed)
{
    private static readonly string[] Emoji = ["👍", "❤", "😂"];
    // Of the operations; the socket's task has no part in it.
    private readonly Random _random = new(seed);
    private readonly Dictionary<string, RoomCopy> _rooms = rooms.ToDictionary(room => room, _ => new RoomCopy());
    private readonly ConcurrentDictionary<string, TaskCompletionSource<JsonElement?>> _awaited = new();
    private readonly HashSet<(string Room, long Seq)> _deleted = [];
    private volatile ChatConnection? _socket;
    private int _operations;
    private int _sent;

    public string Id => user.Id;

    public IReadOnlyDictionary<string, RoomCopy> Rooms => _rooms;

    /// <summary>Sends that were answered. Read it when the client has ended.</summary>
    public List<Acknowledged> Sends { get; } = [];

    /// <summary>Edits that were answered.</summary>
    public List<(string RoomId, long Target, string Text)> Edits { get; } = [];

    /// <summary>Deletes that were answered.</summary>
    public List<(string RoomId, long Target)> Deletes { get; } = [];

    /// <summary>Entries that came on one connection after a later one of their room.</summary>
    public ConcurrentQueue<string> OutOfOrder { get; } = [];

    public int Operations => _operations;

    public int Reconnects { get; private set; }

    public int Holes { get; private set; }

    public int Doubles { get; private set; }

    /// <summary>Keeps a socket until <paramref name="stop"/>.</summary>
    public async Task ListenAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await using var socket = await ConnectAsync();
                var last = new Dictionary<string, long>();
                while (!stop.IsCancellationRequested && await socket.NextAsync() is { } frame)
                    await TakeAsync(frame, last);
            }
            catch (Exception error) when (IsLoss(error))
            {
                // The relay is gone, silent or not up yet: another try, by chance at the other one.
            }

            _socket = null;
            Reconnects++;
            foreach (var reference in _awaited.Keys)
            {
                if (_awaited.TryRemove(reference, out var waiting))
                    waiting.TrySetResult(null);
            }

            await Task.Delay(Random.Shared.Next(20, 200), CancellationToken.None);
        }
    }

    /// <summary>Does random things as long as <paramref name="next"/> says so.</summary>
    public async Task ActAsync(Func<bool> next)
    {
        while (next())
        {
            var room = rooms[_random.Next(rooms.Count)];
            var copy = _rooms[room];
            var dice = _random.Next(1_000);
            if (dice < 5 && user.Id != host.Id)
                await LeaveAndReturnAsync(room);
            else if (dice < 10 && _socket is { } socket)
                await socket.DisposeAsync();
            else if (dice < 700 || Sends.Count == 0)
                await SendAsync(room);
            else if (dice < 780)
                await EditAsync();
            else if (dice < 820)
                await DeleteAsync();
            else if (dice < 920 && copy.AnyMessage(_random) is { } target)
                await CallAsync(_random.Next(3) == 0 ? HttpMethod.Delete : HttpMethod.Put, $"/v1/rooms/{room}/messages/{target}/reactions/{Uri.EscapeDataString(Emoji[_random.Next(3)])}");
            else if (copy.AnyMessage(_random) is { } read)
                await CallAsync(HttpMethod.Put, $"/v1/rooms/{room}/read", new { seq = read });
            _operations++;
        }
    }

    /// <summary>Resumes once more, as a client that comes back after everything has calmed down, and waits until every room is whole.</summary>
    public async Task CatchUpAsync()
    {
        var missing = rooms.ToHashSet();
        await using var socket = await ConnectAsync();
        var last = new Dictionary<string, long>();
        while (missing.Count > 0)
        {
            var frame = await socket.NextAsync() ?? throw new InvalidOperationException($"{user.Id} was closed while it resumed");
            await TakeAsync(frame, last);
            switch (frame.GetProperty("type").GetString())
            {
                case "resumed" when _rooms[frame.GetProperty("roomId").GetString()!].LastSeq >= frame.GetProperty("seq").GetInt64():
                case "reset":
                    missing.Remove(frame.GetProperty("roomId").GetString()!);
                    break;
            }
        }
    }

    private async Task<ChatConnection> ConnectAsync()
    {
        var connection = await user.OpenAsync(system.Relays[Random.Shared.Next(system.Relays.Length)]);
        try
        {
            await connection.SendAsync(new { type = "hello", resume = _rooms.ToDictionary(room => room.Key, room => room.Value.LastSeq) });
            await connection.NextAsync("welcome");
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }

        _socket = connection;
        return connection;
    }

    private async Task TakeAsync(JsonElement frame, Dictionary<string, long> last)
    {
        switch (frame.GetProperty("type").GetString())
        {
            case "entry":
                var entry = frame.GetProperty("entry");
                var room = entry.GetProperty("roomId").GetString()!;
                var facts = EntryFacts.Of(entry);
                if (last.GetValueOrDefault(room) is var before && before > facts.Seq)
                    OutOfOrder.Enqueue($"{user.Id} got {room}:{facts.Seq} after {before}");
                last[room] = Math.Max(before, facts.Seq);
                if (facts.Seq <= _rooms[room].LastSeq)
                    Doubles++;
                if (!_rooms[room].Take(facts))
                {
                    Holes++;
                    await ReloadAsync(room);
                }

                break;
            case "reset":
                await ReloadAsync(frame.GetProperty("roomId").GetString()!);
                break;
            case "ack" or "error" when frame.TryGetProperty("ref", out var reference) && reference.ValueKind == JsonValueKind.String:
                if (_awaited.TryRemove(reference.GetString()!, out var waiting))
                    waiting.TrySetResult(frame.TryGetProperty("message", out var message) ? message : null);
                break;
        }
    }

    /// <summary>Asks the log for what is missing.</summary>
    private async Task ReloadAsync(string room)
    {
        while (_rooms[room].IsMember)
        {
            var page = await CallAsync(HttpMethod.Get, $"/v1/rooms/{room}/log?after={_rooms[room].LastSeq}&limit=1000");
            if (page?.Status != HttpStatusCode.OK)
                return;
            var items = page.Body.GetProperty("items");
            foreach (var item in items.EnumerateArray())
                _rooms[room].Take(EntryFacts.Of(item)).ShouldBeTrue($"the log of {room} has a hole before {item.GetProperty("seq")}");
            if (_rooms[room].LastSeq >= page.Body.GetProperty("lastSeq").GetInt64() || items.GetArrayLength() == 0)
                return;
        }
    }

    private async Task SendAsync(string room)
    {
        var id = $"{user.Id}-{_sent++}";
        if (_random.Next(2) == 0 && _socket is { } socket)
        {
            var answer = new TaskCompletionSource<JsonElement?>(TaskCreationOptions.RunContinuationsAsynchronously);
            _awaited[id] = answer;
            try
            {
                await socket.SendAsync(new { type = "send", @ref = id, roomId = room, clientMessageId = id, kind = "text", text = id });
                if (await answer.Task.WaitAsync(TimeSpan.FromSeconds(5)) is { } message)
                {
                    Sends.Add(new(room, id, message.GetProperty("seq").GetInt64()));
                    return;
                }
            }
            catch (Exception error) when (IsLoss(error))
            {
                // No word whether it was taken: the same id again, over REST.
            }

            _awaited.TryRemove(id, out _);
        }

        while (true)
        {
            var answer = await CallAsync(HttpMethod.Post, $"/v1/rooms/{room}/messages", new { clientMessageId = id, kind = "text", text = id });
            if (answer?.Status is HttpStatusCode.Created or HttpStatusCode.OK)
            {
                Sends.Add(new(room, id, answer.Body.GetProperty("seq").GetInt64()));
                return;
            }
        }
    }

    private async Task EditAsync()
    {
        var (room, _, seq) = Sends[_random.Next(Sends.Count)];
        var text = $"edit {_operations}";
        if ((await CallAsync(HttpMethod.Patch, $"/v1/rooms/{room}/messages/{seq}", new { text }))?.Status == HttpStatusCode.OK)
            Edits.Add((room, seq, text));
    }

    private async Task DeleteAsync()
    {
        var (room, _, seq) = Sends[_random.Next(Sends.Count)];
        if (_deleted.Add((room, seq)) && (await CallAsync(HttpMethod.Delete, $"/v1/rooms/{room}/messages/{seq}"))?.Status == HttpStatusCode.OK)
            Deletes.Add((room, seq));
    }

    private async Task LeaveAndReturnAsync(string room)
    {
        _rooms[room].IsMember = false;
        while ((await CallAsync(HttpMethod.Delete, $"/v1/rooms/{room}/members/me"))?.Status is not (HttpStatusCode.OK or HttpStatusCode.NoContent or HttpStatusCode.NotFound))
            continue;
        while ((await CallAsync(HttpMethod.Post, $"/v1/rooms/{room}/members", new { userIds = new[] { user.Id } }, host))?.Status is not (HttpStatusCode.OK or HttpStatusCode.NoContent or HttpStatusCode.Created))
            continue;
        _rooms[room].IsMember = true;
        await ReloadAsync(room);
    }

    /// <summary>One call at either API server; null, after a pause, when it was not answered or the answer says to try again.</summary>
    private async Task<Answer?> CallAsync(HttpMethod method, string path, object? body = null, ChatUser? caller = null)
    {
        try
        {
            var answer = await (caller ?? user).CallAsync(method, path, body, Random.Shared.Next(2));
            if ((int)answer.Status is < 500 and not 429)
                return answer;
        }
        catch (Exception error) when (IsLoss(error))
        {
            // A server that was killed meanwhile.
        }

        await Task.Delay(Random.Shared.Next(20, 200));
        return null;
    }

    private static bool IsLoss(Exception error) =>
        error is WebSocketException or HttpRequestException or IOException or OperationCanceledException or TimeoutException or ObjectDisposedException;
}
