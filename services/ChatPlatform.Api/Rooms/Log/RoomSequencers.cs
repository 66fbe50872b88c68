using System.Collections.Concurrent;
using System.Diagnostics;
using ChatPlatform.Api.Access;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Api.Rooms.Log;

/// <summary>The sequencers of the rooms that this process is writing to. Thread-safe. At shutdown what was accepted is committed first.</summary>
internal sealed class RoomSequencers(
    IRoomLogStore store, IEntryEvents events, IRoomCommitObserver observer, IOptions<SequencerOptions> options, TimeProvider time, ILogger<RoomSequencers> logger)
    : IHostedService, IDisposable
{
    private readonly ConcurrentDictionary<string, (RoomSequencer Sequencer, Task Loop)> _rooms = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _start = new();

    /// <summary>How many rooms have a sequencer in memory.</summary>
    public int Count => _rooms.Count;

    /// <summary>Commits a change, or finds what an earlier try committed.</summary>
    /// <exception cref="ChatException"><c>overloaded</c> when the room's queue or the event spool is full; <c>unavailable</c> when the store gives no answer; the change's own refusal.</exception>
    public Task<CommittedChange> CommitAsync(RoomChange change)
    {
        while (true)
        {
            var sequencer = GetOrStart(change.RoomId);
            if (sequencer.TryAdd(change))
                return change.Completion;
            if (!sequencer.IsClosed || _stop.IsCancellationRequested)
                return Task.FromException<CommittedChange>(Refusals.Overloaded());
        }
    }

    public bool IsRunning(string roomId) => _rooms.ContainsKey(roomId);

    /// <summary>Takes up a room that was created here a moment ago, its event on disk, so that it is taken off the outbox when it falls idle.</summary>
    public void Adopt(RoomRow created) => GetOrStart(created.RoomId, created);

    /// <summary>Appends the events that a room owes and puts it down again. Ends when that is done, or given up with a warning in the log.</summary>
    public async Task RecoverAsync(string roomId)
    {
        GetOrStart(roomId, isRecovery: true);
        if (_rooms.TryGetValue(roomId, out var running))
            await running.Loop;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        var running = _rooms.Values.ToList();
        foreach (var (sequencer, _) in running)
            sequencer.Close();
        try
        {
            await Task.WhenAll(running.Select(room => room.Loop)).WaitAsync(cancellationToken);
        }
        finally
        {
            await _stop.CancelAsync();
        }
    }

    public void Dispose() => _stop.Dispose();

    private RoomSequencer GetOrStart(string roomId, RoomRow? created = null, bool isRecovery = false)
    {
        if (_rooms.TryGetValue(roomId, out var running) && !running.Sequencer.IsClosed)
            return running.Sequencer;
        // One starts at a time; a closed one that still commits its last changes is replaced at once.
        lock (_start)
        {
            if (_rooms.TryGetValue(roomId, out running) && !running.Sequencer.IsClosed)
                return running.Sequencer;
            var sequencer = new RoomSequencer(roomId, store, events, observer, options.Value, time, logger, created, isRecovery);
            _rooms[roomId] = (sequencer, Task.Run(() => RunAsync(roomId, sequencer)));
            return sequencer;
        }
    }

    private async Task RunAsync(string roomId, RoomSequencer sequencer)
    {
        // Not part of the call that happened to come first; each change brings its own trace.
        Activity.Current = null;
        try
        {
            await sequencer.RunAsync(_stop.Token);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            logger.LogDebug("The sequencer of room {RoomId} was stopped.", roomId);
        }
        catch (Exception error)
        {
            // Only taking a room up can fail here: a commit tells its callers. They, if any, were refused; the next one tries anew.
            logger.LogWarning(error, "Room {RoomId} could not be taken up.", roomId);
        }
        finally
        {
            // A loop may end before the one who starts it has written it down; left there, no sweep would ever take the room up again.
            lock (_start)
            {
                if (_rooms.TryGetValue(roomId, out var mine) && mine.Sequencer == sequencer)
                    _rooms.TryRemove(roomId, out _);
            }
        }
    }
}
