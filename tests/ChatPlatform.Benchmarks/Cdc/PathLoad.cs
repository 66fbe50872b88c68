using System.Diagnostics;
using System.Text.Json;
using ChatPlatform.Benchmarks.LocalAws;
using ChatPlatform.ServiceTests.Cdc;

namespace ChatPlatform.Benchmarks.Cdc;

/// <summary>What the path came to.</summary>
/// <param name="RecordsPerSecond">While a backlog is worked off.</param>
/// <param name="Lag">From just before a write to its line being seen in the bucket, at <see cref="PathLoad.WritesPerSecond"/>.</param>
internal sealed record PathResult(double RecordsPerSecond, LatencyHistogram Lag);

/// <summary>
/// Table → stream → emulator → function → Firehose → bucket, all as processes with their data on disk and with the AppHost's settings (batches of 1,000, no
/// parallelization, polls every 250 ms), but with Firehose's buffer at 0 s, so that it is the path that is measured and not its waiting. Items are of the
/// chat-log's size, some 300 bytes. First a backlog that is written before the mapping is there, then 2,000 writes a second in steady pace; the bucket is
/// listed every 50 ms, and every line of every new object is read.
/// </summary>
internal sealed class PathLoad(TextWriter output, bool quick)
{
    public const int WritesPerSecond = 2_000;
    private const int Connections = 16;
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private readonly int _backlog = quick ? 10_000 : 100_000;
    private readonly TimeSpan _time = TimeSpan.FromSeconds(quick ? 5 : 30);
    private readonly RequestTemplate _put = new("PutItem", $$$"""
        {"TableName":"{{{CdcSystem.Table}}}","Item":{"id":{"S":"item-%iiiiiiiii%"},"sentAt":{"N":"%tttttttttttttttt%"},"type":{"S":"message.created"},"actorId":{"S":"user-0042"},
        "message":{"M":{"ordinal":{"N":"1%iiiiiiiii%"},"senderId":{"S":"user-0042"},"kind":{"S":"text"},"clientMessageId":{"S":"m-%iiiiiiiii%"},"text":{"S":"{{{new string('x', 77)}}}"}} }} }
        """.ReplaceLineEndings(""));

    private long _written;
    private long _read;

    /// <exception cref="InvalidOperationException">A line does not come within minutes.</exception>
    public async Task<PathResult> RunAsync()
    {
        await using var system = await CdcSystem.StartAsync(bufferSeconds: 0);
        using var load = new HttpLoad(new Uri(system.Aws.Url).Port, Connections);
        Write(load, _backlog);
        await system.MapAsync(batchSize: 1_000);
        var watch = Stopwatch.StartNew();
        await ReadUntilAsync(system, _backlog, null);
        var perSecond = _backlog / watch.Elapsed.TotalSeconds;
        output.WriteLine($"path: a backlog of {_backlog} records in {watch.Elapsed.TotalSeconds:0.0} s, the start of mapping and function included: {perSecond:0} a second");

        var lag = new LatencyHistogram();
        var expected = _backlog + (long)(_time.TotalSeconds * WritesPerSecond);
        var reading = Task.Run(() => ReadUntilAsync(system, expected, lag));
        var behind = await PaceAsync(load);
        watch.Restart();
        await reading;
        output.WriteLine(
            $"path: {WritesPerSecond} writes a second for {_time.TotalSeconds:0} s, at most {behind.TotalMilliseconds:0} ms behind; all in the bucket {watch.Elapsed.TotalMilliseconds:0} ms after the last; "
            + $"lag p50 {Milliseconds(0.5):0} ms, p90 {Milliseconds(0.9):0} ms, p99 {Milliseconds(0.99):0} ms, longest {lag.Max.TotalMilliseconds:0} ms");
        return new PathResult(perSecond, lag);

        double Milliseconds(double share) => lag.Percentile(share).TotalMilliseconds;
    }

    /// <summary>Writes at the pace; gives how far the writer was behind it at most.</summary>
    private async Task<TimeSpan> PaceAsync(HttpLoad load)
    {
        var (watch, done, behind) = (Stopwatch.StartNew(), 0L, TimeSpan.Zero);
        for (var total = (long)(_time.TotalSeconds * WritesPerSecond); done < total;)
        {
            var due = Math.Min(total, (long)(watch.Elapsed.TotalSeconds * WritesPerSecond));
            if (due == done)
            {
                await Task.Delay(Tick);
                continue;
            }

            Write(load, due - done);
            done = due;
            var late = watch.Elapsed - TimeSpan.FromSeconds((double)done / WritesPerSecond);
            behind = late > behind ? late : behind;
        }

        return behind;
    }

    private void Write(HttpLoad load, long count)
    {
        var end = _written + count;
        var result = load.Run(TimeSpan.MaxValue, _ =>
        {
            if (_written == end)
                return null;
            _put.Set('i', _written++);
            _put.Set('t', Microseconds());
            return _put;
        });
        if (result.Refused > 0)
            throw new InvalidOperationException("A write was refused.");
    }

    private async Task ReadUntilAsync(CdcSystem system, long expected, LatencyHistogram? lag)
    {
        var watch = Stopwatch.StartNew();
        while (_read < expected)
        {
            var before = _read;
            await foreach (var (listed, line) in system.NewLinesAsync())
            {
                _read++;
                lag?.Add(listed - SentAt(line));
            }

            if (watch.Elapsed > Patience)
                throw new InvalidOperationException($"After {Patience} there are {_read} lines of {expected} in the bucket: {system.Emulator.Output}");
            if (_read == before)
                await Task.Delay(50);
        }

        if (_read > expected)
            throw new InvalidOperationException($"{_read} lines for {expected} writes, and nothing was killed.");
    }

    private static DateTimeOffset SentAt(string line)
    {
        using var json = JsonDocument.Parse(line);
        return DateTimeOffset.UnixEpoch.AddTicks(json.RootElement.GetProperty("sentAt").GetInt64() * TimeSpan.TicksPerMicrosecond);
    }

    private static long Microseconds() => (DateTimeOffset.UtcNow - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
}
