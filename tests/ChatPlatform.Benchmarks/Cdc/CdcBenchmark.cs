namespace ChatPlatform.Benchmarks.Cdc;

/// <summary>The function's reader next to its peers, then the whole path.</summary>
internal static class CdcBenchmark
{
    /// <exception cref="InvalidOperationException">A peer cannot be run, or records do not arrive.</exception>
    public static async Task RunAsync(TextWriter output, string root, bool quick)
    {
        var unwrap = await UnwrapComparison.RunAsync(output, root, quick);
        var path = await new PathLoad(output, quick).RunAsync();
        await output.WriteLineAsync(FormattableString.Invariant(
            $"RESULT cdc unwrap_mb_s={unwrap.MegabytesPerSecond:0.0} unwrap_ratio={unwrap.Ratio:0.0} records_per_s={path.RecordsPerSecond:0} lag_p99_ms={path.Lag.Percentile(0.99).TotalMilliseconds:0}"));
    }
}
