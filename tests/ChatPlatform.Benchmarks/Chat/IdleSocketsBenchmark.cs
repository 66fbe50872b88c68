using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using ChatPlatform.ServiceTests.Chat;
using ChatPlatform.ServiceTests.Processes;

namespace ChatPlatform.Benchmarks.Chat;

/// <summary>
/// What an idle socket costs: resident bytes of one relay with <c>CHAT_IDLE_SOCKETS</c> sockets (20,000; 4,000 in a quick run), each a user of its own who has said hello, less those with none, divided by
/// their number. Resident is VmRSS as the kernel counts it, read when it has not moved for a while. The relay runs as it does everywhere; no knob is turned for the benchmark.
/// </summary>
internal static class IdleSocketsBenchmark
{
    private const int AtOnce = 64;

    // Of the descriptors a process may have, what the relay and this process need for everything else.
    private const int SpareDescriptors = 600;

    /// <summary>Gives <c>bytes_per_connection</c>.</summary>
    public static async Task<double> RunAsync(TextWriter output, bool quick, CancellationToken cancellationToken)
    {
        var wanted = int.Parse(Environment.GetEnvironmentVariable("CHAT_IDLE_SOCKETS") ?? (quick ? "4000" : "20000"), CultureInfo.InvariantCulture);
        var count = Math.Min(wanted, DescriptorLimit() - SpareDescriptors);
        if (count < wanted)
            await output.WriteLineAsync($"(c) idle sockets: {count:N0} instead of {wanted:N0}, because this machine lets a process have no more descriptors (ulimit -Hn)");

        var key = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
        var url = new Uri($"http://127.0.0.1:{ServiceProcess.FreePort()}/");
        await using var redis = await RedisCluster.StartAsync();
        await using var relay = ServiceProcess.StartService("services/ChatPlatform.Relay", new Dictionary<string, string?>
        {
            ["ASPNETCORE_ENVIRONMENT"] = "Production",
            ["ASPNETCORE_URLS"] = url.ToString(),
            ["GRPC_PORT"] = ServiceProcess.FreePort().ToString(CultureInfo.InvariantCulture),
            ["ConnectionStrings__redis"] = redis.ConnectionString,
            ["Api__GrpcAddress"] = "http://127.0.0.1:1",
            ["Jwt__SigningKey"] = key,
            ["Jwt__Issuer"] = "https://chat.test",
            ["Jwt__Audience"] = "chat",
            // Idle means idle: nobody pings while it is measured.
            ["Relay__HeartbeatSeconds"] = "3600",
        });
        await relay.WaitForHealthAsync(url + "health");

        List<RawSocket> sockets = [];
        try
        {
            // A few first, so that code and pools are warm and count on neither side.
            await ConnectAsync(0, AtOnce);
            var before = await RestingSizeAsync(relay.Id, cancellationToken);
            var watch = Stopwatch.StartNew();
            await ConnectAsync(AtOnce, count);
            var seconds = watch.Elapsed.TotalSeconds;
            var after = await RestingSizeAsync(relay.Id, cancellationToken);
            var each = (after - before) / (double)count;
            await output.WriteLineAsync(FormattableString.Invariant(
                $"(c) idle sockets: {count:N0} connected in {seconds:0.0} s ({count / seconds:0}/s); relay {before / 1e6:0.0} MB -> {after / 1e6:0.0} MB resident, {each:0} bytes a connection"));
            return each;
        }
        finally
        {
            foreach (var socket in sockets)
                await socket.DisposeAsync();
        }

        Task ConnectAsync(int first, int number) => Parallel.ForEachAsync(
            Enumerable.Range(first, number),
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken },
            async (i, stop) =>
            {
                var from = new IPAddress([127, 0, 1, (byte)(1 + (i % 4))]);
                var socket = await RawSocket.ConnectAsync(url, from, SignedToken.Create(key, $"user-{i}"), stop);
                lock (sockets)
                    sockets.Add(socket);
                await socket.SendAsync("""{"type":"hello"}""", stop);
                if (await socket.ReadAsync(new byte[1_024], stop) is not [var welcome] || !welcome.Contains("\"welcome\"", StringComparison.Ordinal))
                    throw new InvalidOperationException($"socket {i} was not welcomed; the relay says:\n{relay.Output}");
            });
    }

    private static async Task<long> RestingSizeAsync(int processId, CancellationToken cancellationToken)
    {
        var (size, unchanged) = (Resident(processId), 0);
        for (var i = 0; i < 60 && unchanged < 8; i++)
        {
            await Task.Delay(TimeSpan.FromSeconds(1), cancellationToken);
            var now = Resident(processId);
            unchanged = Math.Abs(now - size) < size / 200 ? unchanged + 1 : 0;
            size = now;
        }

        return size;
    }

    private static long Resident(int processId) => 1_024 * Field($"/proc/{processId}/status", "VmRSS:", 1);

    private static int DescriptorLimit() => (int)Math.Min(int.MaxValue, Field("/proc/self/limits", "Max open files", 4));

    // The word at an index of the line that begins so.
    private static long Field(string file, string line, int index) => long.Parse(
        File.ReadLines(file).First(text => text.StartsWith(line, StringComparison.Ordinal)).Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[index],
        CultureInfo.InvariantCulture);
}
