namespace ChatPlatform.Benchmarks.Chat;

/// <summary>The chat service as processes on loopback.</summary>
internal static class ChatBenchmark
{
    /// <param name="output">Where the results go; the last line is the machine's.</param>
    /// <param name="quick">True for short runs of small sizes, which show that it works and little more.</param>
    public static async Task RunAsync(TextWriter output, bool quick)
    {
        await output.WriteLineAsync(
            $"""
            chat: API servers, relays, LocalAws and redis-server (3 nodes, a cluster) as processes on loopback, beside the clients on {Environment.ProcessorCount} processors.{(quick ? " Short runs." : "")}
            Release builds, workstation GC. Tables in files, acknowledged when the operating system has a write (LocalAws: DataPath, Fsync=false), and so are events; nobody takes
            events from the spools. Limits per user are raised, everything else is as delivered. Peer: none was run; no other chat server was at hand.
            """);
        var latency = await SendToReceiveBenchmark.RunAsync(output, quick, CancellationToken.None);
        var ratio = await GroupCommitBenchmark.RunAsync(output, quick, CancellationToken.None);
        var bytes = await IdleSocketsBenchmark.RunAsync(output, quick, CancellationToken.None);
        var fanOut = await FanOutBenchmark.RunAsync(output, quick, CancellationToken.None);
        var p99 = latency.P99At500.TotalMilliseconds;
        await output.WriteLineAsync(FormattableString.Invariant(
            $"RESULT chat p99_ms_at_500={p99:0.0} max_rate={latency.MaxRate} group_commit_ratio={ratio:0.00} bytes_per_connection={bytes:0} fanout_per_s={fanOut:0}"));
    }
}
