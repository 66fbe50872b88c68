using System.Text;
using ChatPlatform.Contracts.Protos.Chat.V1;
using ChatPlatform.Relay.Resume;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Time.Testing;

namespace ChatPlatform.UnitTests.Relay;

public sealed class RoomTailsTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly List<(string Token, long After)> _reads = [];
    private readonly RoomTails _tails;
    private TaskCompletionSource _answer = new();
    private long _last = 500;

    public RoomTailsTests()
    {
        _answer.SetResult();
        _tails = new RoomTails(ReadAsync, _time);
    }

    [Fact]
    public async Task Clients_that_come_back_together_are_served_by_one_read()
    {
        _answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var all = Enumerable.Range(0, 200).Select(i => _tails.ReadAsync("room", 480 + (i % 20), 500, $"u{i}", $"t{i}", CancellationToken.None)).ToList();
        _answer.SetResult();

        var frames = await Task.WhenAll(all).WaitAsync(TimeSpan.FromSeconds(20));

        _reads.Count.ShouldBe(1);
        for (var i = 0; i < all.Count; i++)
            Seqs(frames[i]).ShouldBe(Range(481 + (i % 20), 500));
    }

    [Fact]
    public async Task Live_delivery_goes_on_where_the_log_was_read_to()
    {
        await _tails.ReadAsync("room", 490, 500, "u", "t", CancellationToken.None);
        for (var seq = 501; seq <= 520; seq++)
            _tails.Offer("room", seq, Frame(seq));

        Seqs(await _tails.ReadAsync("room", 495, 520, "u", "t", CancellationToken.None)).ShouldBe(Range(496, 520));
        _reads.Count.ShouldBe(1);
    }

    [Fact]
    public async Task What_delivery_does_not_bring_in_a_moment_is_read()
    {
        await _tails.ReadAsync("room", 490, 500, "u", "t", CancellationToken.None);
        _last = 505;
        _tails.Offer("room", 503, Frame(503));

        var reading = _tails.ReadAsync("room", 495, 505, "u", "t", CancellationToken.None);
        while (!reading.IsCompleted)
        {
            _time.Advance(TimeSpan.FromMilliseconds(50));
            await Task.Yield();
        }

        Seqs(await reading).ShouldBe(Range(496, 505));
        _reads.Select(read => read.After).ShouldBe([468, 500]);
    }

    [Fact]
    public async Task One_that_is_further_behind_has_the_rest_read_and_the_tail_grows_by_it()
    {
        await _tails.ReadAsync("room", 490, 500, "u", "t", CancellationToken.None);

        Seqs(await _tails.ReadAsync("room", 3, 500, "u", "t", CancellationToken.None)).ShouldBe(Range(4, 500));
        Seqs(await _tails.ReadAsync("room", 100, 500, "u", "t", CancellationToken.None)).ShouldBe(Range(101, 500));
        _reads.Count.ShouldBe(2);
    }

    [Fact]
    public async Task A_read_refused_to_one_user_is_made_again_in_the_name_of_another()
    {
        _answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var gone = _tails.ReadAsync("room", 490, 500, "gone", "refused", CancellationToken.None);
        var member = _tails.ReadAsync("room", 490, 500, "member", "t", CancellationToken.None);
        _answer.SetResult();

        await Should.ThrowAsync<RpcException>(gone);
        Seqs(await member.WaitAsync(TimeSpan.FromSeconds(20))).ShouldBe(Range(491, 500));
    }

    [Fact]
    public async Task A_tail_that_nobody_used_for_a_while_is_forgotten()
    {
        await _tails.ReadAsync("room", 490, 500, "u", "t", CancellationToken.None);
        _time.Advance(RoomTails.Window);
        _tails.Sweep();

        await _tails.ReadAsync("room", 490, 500, "u", "t", CancellationToken.None);

        _reads.Count.ShouldBe(2);
    }

    [Fact]
    public async Task A_log_that_ends_too_early_is_an_error_and_no_endless_loop()
    {
        _last = 495;

        await Should.ThrowAsync<RpcException>(_tails.ReadAsync("room", 490, 500, "u", "t", CancellationToken.None));
    }

    private async Task<IReadOnlyList<Entry>> ReadAsync(string token, string roomId, long after, int limit)
    {
        lock (_reads)
            _reads.Add((token, after));
        await _answer.Task;
        return token == "refused"
            ? throw new RpcException(new Status(StatusCode.NotFound, "no member"))
            : Range(after + 1, Math.Min(_last, after + limit)).Select(seq => new Entry { RoomId = roomId, Seq = seq, Json = ByteString.CopyFromUtf8($"{seq}") }).ToList();
    }

    private static IEnumerable<long> Range(long first, long last) => Enumerable.Range(0, (int)(last - first + 1)).Select(i => first + i);

    private static IEnumerable<long> Seqs(IEnumerable<ReadOnlyMemory<byte>> frames) =>
        frames.Select(frame => long.Parse(Encoding.UTF8.GetString(frame.Span)["{\"type\":\"entry\",\"entry\":".Length..^1]));

    private static ReadOnlyMemory<byte> Frame(long seq) => ChatPlatform.Contracts.Frames.ServerFrames.Entry(Encoding.UTF8.GetBytes($"{seq}"));
}
