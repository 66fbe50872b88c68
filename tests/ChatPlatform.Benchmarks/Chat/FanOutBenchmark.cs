using System.Diagnostics;
using System.Globalization;
using System.Net;
using ChatPlatform.ServiceTests.Chat;

namespace ChatPlatform.Benchmarks.Chat;

/// <summary>
/// One sender in a room of <c>CHAT_FANOUT_MEMBERS</c> members (1,000), half of them connected to each of two relays; two API servers, the store and Redis run beside them.
/// Deliveries a second: entries that arrived at clients in <c>CHAT_FANOUT_SECONDS</c> (10), while the sender keeps 32 sends under way. Clients and servers share the machine.
/// A quick run has 200 members and 3 seconds.
/// </summary>
internal static class FanOutBenchmark
{
    private const int SendsAtOnce = 32;
    private const int ConnectsAtOnce = 64;

    /// <summary>Gives <c>fanout_per_s</c>.</summary>
    public static async Task<double> RunAsync(TextWriter output, bool quick, CancellationToken cancellationToken)
    {
        var count = Setting("CHAT_FANOUT_MEMBERS", quick ? 200 : 1_000);
        var seconds = Setting("CHAT_FANOUT_SECONDS", quick ? 3 : 10);
        // Members only listen, longer than a silent client may.
        var system = new ChatSystem { KeepsData = true, HeartbeatSeconds = 3_600 };
        List<RawSocket> sockets = [];
        try
        {
            await system.InitializeAsync();
            var members = Enumerable.Range(0, count).Select(_ => system.NewLocalUser(TimeSpan.FromHours(2))).ToArray();
            var room = await members[0].NewGroupAsync(members[1..]);
            var received = 0L;
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            List<Task> readers = [];
            await Parallel.ForEachAsync(
                Enumerable.Range(0, count),
                new ParallelOptions { MaxDegreeOfParallelism = ConnectsAtOnce, CancellationToken = cancellationToken },
                async (i, cancel) =>
                {
                    var socket = await RawSocket.ConnectAsync(system.Relays[i % 2], IPAddress.Loopback, members[i].Token, cancel);
                    await socket.SendAsync("""{"type":"hello"}""", cancel);
                    await socket.ReadAsync(new byte[1_024], cancel);
                    lock (sockets)
                    {
                        sockets.Add(socket);
                        readers.Add(CountAsync(socket));
                    }
                });

            await SendForAsync(TimeSpan.FromSeconds(2));
            var (before, watch) = (Interlocked.Read(ref received), Stopwatch.StartNew());
            var sent = await SendForAsync(TimeSpan.FromSeconds(seconds));
            var rate = (Interlocked.Read(ref received) - before) / watch.Elapsed.TotalSeconds;
            if (readers.Find(reader => reader.IsFaulted) is { } lost)
                await lost;
            await output.WriteLineAsync(FormattableString.Invariant($"(d) fan-out: {sent} messages to {count:N0} members over two relays in {watch.Elapsed.TotalSeconds:0.0} s: {rate:0} deliveries/s"));
            await stop.CancelAsync();
            foreach (var socket in sockets)
                socket.Reset();
            await Task.WhenAll(readers);
            return rate;

            async Task<int> SendForAsync(TimeSpan time)
            {
                var clock = Stopwatch.StartNew();
                var sends = await Task.WhenAll(Enumerable.Range(0, SendsAtOnce).Select(async _ =>
                {
                    var mine = 0;
                    for (; clock.Elapsed < time; mine++)
                        await members[0].SendAsync(room, "당근 있어요?");
                    return mine;
                }));
                return sends.Sum();
            }

            // Off the calling thread, and without building a string per frame.
            Task CountAsync(RawSocket socket) => Task.Run(
                async () =>
                {
                    var buffer = new byte[16 * 1_024];
                    try
                    {
                        while (await socket.CountAsync(buffer, stop.Token) is > 0 and var frames)
                            Interlocked.Add(ref received, frames);
                    }
                    catch (Exception error) when (stop.IsCancellationRequested && error is OperationCanceledException or System.Net.Sockets.SocketException or ObjectDisposedException)
                    {
                        return;
                    }

                    if (!stop.IsCancellationRequested)
                        throw new InvalidOperationException($"A member's connection was closed with {socket.CloseCode}.");
                },
                cancellationToken);
        }
        finally
        {
            await system.DisposeAsync();
        }
    }

    private static int Setting(string name, int standard) => int.Parse(Environment.GetEnvironmentVariable(name) ?? standard.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
}
