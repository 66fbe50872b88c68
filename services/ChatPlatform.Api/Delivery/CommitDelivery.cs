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

    private readonly Channel<RoomCommit>[] _queues = Enumerable.Range(0, Workers)
        .Select(_ => Channel.CreateBounded<RoomCommit>(new BoundedChannelOptions(QueueLength) { SingleReader = true })).ToArray();

    // Per room the last of its outcomes that are still open. A frame that a relay owes an answer for holds up the outcomes of its room only; their number is bounded by what the
    // links take, and each ends within seconds.
    private readonly ConcurrentDictionary<string, Task> _outcomes = new(StringComparer.Ordinal);

    public ValueTask CommittedAsync(RoomCommit commit, CancellationToken cancellationToken) =>
        _queues[(uint)string.GetHashCode(commit.Room.RoomId, StringComparison.Ordinal) % Workers].Writer.WriteAsync(commit, cancellationToken);

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
    }

    private async Task WorkAsync(ChannelReader<RoomCommit> queue, CancellationToken stop)
    {
        await foreach (var commit in queue.ReadAllAsync(stop))
        {
            try
            {
                await DeliverAsync(commit, stop);
            }
            catch (Exception error) when (!stop.IsCancellationRequested)
            {
                // The entries are in the log; clients find them there. The worker goes on with the next room.
                Log.DeliveryFailed(logger, commit.Room.RoomId, commit.Room.LastSeq, error);
            }
        }
    }

    private async Task DeliverAsync(RoomCommit commit, CancellationToken stop)
    {
        feeds.Offer(commit);
        var rows = await members.GetAsync(commit.Room, stop);
        HashSet<string> recipients = rows.Select(row => row.UserId).ToHashSet(StringComparer.Ordinal);
        // Who just left is told so too.
        recipients.UnionWith(commit.Entries.Where(entry => entry.Type == EntryTypes.MemberLeft).SelectMany(entry => entry.UserIds ?? []));
        var routes = await frames.RouteAsync(recipients);
        var silent = rows.Where(row => row.Muted).Select(row => row.UserId).ToHashSet(StringComparer.Ordinal);
        for (var i = 0; i < commit.Entries.Count; i++)
        {
            var entry = commit.Entries[i];
            using var span = ApiTelemetry.Source.StartActivity("deliver", ActivityKind.Producer, commit.Traces[i]);
            span?.SetTag("chat.room.id", entry.RoomId).SetTag("chat.entry.seq", entry.Seq).SetTag("chat.relays", routes.ByRelay.Count);
            var payload = UnsafeByteOperations.UnsafeWrap(ServerFrames.Entry(await attachments.WithLinksAsync(entry)));
            var missed = frames.Send(routes, entry.RoomId, entry.Seq, payload, span?.Context ?? commit.Traces[i]);
            if (entry.Type == EntryTypes.MessageCreated)
                Follow(entry, missed, silent, stop);
        }

        await activity.TouchAsync(commit, rows, stop);
    }

    // One worker serves a room, so that no two calls for it are made at once.
    private void Follow(Entry entry, Task<IReadOnlyList<string>> missed, IReadOnlySet<string> silent, CancellationToken stop)
    {
        var before = _outcomes.GetValueOrDefault(entry.RoomId, Task.CompletedTask);
        var outcome = PublishMissedAsync(before, entry, missed, silent, stop);
        if (outcome.IsCompleted)
            return;
        _outcomes[entry.RoomId] = outcome;
        outcome.ContinueWith(
            _ => _outcomes.TryRemove(KeyValuePair.Create(entry.RoomId, outcome)), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private async Task PublishMissedAsync(Task before, Entry entry, Task<IReadOnlyList<string>> missed, IReadOnlySet<string> silent, CancellationToken stop)
    {
        try
        {
            await before;
            var users = (await missed.WaitAsync(stop)).Where(user => user != entry.ActorId && !silent.Contains(user)).Order(StringComparer.Ordinal).ToList();
            if (users.Count == 0)
                return;
            ApiTelemetry.Missed.Add(users.Count);
            await events.DeliveryMissedAsync(entry, users, stop);
        }
        catch (Exception error) when (!stop.IsCancellationRequested)
        {
            Log.DeliveryFailed(logger, entry.RoomId, entry.Seq, error);
        }
        catch (OperationCanceledException)
        {
            Log.OutcomeUnknown(logger, entry.RoomId, entry.Seq);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Error, "Room {RoomId} up to {Seq}: delivery failed after the commit.")]
        public static partial void DeliveryFailed(ILogger logger, string roomId, long seq, Exception error);

        [LoggerMessage(LogLevel.Warning, "Room {RoomId}, entry {Seq}: this server stopped before it was known who missed it.")]
        public static partial void OutcomeUnknown(ILogger logger, string roomId, long seq);
    }
}
