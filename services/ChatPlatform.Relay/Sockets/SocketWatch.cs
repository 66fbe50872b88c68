using ChatPlatform.Relay.Resume;
using ChatPlatform.Relay.Sessions;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Relay.Sockets;

/// <summary>
/// Closes sockets whose token has expired (4401), that said no hello in time or nothing for two heartbeats (4408), and drops those that do not come back to a close.
/// One timer for all of them, and for what is forgotten after a while.
/// </summary>
internal sealed class SocketWatch(SessionRegistry registry, RoomTails tails, SocketUpgrade upgrades, IOptions<RelayOptions> options, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(500);

    private readonly TimeSpan _hello = TimeSpan.FromSeconds(options.Value.HelloSeconds);
    private readonly TimeSpan _close = TimeSpan.FromSeconds(options.Value.CloseSeconds);
    private readonly TimeSpan _silence = TimeSpan.FromSeconds(2 * options.Value.HeartbeatSeconds);

    /// <summary>One look at every socket.</summary>
    internal void Check()
    {
        var now = time.GetUtcNow();
        foreach (var socket in registry.All)
        {
            socket.ForgetReplays();
            if (socket.CloseAwaited > _close)
                socket.Abort();
            else if (now >= socket.TokenRefusedFrom)
                socket.Close(CloseCodes.Unauthenticated);
            else if (socket.IsReady ? socket.Silence > _silence && !socket.IsBusy : socket.HelloAwaited > _hello)
                socket.Close(CloseCodes.Silent);
        }

        upgrades.DropLeft();
        tails.Sweep();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Period, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
            Check();
    }
}
