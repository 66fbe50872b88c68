using ChatPlatform.Contracts.Frames;
using ChatPlatform.Relay.Sessions;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Relay.Sockets;

/// <summary>
/// Leaving in order, when the host begins to stop: no new sockets, the lease given back so that no server addresses this node, then every client told to reconnect elsewhere
/// (each after a random wait of its own, so that they do not all come at once) and closed with 1001 once its last answer is out. Last, the API servers' streams end.
/// </summary>
internal sealed class Drain : IHostedService, IDisposable
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(5);

    // Answers, then closing handshakes, within the host's shutdown timeout.
    private static readonly TimeSpan LeaveTimeout = TimeSpan.FromSeconds(12);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    private readonly CancellationTokenSource _done = new();
    private readonly SessionRegistry _registry;
    private readonly SessionDirectory _directory;
    private readonly RelayOptions _options;
    private readonly TimeProvider _time;
    private readonly IHostApplicationLifetime _lifetime;
    private Task _draining = Task.CompletedTask;

    public Drain(SessionRegistry registry, SessionDirectory directory, IOptions<RelayOptions> options, TimeProvider time, IHostApplicationLifetime lifetime)
    {
        _registry = registry;
        _directory = directory;
        _options = options.Value;
        _time = time;
        _lifetime = lifetime;
    }

    public bool IsDraining => _lifetime.ApplicationStopping.IsCancellationRequested;

    /// <summary>Cancelled when all sockets are closed, or the time for it has passed.</summary>
    public CancellationToken Done => _done.Token;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        // Not in StopAsync: the web server stops before it, and waits for the very connections that are to be closed here.
        _lifetime.ApplicationStopping.Register(() => _draining = Task.Run(DrainAsync, CancellationToken.None));
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => _draining.WaitAsync(cancellationToken);

    public void Dispose() => _done.Dispose();

    private async Task DrainAsync()
    {
        try
        {
            await _directory.DropLeaseAsync();
            var started = _time.GetTimestamp();
            HashSet<ChatSocket> told = [];
            // Asked anew each time: a handshake that was under way may still bring a socket.
            while (_registry.All.ToList() is { Count: > 0 } sockets && _time.GetElapsedTime(started) < LeaveTimeout)
            {
                foreach (var socket in sockets)
                {
                    if (told.Add(socket))
                        socket.Enqueue(ServerFrames.Draining(TimeSpan.FromSeconds(Random.Shared.NextDouble() * _options.DrainSpreadSeconds)));
                    if (!socket.IsBusy || _time.GetElapsedTime(started) > AnswerTimeout)
                        socket.Close(CloseCodes.Draining);
                }

                await Task.Delay(Poll, _time);
            }
        }
        finally
        {
            await _done.CancelAsync();
        }
    }
}
