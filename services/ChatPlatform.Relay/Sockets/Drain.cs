using ChatPlatform.Contracts.Frames;
using ChatPlatform.Relay.Sessions;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Relay.Sockets;

/// <summary>
/// Leaving in order, when the host begins to stop: no new sockets, the lease given back so that no server addresses this node, then every client told to reconnect elsewhere
/// (each after a random wait of its own, so that they do not all come at once) and closed with 1001 once its last answer is out.
/// </summary>
internal sealed class Drain : IHostedService
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

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

    public Task StartAsync(CancellationToken cancellationToken)
    {
        // Not in StopAsync: the web server stops before it, and waits for the very connections that are to be closed here.
        _lifetime.ApplicationStopping.Register(() => _draining = Task.Run(DrainAsync));
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => _draining.WaitAsync(cancellationToken);

    private async Task DrainAsync()
    {
        await _directory.DropLeaseAsync();
        await Task.WhenAll(_registry.All.Select(DrainAsync));
    }

    private async Task DrainAsync(ChatSocket socket)
    {
        socket.Enqueue(ServerFrames.Draining(TimeSpan.FromSeconds(Random.Shared.NextDouble() * _options.DrainSpreadSeconds)));
        var started = _time.GetTimestamp();
        while (socket.IsBusy && _time.GetElapsedTime(started) < AnswerTimeout)
            await Task.Delay(Poll, _time);
        socket.Close(CloseCodes.Draining);
    }
}
