using ChatPlatform.Contracts.Frames;
using ChatPlatform.Relay.Sockets;
using Grpc.Core;

namespace ChatPlatform.Relay.Resume;

/// <summary>
/// <c>hello.resume</c>: replays from the room log what a client missed, in order, without a hole or a double against live delivery. The order of steps is the whole trick:
/// the socket keeps live entries back first, then the log is read, so that an entry is in the log page, among those kept back, or both, and never in neither.
/// </summary>
internal sealed partial class RoomReplay(ChatCalls calls, TimeProvider time, ILogger<RoomReplay> logger)
{
    /// <summary>With more missing a client reloads over REST (contracts §4).</summary>
    public const int MaxMissing = 1_000;

    private const int PageSize = 500;
    private const int Tries = 5;
    private const int RoomsAtOnce = 8;

    /// <summary>Closes the rooms' gates. Must happen before the socket gets live entries.</summary>
    public static void Prepare(ChatSocket socket, IReadOnlyDictionary<string, long> resume)
    {
        foreach (var roomId in resume.Keys)
            socket.CloseGate(roomId);
    }

    /// <summary>Replays every room, several at once; ends when all gates are open. Ends early when <paramref name="stop"/> says that the connection did.</summary>
    public Task RunAsync(ChatSocket socket, IReadOnlyDictionary<string, long> resume, CancellationToken stop) =>
        Parallel.ForEachAsync(
            resume,
            new ParallelOptions { MaxDegreeOfParallelism = RoomsAtOnce, CancellationToken = stop },
            async (room, cancel) => await ReplayAsync(socket, room.Key, room.Value, cancel));

    private async Task ReplayAsync(ChatSocket socket, string roomId, long after, CancellationToken stop)
    {
        var start = after;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                while (true)
                {
                    var page = await calls.GetLogAsync(socket.Token, roomId, after, PageSize, stop);
                    if (page.LastSeq - start > MaxMissing || after < 0)
                    {
                        Reset(socket, roomId, page.LastSeq);
                        return;
                    }

                    foreach (var entry in page.Items)
                    {
                        if (!socket.Enqueue(ServerFrames.Entry(entry.Json.Span)))
                            return;
                        after = entry.Seq;
                    }

                    if (page.Items.Count == PageSize)
                        continue;
                    if (!socket.OpenGate(roomId, after, ServerFrames.Resumed(roomId, after)))
                        socket.Enqueue(ServerFrames.Reset(roomId));
                    return;
                }
            }
            catch (RpcException refused) when (ChatCalls.CodeOf(refused) is { } code && refused.StatusCode is not StatusCode.Unavailable)
            {
                socket.OpenGate(roomId, 0, ServerFrames.Error(roomId, code, refused.Status.Detail));
                return;
            }
            catch (RpcException error) when (!stop.IsCancellationRequested)
            {
                if (attempt == Tries)
                {
                    Log.ReplayFailed(logger, roomId, error.Status.Detail);
                    Reset(socket, roomId, after);
                    return;
                }

                await Task.Delay(TimeSpan.FromMilliseconds(100 << attempt), time, stop);
            }
        }
    }

    private static void Reset(ChatSocket socket, string roomId, long through)
    {
        if (!socket.OpenGate(roomId, through, ServerFrames.Reset(roomId)))
            socket.Enqueue(ServerFrames.Reset(roomId));
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "Room {RoomId} could not be replayed: {Reason}")]
        public static partial void ReplayFailed(ILogger logger, string roomId, string reason);
    }
}
