using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChatPlatform.Smoke.Checks;

namespace ChatPlatform.Smoke.Clients;

/// <summary>
/// One user's WebSocket, contracts §4: collects every entry of the user's rooms, reconnects and resumes by seq when the connection ends, and can send.
/// <see cref="Feed"/> may be read from any thread; the rest belongs to one owner.
/// </summary>
public sealed class ChatSocket(Uri gateway, ChatRest rest, IReadOnlyCollection<string> roomIds) : IAsyncDisposable
{
    private const string Protocol = "chat.v1.json";
    private const int MaxReconnects = 20;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, RoomFeed> _feeds = roomIds.ToDictionary(id => id, _ => new RoomFeed());
    private readonly ConcurrentDictionary<string, TaskCompletionSource<StoredMessage>> _acks = new();
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _sending = new(1);
    private ClientWebSocket? _socket;
    private Task _run = Task.CompletedTask;
    private int _refs;

    public string UserId => rest.UserId;

    /// <summary>The relay the last welcome named.</summary>
    public string? NodeId { get; private set; }

    public int Reconnects { get; private set; }

    /// <summary>Why the socket gave up, or null.</summary>
    public string? Broken { get; private set; }

    /// <summary>Connects and waits until every room has been resumed from its start.</summary>
    /// <exception cref="CheckFailedException">The gateway refused, or the relay did not answer as the contract says, within 30 s.</exception>
    public async Task ConnectAsync(CancellationToken cancellationToken)
    {
        _run = Task.Run(() => RunAsync(_stop.Token), CancellationToken.None);
        try
        {
            await _ready.Task.WaitAsync(TimeSpan.FromSeconds(30), cancellationToken);
        }
        catch (TimeoutException)
        {
            throw new CheckFailedException($"{UserId}: no welcome with every room resumed within 30 s ({Broken ?? $"{Reconnects} reconnects"})");
        }
    }

    /// <summary>What has come so far for a room.</summary>
    public IReadOnlyList<SeenEntry> Feed(string roomId)
    {
        lock (_gate)
            return [.. _feeds[roomId].Entries];
    }

    /// <summary>How many entries have come for a room, without a hole.</summary>
    public long Seq(string roomId)
    {
        lock (_gate)
            return _feeds[roomId].Seq;
    }

    /// <summary>Sums over the rooms.</summary>
    public (int Doubles, int Mended, int OutOfOrder) Counts()
    {
        lock (_gate)
            return (_feeds.Values.Sum(f => f.Doubles), _feeds.Values.Sum(f => f.Mended), _feeds.Values.Sum(f => f.OutOfOrder));
    }

    /// <summary>Sends a text as a frame and waits for its <c>ack</c>.</summary>
    /// <exception cref="CheckFailedException">An <c>error</c> frame, no answer within 15 s, or the connection ended: the message may or may not be
    /// stored.</exception>
    public async Task<StoredMessage> SendAsync(string roomId, string clientMessageId, string text, CancellationToken cancellationToken)
    {
        var reference = $"r{Interlocked.Increment(ref _refs)}";
        var ack = _acks[reference] = new TaskCompletionSource<StoredMessage>(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            await WriteAsync(new JsonObject
            {
                ["type"] = "send",
                ["ref"] = reference,
                ["roomId"] = roomId,
                ["clientMessageId"] = clientMessageId,
                ["kind"] = "text",
                ["text"] = text,
            }, cancellationToken);
            return await ack.Task.WaitAsync(TimeSpan.FromSeconds(15), cancellationToken);
        }
        catch (Exception error) when (error is TimeoutException or WebSocketException or ObjectDisposedException or InvalidOperationException)
        {
            throw new CheckFailedException($"send over the socket: {error.Message}");
        }
        finally
        {
            _acks.TryRemove(reference, out _);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run;
        _stop.Dispose();
        _sending.Dispose();
    }

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await ConnectionAsync(cancellationToken);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error) when (error is WebSocketException or HttpRequestException or OperationCanceledException)
            {
                Broken = error.Message;
            }
            catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException or CheckFailedException)
            {
                // Not a lost connection but a frame against the contract: connecting again would hide it.
                Broken = $"a frame that is not as the contract says: {error.Message}";
                _ready.TrySetException(new CheckFailedException($"{UserId}: {Broken}"));
                return;
            }

            FailAcks();
            if (++Reconnects > MaxReconnects)
            {
                _ready.TrySetException(new CheckFailedException($"{UserId}: {Broken}"));
                return;
            }

            try
            {
                await Task.Delay(250, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private async Task ConnectionAsync(CancellationToken cancellationToken)
    {
        using var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol(Protocol);
        socket.Options.SetRequestHeader("Authorization", $"Bearer {rest.Token}");
        using (var connecting = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken))
        {
            connecting.CancelAfter(TimeSpan.FromSeconds(10));
            await socket.ConnectAsync(new UriBuilder(new Uri(gateway, "/v1/ws")) { Scheme = gateway.Scheme == "https" ? "wss" : "ws" }.Uri, connecting.Token);
        }

        if (socket.SubProtocol != Protocol)
            throw new CheckFailedException($"the subprotocol agreed on is '{socket.SubProtocol}', not {Protocol}");
        _socket = socket;
        var resume = new JsonObject();
        lock (_gate)
        {
            foreach (var (id, feed) in _feeds)
            {
                feed.StartConnection();
                resume[id] = feed.Seq;
            }
        }

        await WriteAsync(new JsonObject { ["type"] = "hello", ["resume"] = resume }, cancellationToken);
        using var heartbeat = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var beating = BeatAsync(heartbeat.Token);
        try
        {
            await ReceiveAsync(socket, cancellationToken);
        }
        finally
        {
            await heartbeat.CancelAsync();
            await beating;
            _socket = null;
            if (socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
            {
                using var closing = new CancellationTokenSource(TimeSpan.FromSeconds(2));
                try
                {
                    await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, closing.Token);
                }
                catch (Exception error) when (error is WebSocketException or OperationCanceledException)
                {
                    // The other side is gone already; there is nobody left to tell.
                    Broken ??= error.Message;
                }
            }
        }
    }

    private async Task ReceiveAsync(ClientWebSocket socket, CancellationToken cancellationToken)
    {
        var waiting = _feeds.Keys.ToHashSet();
        var buffer = new byte[16 * 1024];
        using var frame = new MemoryStream();
        while (true)
        {
            var part = await socket.ReceiveAsync(buffer.AsMemory(), cancellationToken);
            if (part.MessageType == WebSocketMessageType.Close)
            {
                Broken = $"closed with {(int?)socket.CloseStatus} {socket.CloseStatusDescription}";
                return;
            }

            frame.Write(buffer, 0, part.Count);
            if (!part.EndOfMessage)
                continue;
            using (var json = JsonDocument.Parse(frame.GetBuffer().AsMemory(0, (int)frame.Length)))
                await TakeAsync(json.RootElement, waiting, cancellationToken);
            frame.SetLength(0);
        }
    }

    private async Task TakeAsync(JsonElement frame, HashSet<string> waiting, CancellationToken cancellationToken)
    {
        switch (frame.GetProperty("type").GetString())
        {
            case "welcome":
                NodeId = EntryJson.Text(frame, "nodeId");
                if (waiting.Count == 0)
                    _ready.TrySetResult();
                break;
            case "resumed":
                waiting.Remove(frame.GetProperty("roomId").GetString()!);
                if (waiting.Count == 0)
                    _ready.TrySetResult();
                break;
            case "entry":
                await TakeAsync(EntryJson.Read(frame.GetProperty("entry")), cancellationToken);
                break;
            case "ack":
                if (_acks.TryGetValue(frame.GetProperty("ref").GetString()!, out var ack))
                    ack.TrySetResult(StoredMessage.Read(frame.GetProperty("message"), System.Net.HttpStatusCode.Created));
                break;
            case "error":
                if (EntryJson.Text(frame, "ref") is { } reference && _acks.TryGetValue(reference, out var refused))
                    refused.TrySetException(new CheckFailedException($"error frame {EntryJson.Text(frame, "code")}"));
                break;
        }
    }

    private async Task TakeAsync(SeenEntry entry, CancellationToken cancellationToken)
    {
        if (!_feeds.TryGetValue(entry.RoomId, out var feed))
            throw new CheckFailedException($"an entry of a room that {UserId} is no member of: {entry.RoomId}");
        long after;
        lock (_gate)
        {
            if (feed.Accept(entry))
                return;
            after = feed.Seq;
        }

        while (after < entry.Seq)
        {
            var page = await rest.LogAsync(entry.RoomId, after, cancellationToken);
            lock (_gate)
            {
                foreach (var missing in page)
                    feed.Mend(missing);
                if (feed.Seq == after)
                    throw new CheckFailedException($"room {entry.RoomId} delivered seq {entry.Seq}, but its log has nothing after {after}");
                after = feed.Seq;
            }
        }
    }

    private async Task BeatAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(20));
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken))
                await WriteAsync(new JsonObject { ["type"] = "ping" }, cancellationToken);
        }
        catch (Exception error) when (error is OperationCanceledException or WebSocketException or InvalidOperationException)
        {
            // The receive loop sees the end of the connection and says why.
            return;
        }
    }

    private async Task WriteAsync(JsonObject frame, CancellationToken cancellationToken)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(frame, ChatRest.Wire);
        await _sending.WaitAsync(cancellationToken);
        try
        {
            await (_socket ?? throw new InvalidOperationException("not connected")).SendAsync(bytes, WebSocketMessageType.Text, true, cancellationToken);
        }
        finally
        {
            _sending.Release();
        }
    }

    private void FailAcks()
    {
        foreach (var ack in _acks.Values)
            ack.TrySetException(new CheckFailedException($"the connection ended ({Broken})"));
    }
}
