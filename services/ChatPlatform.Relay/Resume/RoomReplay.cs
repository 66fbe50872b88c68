using ChatPlatform.Contracts.Frames;
using ChatPlatform.Relay.Sockets;
using Grpc.Core;

namespace ChatPlatform.Relay.Resume;

/// <summary>
/// <c>hello.resume</c>: replays from the room log what a client missed, in order, without a hole or a double against live delivery. The order of steps is the whole trick:
/// the socket keeps live entries back first, then the log's end is asked, so that an entry is in the log up to there, among those kept back, or both, and never in neither.
/// Who may read which room, and where its log ends, is asked for every client; the log itself is read once for all of them (<see cref="RoomTails"/>).
/// </summary>
internal sealed partial class RoomReplay(ChatCalls calls, RoomTails tails, TimeProvider time, ILogger<RoomReplay> logger) : IDisposable
{
    /// <summary>With more missing a client reloads over REST (contracts §4).</summary>
    public const int MaxMissing = 1_000;

    private const int Tries = 5;
    private const int RoomsAtOnce = 4;

    // Of all clients together: those that wait here cost less than those that wait in the API servers, and a call's deadline begins with the call.
    private readonly SemaphoreSlim _positions = new(128);

    /// <summary>Closes the rooms' gates. Must happen before the socket gets live entries.</summary>
    public static void Prepare(ChatSocket socket, IReadOnlyDictionary<string, long> resume)
    {
        foreach (var roomId in resume.Keys)
            socket.CloseGate(roomId);
    }

    /// <summary>Replays every room; ends when all gates are open, early when <paramref name="stop"/> says that the connection did.</summary>
    public async Task RunAsync(ChatSocket socket, IReadOnlyDictionary<string, long> resume, CancellationToken stop)
    {
        foreach (var rooms in resume.Chunk(ChatCalls.MaxPositions))
        {
            var ends = await TryAsync(rooms[0].Key, () => FindEndsAsync(socket, rooms.Select(room => room.Key), stop), stop);
            await Parallel.ForEachAsync(
                rooms,
                new ParallelOptions { MaxDegreeOfParallelism = RoomsAtOnce, CancellationToken = stop },
                async (room, cancel) => await ReplayAsync(socket, room.Key, room.Value, ends, cancel));
        }
    }

    public void Dispose() => _positions.Dispose();

    private async Task<IReadOnlyDictionary<string, long>> FindEndsAsync(ChatSocket socket, IEnumerable<string> roomIds, CancellationToken stop)
    {
        await _positions.WaitAsync(stop);
        try
        {
            return await calls.GetPositionsAsync(socket.Token, roomIds, stop);
        }
        finally
        {
            _positions.Release();
        }
    }

    private async Task ReplayAsync(ChatSocket socket, string roomId, long after, IReadOnlyDictionary<string, long>? ends, CancellationToken stop)
    {
        if (ends is null)
        {
            await OpenAsync(socket, roomId, after, ServerFrames.Reset(roomId), stop);
        }
        else if (!ends.TryGetValue(roomId, out var last))
        {
            await OpenAsync(socket, roomId, 0, ServerFrames.Error(roomId, "room_not_found", "There is no such room among yours."), stop);
        }
        else if (after < 0 || after > last || last - after > MaxMissing)
        {
            // A client that has more than there is has something else, and is better off with a reload as well.
            await OpenAsync(socket, roomId, last, ServerFrames.Reset(roomId), stop);
        }
        else
        {
            if (!await ReplayAsync(socket, roomId, after, last, stop))
                await OpenAsync(socket, roomId, last, ServerFrames.Reset(roomId), stop);
            else
                await OpenAsync(socket, roomId, last, instead: null, stop);
        }
    }

    /// <summary>Queues the entries after one seq up to another; false when they cannot be had.</summary>
    private async Task<bool> ReplayAsync(ChatSocket socket, string roomId, long after, long last, CancellationToken stop)
    {
        if (after == last)
            return true;
        if (await TryAsync(roomId, () => tails.ReadAsync(roomId, after, last, socket.UserId, socket.Token, stop), stop) is not { } frames)
            return false;
        foreach (var frame in frames)
        {
            if (!await socket.EnqueueInTurnAsync(frame, stop))
                return true;
        }

        return true;
    }

    /// <summary>
    /// Opens the room's gate behind <c>resumed</c>; what was kept back and cannot simply follow is replayed first. Given a word of its own, <paramref name="instead"/>, the client is
    /// told that, and then gets what came as it came.
    /// </summary>
    private async Task OpenAsync(ChatSocket socket, string roomId, long through, ReadOnlyMemory<byte>? instead, CancellationToken stop)
    {
        if (instead is { } word)
            await socket.EnqueueInTurnAsync(word, stop);
        // Typed: a null array would become an empty frame.
        while (!socket.TryOpenGate(roomId, through, instead is null ? (ReadOnlyMemory<byte>?)ServerFrames.Resumed(roomId, through) : null, out var kept))
        {
            var last = kept[^1].Seq;
            if (instead is not null || last == through + kept.Count)
            {
                foreach (var entry in kept)
                    await socket.EnqueueInTurnAsync(entry.Frame, stop);
            }
            else if (!await ReplayAsync(socket, roomId, through, last, stop))
            {
                instead = ServerFrames.Reset(roomId);
                await socket.EnqueueInTurnAsync(instead.Value, stop);
            }

            through = last;
        }
    }

    /// <summary>Tries a call of the API a few times; null when it gives no answer.</summary>
    private async Task<T?> TryAsync<T>(string roomId, Func<Task<T>> call, CancellationToken stop)
        where T : class
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await call();
            }
            catch (RpcException error) when (!stop.IsCancellationRequested)
            {
                if (attempt == Tries)
                {
                    Log.ReplayFailed(logger, roomId, error.Status.Detail);
                    return null;
                }

                await Task.Delay(TimeSpan.FromMilliseconds(Random.Shared.Next(50, 100 << attempt)), time, stop);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "Room {RoomId} could not be replayed: {Reason}")]
        public static partial void ReplayFailed(ILogger logger, string roomId, string reason);
    }
}
