using System.Collections.Concurrent;
using System.Diagnostics;
using ChatPlatform.Smoke.Checks;
using ChatPlatform.Smoke.Clients;
using ChatPlatform.Smoke.Conversations;

namespace ChatPlatform.Smoke.Replay;

/// <summary>How a replay is done.</summary>
public sealed record ReplayOptions
{
    /// <summary>Appended to every user id, so that a replay on a system that keeps its data meets no rooms of an earlier one.</summary>
    public string RunId { get; init; } = Guid.NewGuid().ToString("N")[..8];

    /// <summary>Every n-th message of someone connected goes as a <c>send</c> frame instead of over REST; 0 for none.</summary>
    public int SocketEvery { get; init; } = 4;
}

/// <summary>A message that was sent, and what the sender was answered.</summary>
/// <param name="SenderId">The sender's user id in the system.</param>
/// <param name="TraceId">The trace the send was made part of, if any.</param>
public sealed record SentMessage(ConversationMessage Input, string RoomId, string SenderId, StoredMessage Answer, TimeSpan Took, bool OverSocket, string? TraceId);

/// <summary>A user of the replay.</summary>
/// <param name="Socket">Null for someone who never connects.</param>
/// <param name="PushToken">The device's token of someone who never connects.</param>
public sealed record ReplayUser(ConversationUser Input, ChatRest Rest, ChatSocket? Socket, string? PushToken);

/// <summary>
/// Plays a conversation on a running system over its public edges: signs everyone in, opens the rooms, connects those who are connected, registers a
/// device for those who
/// are not, then sends every message, the rooms at once, in order within a room.
/// </summary>
public sealed class ConversationReplay : IAsyncDisposable
{
    private readonly ReplayOptions _options;
    private readonly HttpClient _http;

    public ConversationReplay(SystemEndpoints system, Conversation conversation, ReplayOptions? options = null)
    {
        System = system;
        Conversation = conversation;
        _options = options ?? new ReplayOptions();
        _http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 64 }) { BaseAddress = system.GatewayUrl, Timeout = TimeSpan.FromSeconds(20) };
    }

    public SystemEndpoints System { get; }

    public Conversation Conversation { get; }

    /// <summary>By the user id of the file.</summary>
    public IReadOnlyDictionary<string, ReplayUser> Users { get; private set; } = new Dictionary<string, ReplayUser>();

    /// <summary>The system's room id by the file's room name.</summary>
    public IReadOnlyDictionary<string, string> RoomIds { get; private set; } = new Dictionary<string, string>();

    /// <summary>By the file's room name, in the order sent.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<SentMessage>> Sent { get; private set; } = new Dictionary<string, IReadOnlyList<SentMessage>>();

    /// <summary>Sends over a socket that had to be repeated over REST, and why.</summary>
    public IReadOnlyCollection<string> SocketTroubles => _socketTroubles;

    private readonly ConcurrentQueue<string> _socketTroubles = new();

    /// <summary>The http client of the front door.</summary>
    internal HttpClient Gateway => _http;

    /// <summary>Signs in, opens rooms, registers devices, connects.</summary>
    /// <exception cref="CheckFailedException">The system refused a step; the message says which.</exception>
    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        var clients = new Dictionary<string, ChatRest>();
        foreach (var user in Conversation.Users)
        {
            var rest = clients[user.UserId] = new ChatRest(_http, SystemUserId(user.UserId));
            await rest.SignInAsync(user.Name, cancellationToken);
        }

        var rooms = new Dictionary<string, string>();
        foreach (var room in Conversation.Rooms)
        {
            rooms[room.Room] = await clients[room.Members[0]].OpenRoomAsync(
                room.IsGroup, room.Title, room.ArticleId, room.Members.Skip(1).Select(SystemUserId), cancellationToken);
        }

        RoomIds = rooms;
        var users = new Dictionary<string, ReplayUser>();
        foreach (var user in Conversation.Users)
        {
            var rest = clients[user.UserId];
            if (user.Connected)
            {
                var mine = Conversation.Rooms.Where(room => room.Members.Contains(user.UserId)).Select(room => rooms[room.Room]).ToList();
                users[user.UserId] = new ReplayUser(user, rest, new ChatSocket(System.GatewayUrl, rest, mine), null);
            }
            else
            {
                var token = $"token-{rest.UserId}";
                await rest.RegisterDeviceAsync("phone", token, cancellationToken);
                users[user.UserId] = new ReplayUser(user, rest, null, token);
            }
        }

        Users = users;
        await Task.WhenAll(users.Values.Where(user => user.Socket is not null).Select(user => user.Socket!.ConnectAsync(cancellationToken)));
    }

    /// <summary>Sends every message.</summary>
    /// <exception cref="CheckFailedException">A message was refused for good.</exception>
    public async Task SendAllAsync(CancellationToken cancellationToken)
    {
        var sent = await Task.WhenAll(Conversation.Messages.GroupBy(message => message.Room).Select(async room =>
        {
            var done = new List<SentMessage>();
            foreach (var message in room)
                done.Add(await SendAsync(message, done.Count, cancellationToken));
            return (Room: room.Key, Sent: (IReadOnlyList<SentMessage>)done);
        }));
        Sent = sent.ToDictionary(room => room.Room, room => room.Sent);
    }

    /// <summary>Everyone's socket is closed.</summary>
    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(Users.Values.Where(user => user.Socket is not null).Select(user => user.Socket!.DisposeAsync().AsTask()));
        _http.Dispose();
    }

    private string SystemUserId(string userId) => _options.RunId.Length == 0 ? userId : $"{userId}-{_options.RunId}";

    private async Task<SentMessage> SendAsync(ConversationMessage message, int index, CancellationToken cancellationToken)
    {
        var user = Users[message.From];
        var roomId = RoomIds[message.Room];
        var watch = Stopwatch.StartNew();
        if (user.Socket is { } socket && _options.SocketEvery > 0 && index % _options.SocketEvery == _options.SocketEvery - 1)
        {
            try
            {
                var ack = await socket.SendAsync(roomId, message.ClientMessageId, message.Text, cancellationToken);
                return new SentMessage(message, roomId, user.Rest.UserId, ack, watch.Elapsed, OverSocket: true, TraceId: null);
            }
            catch (CheckFailedException error)
            {
                // Whether it was stored is unknown; the same client id over REST settles it.
                _socketTroubles.Enqueue($"{message.ClientMessageId}: {error.Message}");
            }
        }

        // The first message of each room starts a trace of its own, to be found in the dashboard.
        var trace = index == 0 ? ActivityTraceId.CreateRandom() : default;
        var traceParent = index == 0 ? $"00-{trace}-{ActivitySpanId.CreateRandom()}-01" : null;
        var answer = await user.Rest.SendAsync(roomId, message.ClientMessageId, message.Text, traceParent, cancellationToken);
        return new SentMessage(message, roomId, user.Rest.UserId, answer, watch.Elapsed, OverSocket: false, index == 0 ? trace.ToString() : null);
    }
}
