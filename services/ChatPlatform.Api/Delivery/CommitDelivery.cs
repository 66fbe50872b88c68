using System.Collections.Concurrent;
using System.Diagnostics;
using System.Threading.Channels;
using ChatPlatform.Api.Attachments;
using ChatPlatform.Api.Events;
using ChatPlatform.Api.Rooms;
using ChatPlatform.Api.Rooms.Log;
using ChatPlatform.Contracts.Frames;
using ChatPlatform.Contracts.Rooms;
using Google.Protobuf;

namespace ChatPlatform.Api.Delivery;

/// <summary>
/// What follows a commit: frames to the members' relays, and for members that no relay reached an event that push consumes. A room is always served by the same
/// one of several workers, so its entries go out in seq order. Queues are bounded and a full one slows that room's commits down; nothing here is needed for the log to be right.
/// </summary>
internal sealed partial class CommitDelivery(
    MemberLists members, FrameDelivery frames, RoomFeeds feeds, RoomActivity activity, ChatAttachments attachments, ChatEvents events, ILogger<CommitDelivery> logger)
    : BackgroundService, IRoomCommitObserver
{
    private const int Workers = 8;
    private const int QueueLength = 1_024;

    private readonly Channel<(RoomCommit Commit, TaskCompletionSource Done)>[] _queues = Enumerable.Range(0, Workers)
        .Select(_ => Channel.CreateBounded<(RoomCommit, TaskCompletionSource)>(new BoundedChannelOptions(QueueLength) { SingleReader = true })).ToArray();

    // Per room the last of its outcomes that are still open. A frame that a relay owes an answer for holds up the outcomes of its room only; their number is bounded by what the
    // links take, and each ends within seconds.
    private readonly ConcurrentDictionary<string, Task> _outcomes = new(StringComparer.Ordinal);

    public async ValueTask<Task> CommittedAsync(RoomCommit commit, CancellationToken cancellationToken)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await _queues[(uint)string.GetHashCode(commit.Room.RoomId, StringComparison.Ordinal) % Workers].Writer.WriteAsync((commit, done), cancellationToken);
        return done.Task;
    }

    /// <summary>Finishes what was committed before the stop, as far as the time given allows.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        foreach (var queue in _queues)
            queue.Writer.TryComplete();
        try
        {
            await (ExecuteTask ?? Task.CompletedTask).WaitAsync(cancellationToken);
        }
        finally
        {
            await base.StopAsync(cancellationToken);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.WhenAll(_queues.Select(queue => WorkAsync(queue.Reader, stoppingToken)));
        await Task.WhenAll(_outcomes.Values);
        await activity.DrainAsync();
    }

    private async Task WorkAsync(ChannelReader<(RoomCommit Commit, TaskCompletionSource Done)> queue, CancellationToken stop)
    {
        await foreach (var (commit, done) in queue.ReadAllAsync(stop))
        {
            try
            {
                await DeliverAsync(commit, done, stop);
            }
            catch (Exception error) when (!stop.IsCancellationRequested)
            {
                // The entries are in the log; clients find them there. The worker goes on with the next room, and the sequencer gives the commit again.
                Log.DeliveryFailed(logger, commit.Room.RoomId, commit.Room.LastSeq, error);
                done.TrySetCanceled(CancellationToken.None);
            }
        }
    }

    private async Task DeliverAsync(RoomCommit commit, TaskCompletionSource done, CancellationToken stop)
    {
        feeds.Offer(commit);
        var rows = await members.GetAsync(commit.Room, stop);
        HashSet<string> recipients = rows.Select(row => row.UserId).ToHashSet(StringComparer.Ordinal);
        // Who just left is told so too.
        recipients.UnionWith(commit.Entries.Where(entry => entry.Type == EntryTypes.MemberLeft).SelectMany(entry => entry.UserIds ?? []));
        var routes = await frames.RouteAsync(recipients);
        var silent = rows.Where(row => row.Muted).Select(row => row.UserId).ToHashSet(StringComparer.Ordinal);
        List<(Entry Message, Task<IReadOnlyList<string>> Missed)> sent = [];
        for (var i = 0; i < commit.Entries.Count; i++)
        {
            var entry = commit.Entries[i];
            using var span = ApiTelemetry.Source.StartActivity("deliver", ActivityKind.Producer, commit.Traces[i]);
            span?.SetTag("chat.room.id", entry.RoomId).SetTag("chat.entry.seq", entry.Seq).SetTag("chat.relays", routes.ByRelay.Count);
            var payload = UnsafeByteOperations.UnsafeWrap(ServerFrames.Entry(await attachments.WithLinksAsync(entry)));
            var missed = frames.Send(routes, entry.RoomId, entry.Seq, payload, span?.Context ?? commit.Traces[i]);
            if (entry.Type == EntryTypes.MessageCreated)
                sent.Add((entry, missed));
        }

        Follow(commit.Room.RoomId, sent, silent, done, stop);
        await activity.TouchAsync(commit, rows, stop);
    }

    // One worker serves a room, so that no two calls for it are made at once.
    private void Follow(string roomId, List<(Entry Message, Task<IReadOnlyList<string>> Missed)> sent, IReadOnlySet<string> silent, TaskCompletionSource done, CancellationToken stop)
    {
        var before = _outcomes.GetValueOrDefault(roomId, Task.CompletedTask);
        var outcome = PublishMissedAsync(before, sent, silent, done, stop);
        if (outcome.IsCompleted)
            return;
        _outcomes[roomId] = outcome;
        outcome.ContinueWith(
            _ => _outcomes.TryRemove(KeyValuePair.Create(roomId, outcome)), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private async Task PublishMissedAsync(
        Task before, List<(Entry Message, Task<IReadOnlyList<string>> Missed)> sent, IReadOnlySet<string> silent, TaskCompletionSource done, CancellationToken stop)
    {
        await before;
        foreach (var (message, missed) in sent)
        {
            try
            {
                var users = (await missed.WaitAsync(stop)).Where(user => user != message.ActorId && !silent.Contains(user)).Order(StringComparer.Ordinal).ToList();
                if (users.Count == 0)
                    continue;
                ApiTelemetry.Missed.Add(users.Count);
                await events.DeliveryMissedAsync(message, users, stop);
            }
            catch (Exception error)
            {
                if (stop.IsCancellationRequested)
                    Log.OutcomeUnknown(logger, message.RoomId, message.Seq);
                else
                    Log.DeliveryFailed(logger, message.RoomId, message.Seq, error);
                done.TrySetCanceled(CancellationToken.None);
            }
        }

        done.TrySetResult();
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Error, "Room {RoomId} up to {Seq}: delivery failed after the commit.")]
        public static partial void DeliveryFailed(ILogger logger, string roomId, long seq, Exception error);

        [LoggerMessage(LogLevel.Warning, "Room {RoomId}, entry {Seq}: this server stopped before it was known who missed it.")]
        public static partial void OutcomeUnknown(ILogger logger, string roomId, long seq);
    }
}
