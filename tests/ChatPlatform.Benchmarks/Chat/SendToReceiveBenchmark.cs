using System.Diagnostics;
using System.Globalization;
using System.Net;
using ChatPlatform.Benchmarks.LocalAws;
using ChatPlatform.ServiceTests.Chat;
using ChatPlatform.ServiceTests.Processes;

namespace ChatPlatform.Benchmarks.Chat;

/// <summary>
/// How long a message takes from its sender to the other member: 200 users in 100 direct rooms, one of each room on either of two relays, two API servers. A send is a WebSocket frame
/// to the one relay; it is stored and its event spooled, and then the other relay brings it to the receiver. Open loop: messages leave on a schedule, whatever became of those before,
/// and a latency counts from the instant that the schedule says (so that a stall of the sender's side counts too).
/// </summary>
internal sealed class SendToReceiveBenchmark : IAsyncDisposable
{
    private const int Rooms = 100;
    private const int MostPerSecond = 8_000;
    private static readonly TimeSpan Aim = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    // Some clients are silent for longer than one may be while others' messages are waited for.
    private readonly ChatSystem _system = new() { KeepsData = true, HeartbeatSeconds = 3_600 };
    private readonly CancellationTokenSource _stop = new();

    // The users of room i are 2i, on the first relay, and 2i + 1, on the second.
    private readonly RawSocket[] _sockets = new RawSocket[2 * Rooms];
    private readonly string[] _rooms = new string[Rooms];
    private readonly List<Task> _readers = [];
    private int _sent;
    private Trial _trial = new(0, 0);

    /// <summary>Gives <c>p99_ms_at_500</c> and <c>max_rate</c>.</summary>
    public static async Task<(TimeSpan P99At500, int MaxRate)> RunAsync(TextWriter output, bool quick, CancellationToken cancellationToken)
    {
        await using var benchmark = new SendToReceiveBenchmark();
        await benchmark.StartAsync(cancellationToken);
        return await benchmark.MeasureAsync(output, TimeSpan.FromSeconds(quick ? 3 : 10), cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        foreach (var socket in _sockets)
            socket?.Reset();
        await Task.WhenAll(_readers);
        await _system.DisposeAsync();
        _stop.Dispose();
    }

    private async Task StartAsync(CancellationToken cancellationToken)
    {
        await _system.InitializeAsync();
        await _system.WaitForApiNodesAsync();
        var users = Enumerable.Range(0, 2 * Rooms).Select(_ => _system.NewLocalUser(TimeSpan.FromHours(2))).ToArray();
        for (var i = 0; i < Rooms; i++)
            _rooms[i] = await users[2 * i].NewDirectAsync(users[(2 * i) + 1]);
        for (var i = 0; i < users.Length; i++)
        {
            _sockets[i] = await RawSocket.ConnectAsync(_system.Relays[i % 2], IPAddress.Loopback, users[i].Token, cancellationToken);
            await _sockets[i].SendAsync("""{"type":"hello"}""", cancellationToken);
            var user = i;
            _readers.Add(Task.Run(() => ReadAsync(user), cancellationToken));
        }
    }

    private async Task<(TimeSpan P99At500, int MaxRate)> MeasureAsync(TextWriter output, TimeSpan duration, CancellationToken cancellationToken)
    {
        await output.WriteLineAsync(
            $"""
            (a) 200 users in 100 direct rooms, send to receive over two relays with the durable write, open loop, {duration.TotalSeconds:0} s each after a warm-up.
            A latency counts from the instant a message was to leave at; max_rate is the highest rate with p99 of at most {Aim.TotalMilliseconds:0} ms and none missing.
            """);
        await output.WriteLineAsync("    messages/s      p50 ms   p99 ms   max ms   missing   refused   CPU ms a message: API, relays, LocalAws, clients");
        // Code is compiled anew while it becomes hot, which takes more of the processors than the messages do.
        for (var i = 0; i < 3; i++)
            await TryAsync(300, duration, cancellationToken);

        var p99At500 = TimeSpan.Zero;
        var (held, failed) = (0, MostPerSecond);
        foreach (var rate in (int[])[100, 500, 1_000])
        {
            var trial = await ReportAsync(rate);
            if (rate == 500)
                p99At500 = trial.P99;
        }

        // First up, then in between, until the two are within a tenth.
        for (var rate = 2 * held; held > 0 && rate < failed; rate *= 2)
            await ReportAsync(rate);
        while (held > 0 && failed > held * 1.1)
            await ReportAsync((int)Math.Round((held + failed) / 20.0) * 10);
        return (p99At500, held);

        async Task<Trial> ReportAsync(int rate)
        {
            var before = Cpu();
            var trial = await TryAsync(rate, duration, cancellationToken);
            var cpu = Cpu().Zip(before, (now, then) => ((now - then).TotalMilliseconds / trial.Count).ToString("0.00", CultureInfo.InvariantCulture));
            await output.WriteLineAsync(FormattableString.Invariant(
                $"    {rate,10:N0} {trial.P50.TotalMilliseconds,11:0.0} {trial.P99.TotalMilliseconds,8:0.0} {trial.Max.TotalMilliseconds,8:0.0} {trial.Missing,9:N0} {trial.Refused,9:N0}   {string.Join(", ", cpu)}"));
            if (trial.Missing == 0 && trial.P99 <= Aim)
                held = Math.Max(held, rate);
            else
                failed = Math.Min(failed, rate);
            return trial;
        }
    }

    private TimeSpan[] Cpu() => [CpuOf([.. _system.ApiProcesses]), CpuOf([.. _system.RelayProcesses]), CpuOf([_system.AwsProcess]), Environment.CpuUsage.TotalTime];

    private static TimeSpan CpuOf(IEnumerable<ServiceProcess> processes)
    {
        var sum = TimeSpan.Zero;
        foreach (var service in processes)
        {
            using var process = Process.GetProcessById(service.Id);
            sum += process.TotalProcessorTime;
        }

        return sum;
    }

    /// <summary>Sends at a rate for a time, and waits until all has arrived, or the patience ends.</summary>
    private async Task<Trial> TryAsync(int rate, TimeSpan duration, CancellationToken cancellationToken)
    {
        var trial = new Trial(_sent, (int)(rate * duration.TotalSeconds));
        Volatile.Write(ref _trial, trial);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
        var start = Stopwatch.GetTimestamp() + (Stopwatch.Frequency / 20);
        for (var i = 0; i < trial.Count;)
        {
            await timer.WaitForNextTickAsync(cancellationToken);
            for (var now = Stopwatch.GetTimestamp(); i < trial.Count && Due(i) <= now; i++)
            {
                trial.Intended[i] = Due(i);
                await SendAsync(_sent++, cancellationToken);
            }
        }

        for (var watch = Stopwatch.StartNew(); trial.Missing > trial.Refused && watch.Elapsed < Patience;)
            await timer.WaitForNextTickAsync(cancellationToken);
        return trial;

        long Due(int i) => start + (long)(i * (double)Stopwatch.Frequency / rate);
    }

    // Each message goes to the next room; in every second round the other member writes.
    private static int SenderOf(int number) => (2 * (number % Rooms)) + (number / Rooms % 2);

    private Task SendAsync(int number, CancellationToken cancellationToken) => _sockets[SenderOf(number)].SendAsync(
        $$"""{"type":"send","ref":"{{number}}","roomId":"{{_rooms[number % Rooms]}}","clientMessageId":"{{number}}","kind":"text","text":"당근 있어요? 오늘 저녁 7시에 역 앞에서 만나요."}""",
        cancellationToken);

    private async Task ReadAsync(int user)
    {
        var buffer = new byte[64 * 1_024];
        var frames = 0;
        try
        {
            do
            {
                frames = 0;
                await _sockets[user].ReadAsync(buffer, Take, _stop.Token);
            }
            while (frames > 0);
        }
        catch (Exception error) when (_stop.IsCancellationRequested && error is OperationCanceledException or System.Net.Sockets.SocketException or ObjectDisposedException)
        {
            return;
        }

        if (!_stop.IsCancellationRequested)
            throw new InvalidOperationException($"The connection of user {user} was closed with {_sockets[user].CloseCode}.");

        void Take(ReadOnlySpan<byte> frame)
        {
            frames++;
            if (frame.StartsWith("{\"type\":\"entry\""u8) && NumberOf(frame, "\"clientMessageId\":\""u8) is { } number && SenderOf(number) != user)
                Volatile.Read(ref _trial).Arrived(number);
            else if (frame.StartsWith("{\"type\":\"error\""u8) && NumberOf(frame, "\"ref\":\""u8) is { } refused)
                Volatile.Read(ref _trial).Refuse(refused);
        }
    }

    private static int? NumberOf(ReadOnlySpan<byte> frame, ReadOnlySpan<byte> name)
    {
        var at = frame.IndexOf(name);
        return at >= 0 && System.Buffers.Text.Utf8Parser.TryParse(frame[(at + name.Length)..], out int number, out _) ? number : null;
    }

    /// <summary>What became of the messages from number <paramref name="first"/> on. Receivers report concurrently.</summary>
    private sealed class Trial(int first, int count)
    {
        private readonly LatencyHistogram _latencies = new();
        private readonly bool[] _arrived = new bool[count];
        private readonly Lock _lock = new();
        private int _refused;

        /// <summary>When each was to leave; written before it does.</summary>
        public long[] Intended { get; } = new long[count];

        public int Count => count;

        public long Missing
        {
            get
            {
                lock (_lock)
                    return count - _latencies.Count;
            }
        }

        /// <summary>Sends that were answered with an error frame; they are missing too.</summary>
        public int Refused => Volatile.Read(ref _refused);

        public TimeSpan P50 => Percentile(0.5);

        public TimeSpan P99 => Percentile(0.99);

        public TimeSpan Max => Percentile(1);

        public void Refuse(int number)
        {
            if (number >= first && number < first + count)
                Interlocked.Increment(ref _refused);
        }

        public void Arrived(int number)
        {
            var (now, i) = (Stopwatch.GetTimestamp(), number - first);
            // One that came too late for its own trial.
            if (i < 0 || i >= count)
                return;
            lock (_lock)
            {
                if (_arrived[i])
                    return;
                _arrived[i] = true;
                _latencies.Add(Stopwatch.GetElapsedTime(Intended[i], now));
            }
        }

        private TimeSpan Percentile(double share)
        {
            lock (_lock)
                return _latencies.Percentile(share);
        }
    }
}
