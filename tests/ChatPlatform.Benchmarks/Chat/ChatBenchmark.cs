namespace ChatPlatform.Benchmarks.Chat;

/// <summary>The chat service as processes on loopback.</summary>
internal static class ChatBenchmark
{
    public static async Task RunAsync(TextWriter output)
    {
        var bytes = await IdleSocketsBenchmark.RunAsync(output, CancellationToken.None);
        var fanOut = await FanOutBenchmark.RunAsync(output, CancellationToken.None);
        await output.WriteLineAsync(FormattableString.Invariant($"RESULT chat bytes_per_connection={bytes:0} fanout_per_s={fanOut:0}"));
    }
}
