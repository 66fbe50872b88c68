using System.Net.WebSockets;
using System.Text;
using System.Threading.Channels;
using ChatPlatform.Relay.Sockets;
using Microsoft.Extensions.Time.Testing;

namespace ChatPlatform.UnitTests.Relay;

public sealed class ChatSocketTests
{
    private const int QueueLength = 16;
    private readonly FakeTimeProvider _time = new();
    private readonly HeldWebSocket _client = new();
    private readonly ChatSocket _socket;

    public ChatSocketTests() => _socket = new ChatSocket(_client, "u1", "token", DateTimeOffset.MaxValue, address: null, QueueLength, framesPerSecond: 50, _time);

    [Fact]
    public async Task Frames_are_sent_in_the_order_they_were_queued()
    {
        _client.Release();
        for (var i = 0; i < QueueLength; i++)
            _socket.Enqueue(Frame(i)).ShouldBeTrue();

        (await _client.SentAsync(QueueLength)).ShouldBe(Enumerable.Range(0, QueueLength).Select(i => $"{i}"));
    }

    [Fact]
    public async Task Under_pressure_typing_and_read_frames_are_dropped_and_entries_are_not()
    {
        await StallAsync();
        for (var i = 0; i < QueueLength / 2; i++)
            _socket.EnqueueEntry("room", i + 1, Frame(i));

        _socket.EnqueueEphemeral(Frame(999));
        _socket.EnqueueEntry("room", 100, Frame(100));
        _client.Release();

        (await _client.SentAsync(2 + QueueLength / 2)).ShouldBe(["first", .. Enumerable.Range(0, QueueLength / 2).Select(i => $"{i}"), "100"]);
    }

    [Fact]
    public async Task A_full_queue_closes_with_4503_and_drops_what_waits()
    {
        await StallAsync();
        for (var i = 0; i < QueueLength; i++)
            _socket.Enqueue(Frame(i)).ShouldBeTrue();

        _socket.Enqueue(Frame(QueueLength)).ShouldBeFalse();
        _client.Release();

        _socket.CloseCode.ShouldBe(CloseCodes.SlowConsumer);
        (await _client.ClosedAsync()).ShouldBe(4503);
        await _socket.EndAsync();
        _client.Sent.ShouldBe(["first"]);
    }

    [Fact]
    public async Task A_close_comes_after_what_was_queued_before_it_and_the_first_code_counts()
    {
        await StallAsync();
        _socket.Enqueue(Frame(1));
        _socket.Close(CloseCodes.Draining);
        _socket.Close(CloseCodes.Silent);
        _socket.Enqueue(Frame(2)).ShouldBeFalse();
        _client.Release();

        (await _client.ClosedAsync()).ShouldBe(1001);
        _client.Sent.ShouldBe(["first", "1"]);
    }

    [Fact]
    public async Task A_client_that_never_takes_its_close_is_told_by_the_time_it_takes_and_ends_when_aborted()
    {
        await StallAsync();
        _socket.Close(CloseCodes.Silent);
        _time.Advance(TimeSpan.FromSeconds(30));
        _socket.CloseAwaited.ShouldBe(TimeSpan.FromSeconds(30));

        _socket.Abort();

        await _socket.EndAsync().WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task A_replay_waits_for_the_client_and_never_fills_the_queue()
    {
        await StallAsync();
        var replay = Task.Run(async () =>
        {
            for (var i = 0; i < 1_000; i++)
                (await _socket.EnqueueInTurnAsync(Frame(i), CancellationToken.None)).ShouldBeTrue();
        });
        _client.Release();

        await replay.WaitAsync(TimeSpan.FromSeconds(20));
        (await _client.SentAsync(1_001)).Skip(1).ShouldBe(Enumerable.Range(0, 1_000).Select(i => $"{i}"));
        _socket.CloseCode.ShouldBe(0);
    }

    [Fact]
    public async Task Live_entries_of_a_room_in_replay_come_behind_it_without_those_that_it_had()
    {
        _client.Release();
        _socket.CloseGate("room");
        foreach (var seq in (long[])[3, 4, 5, 6])
            _socket.EnqueueEntry("room", seq, Frame((int)seq));
        _socket.EnqueueEntry("other", 1, Frame(77));

        _socket.TryOpenGate("room", 4, Encoding.UTF8.GetBytes("resumed"), out var kept).ShouldBeTrue();
        _socket.EnqueueEntry("room", 4, Frame(4));
        _socket.EnqueueEntry("room", 7, Frame(7));

        kept.ShouldBeEmpty();
        (await _client.SentAsync(5)).ShouldBe(["77", "resumed", "5", "6", "7"]);
    }

    [Fact]
    public void A_hole_in_what_was_kept_back_keeps_the_gate_closed()
    {
        _client.Release();
        _socket.CloseGate("room");
        _socket.EnqueueEntry("room", 5, Frame(5));
        _socket.EnqueueEntry("room", 7, Frame(7));

        _socket.TryOpenGate("room", 4, default, out var kept).ShouldBeFalse();
        kept.Select(entry => entry.Seq).ShouldBe([5, 7]);
        _socket.TryOpenGate("room", 7, Frame(0), out _).ShouldBeTrue();
    }

    private async Task StallAsync()
    {
        _socket.Enqueue(Encoding.UTF8.GetBytes("first"));
        await _client.Stalled;
    }

    private static byte[] Frame(int number) => Encoding.UTF8.GetBytes($"{number}");

    /// <summary>A client that takes nothing until it is released.</summary>
    private sealed class HeldWebSocket : WebSocket
    {
        private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _stalled = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource<int> _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Channel<string> _sent = Channel.CreateUnbounded<string>();
        private WebSocketState _state = WebSocketState.Open;

        public Task Stalled => _stalled.Task.WaitAsync(TimeSpan.FromSeconds(20));

        public List<string> Sent { get; } = [];

        public override WebSocketCloseStatus? CloseStatus => null;

        public override string? CloseStatusDescription => null;

        public override WebSocketState State => _state;

        public override string? SubProtocol => null;

        public void Release() => _released.TrySetResult();

        public Task<int> ClosedAsync() => _closed.Task.WaitAsync(TimeSpan.FromSeconds(20));

        public async Task<List<string>> SentAsync(int count)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            List<string> frames = [];
            while (frames.Count < count)
                frames.Add(await _sent.Reader.ReadAsync(limit.Token));
            return frames;
        }

        public override void Abort()
        {
            _state = WebSocketState.Aborted;
            _released.TrySetException(new WebSocketException("aborted"));
        }

        public override async Task SendAsync(ArraySegment<byte> buffer, WebSocketMessageType messageType, bool endOfMessage, CancellationToken cancellationToken)
        {
            _stalled.TrySetResult();
            await _released.Task;
            Sent.Add(Encoding.UTF8.GetString(buffer));
            _sent.Writer.TryWrite(Sent[^1]);
        }

        public override Task CloseOutputAsync(WebSocketCloseStatus closeStatus, string? statusDescription, CancellationToken cancellationToken)
        {
            _state = WebSocketState.CloseSent;
            _closed.TrySetResult((int)closeStatus);
            return Task.CompletedTask;
        }

        public override Task CloseAsync(WebSocketCloseStatus closeStatus, string? statusDescription, CancellationToken cancellationToken) =>
            CloseOutputAsync(closeStatus, statusDescription, cancellationToken);

        public override Task<WebSocketReceiveResult> ReceiveAsync(ArraySegment<byte> buffer, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public override void Dispose() => Abort();
    }
}
