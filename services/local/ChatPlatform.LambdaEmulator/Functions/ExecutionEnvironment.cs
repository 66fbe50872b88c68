using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Threading.Channels;
using ChatPlatform.LambdaEmulator.RuntimeApi;

namespace ChatPlatform.LambdaEmulator.Functions;

/// <summary>
/// One process of a function and its conversation over the Runtime API; Lambda's execution environment
/// (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html). One invocation at a time; the runtime's side (<see cref="NextAsync"/>,
/// <see cref="Answer"/>, <see cref="FailInit"/>) may be called from any thread.
/// </summary>
internal sealed class ExecutionEnvironment : IAsyncDisposable
{
    /// <summary>Lambda gives an init 10 s and then repeats it within the function's timeout; here it gets the longer of the two at once.</summary>
    private static readonly TimeSpan ShortestInitLimit = TimeSpan.FromSeconds(10);

    private readonly FunctionOptions _options;
    private readonly RuntimePort _port;
    private readonly RuntimePorts _ports;
    private readonly TimeProvider _time;
    private readonly FunctionLog _log;
    private readonly Channel<Invocation> _work = Channel.CreateBounded<Invocation>(1);
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<byte[]> _initError = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _ended = new();
    private readonly Lock _gate = new();
    private readonly Process _process;
    private readonly Task _exit;
    private readonly Task _output;
    private readonly long _started;

    // Guarded by _gate: the invocation under way and who waits for its end.
    private Invocation? _current;
    private TaskCompletionSource<InvocationResult>? _answer;
    private double? _initMilliseconds;

    private int _disposed;

    private ExecutionEnvironment(FunctionOptions options, RuntimePort port, RuntimePorts ports, Process process, FunctionLog log, TimeProvider time)
    {
        (_options, _port, _ports, _process, _log, _time) = (options, port, ports, process, log, time);
        _started = time.GetTimestamp();
        _output = Task.WhenAll(_log.PumpAsync(process.StandardOutput), _log.PumpAsync(process.StandardError));
        _exit = process.WaitForExitAsync();
    }

    public bool Alive => !_exit.IsCompleted && !_ended.IsCancellationRequested;

    public int ProcessId => _process.Id;

    /// <summary>When its last invocation ended, as a timestamp of the clock.</summary>
    public long IdleSince { get; private set; }

    /// <summary>Starts the process. The first invocation waits for it to be ready.</summary>
    /// <exception cref="Win32Exception">The program cannot be started.</exception>
    public static async Task<ExecutionEnvironment> StartAsync(
        FunctionOptions options, EmulatorOptions emulator, RuntimePort port, RuntimePorts ports, ProcessStarter starter, FunctionLog log, TimeProvider time)
    {
        var start = new ProcessStartInfo(options.Command, options.Arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        SetEnvironment(start.Environment, options, emulator, port.Number, time);
        var process = await starter.StartAsync(start);
        process.StandardInput.Close();
        var environment = new ExecutionEnvironment(options, port, ports, process, log, time);
        port.Tenant = environment;
        return environment;
    }

    /// <summary>The runtime asks for work: the first time it says that it is ready.</summary>
    public async Task<Invocation> NextAsync(CancellationToken cancellationToken)
    {
        if (_ready.TrySetResult())
            _initMilliseconds = _time.GetElapsedTime(_started).TotalMilliseconds;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _ended.Token);
        var invocation = await _work.Reader.ReadAsync(either.Token);
        invocation.Delivered = true;
        return invocation;
    }

    /// <summary>The runtime answers; false when that invocation is not under way.</summary>
    public bool Answer(string requestId, InvocationResult result)
    {
        lock (_gate)
            return _current?.RequestId == requestId && _current.Delivered && _answer!.TrySetResult(result);
    }

    /// <summary>The runtime cannot start; false when it had started.</summary>
    public bool FailInit(byte[] error) => !_ready.Task.IsCompleted && _initError.TrySetResult(error);

    /// <summary>Runs one invocation to its end: an answer, an error, the process's end or the timeout, which kills the process. Null when the process died before it took the invocation.</summary>
    public async Task<InvocationResult?> InvokeAsync(Invocation invocation)
    {
        var answer = new TaskCompletionSource<InvocationResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
            (_current, _answer) = (invocation, answer);
        _log.BeginTail();
        _log.Platform($"START RequestId: {invocation.RequestId} Version: $LATEST");

        var cold = !_ready.Task.IsCompleted;
        var began = _time.GetTimestamp();
        var result = cold ? await InitAsync(invocation) : null;
        if (result is null)
        {
            began = _time.GetTimestamp();
            invocation.Deadline = _time.GetUtcNow() + _options.Timeout;
            await _work.Writer.WriteAsync(invocation);
            result = await EndAsync(answer.Task, invocation);
        }

        lock (_gate)
            (_current, _answer) = (null, null);
        IdleSince = _time.GetTimestamp();
        if (result is null)
            return null;

        var duration = _time.GetElapsedTime(began).TotalMilliseconds;
        Telemetry.Duration.Record(duration, new KeyValuePair<string, object?>("function", _options.Name));
        Report(invocation, duration, cold ? _initMilliseconds : null, result);
        return result with { LogTail = _log.EndTail() };
    }

    /// <summary>Ends the process, whatever it does, and frees its port.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        await _ended.CancelAsync();
        Kill();
        await _exit;
        await Task.WhenAny(_output, Task.Delay(TimeSpan.FromSeconds(1), _time));
        _ports.Return(_port);
        _process.Dispose();
    }

    private async Task<InvocationResult?> InitAsync(Invocation invocation)
    {
        var limit = _options.Timeout > ShortestInitLimit ? _options.Timeout : ShortestInitLimit;
        using var stop = new CancellationTokenSource();
        var first = await Task.WhenAny(_ready.Task, _initError.Task, _exit, Task.Delay(limit, _time, stop.Token));
        await stop.CancelAsync();
        if (_initError.Task.IsCompletedSuccessfully)
        {
            Kill();
            return InvocationResult.Error(await _initError.Task);
        }

        if (first == _ready.Task)
            return null;
        if (first == _exit)
            return InvocationResult.Exited(invocation.RequestId, HowItEnded());
        Kill();
        return InvocationResult.TimedOut(invocation.RequestId, limit);
    }

    private async Task<InvocationResult?> EndAsync(Task<InvocationResult> answer, Invocation invocation)
    {
        using var stop = new CancellationTokenSource();
        await Task.WhenAny(answer, _exit, Task.Delay(_options.Timeout, _time, stop.Token));
        await stop.CancelAsync();
        if (answer.IsCompleted)
            return await answer;
        if (_exit.IsCompleted)
            return invocation.Delivered ? InvocationResult.Exited(invocation.RequestId, HowItEnded()) : null;
        Kill();
        return InvocationResult.TimedOut(invocation.RequestId, _options.Timeout);
    }

    private void Report(Invocation invocation, double duration, double? init, InvocationResult result)
    {
        if (result.FunctionError is not null)
            _log.Platform(Encoding.UTF8.GetString(result.Payload.AsSpan(0, Math.Min(result.Payload.Length, 2_000))));
        _log.Platform($"END RequestId: {invocation.RequestId}");
        var initPart = init is null ? "" : string.Create(CultureInfo.InvariantCulture, $"\tInit Duration: {init:0.00} ms");
        _log.Platform(string.Create(
            CultureInfo.InvariantCulture,
            $"REPORT RequestId: {invocation.RequestId}\tDuration: {duration:0.00} ms\tBilled Duration: {Math.Ceiling(duration + (init ?? 0)):0} ms\tMemory Size: {_options.MemorySize} MB\tMax Memory Used: {MaximumMemory()} MB{initPart}"));
    }

    private long MaximumMemory()
    {
        try
        {
            _process.Refresh();
            return _process.HasExited ? 0 : _process.PeakWorkingSet64 >> 20;
        }
        catch (InvalidOperationException)
        {
            // It ended between the two looks.
            return 0;
        }
    }

    /// <summary>In Lambda's words; a shell's convention tells signals from exit codes, since .NET gives 128 + signal.</summary>
    private string HowItEnded() => _process.ExitCode switch
    {
        0 => "Runtime exited without providing a reason",
        137 => "Runtime exited with error: signal: killed",
        > 128 and < 160 and var code => $"Runtime exited with error: signal: {code - 128}",
        var code => $"Runtime exited with error: exit status {code}",
    };

    private void Kill()
    {
        try
        {
            if (!_process.HasExited)
                _process.Kill(entireProcessTree: true);
        }
        catch (Exception error) when (error is InvalidOperationException or Win32Exception)
        {
            _log.Platform($"The process of {_options.Name} could not be killed: {error.Message}");
        }
    }

    /// <summary>https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime. The rest (PATH, HOME, AWS_ENDPOINT_URL, credentials) is inherited.</summary>
    private static void SetEnvironment(IDictionary<string, string?> environment, FunctionOptions options, EmulatorOptions emulator, int port, TimeProvider time)
    {
        string[] own = ["ASPNETCORE_", "OTEL_", "Functions__", "DataPath", "Kestrel__", "MaximumConcurrency", "PollInterval", "ShardDiscoveryInterval", "RetryBackoff", "IdleTime"];
        foreach (var key in environment.Keys.Where(k => own.Any(o => k.StartsWith(o, StringComparison.OrdinalIgnoreCase))).ToArray())
            environment.Remove(key);

        environment["AWS_LAMBDA_RUNTIME_API"] = $"127.0.0.1:{port.ToString(CultureInfo.InvariantCulture)}";
        environment["AWS_LAMBDA_FUNCTION_NAME"] = options.Name;
        environment["AWS_LAMBDA_FUNCTION_VERSION"] = "$LATEST";
        environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = options.MemorySize.ToString(CultureInfo.InvariantCulture);
        environment["AWS_LAMBDA_INITIALIZATION_TYPE"] = "on-demand";
        environment["AWS_LAMBDA_LOG_GROUP_NAME"] = $"/aws/lambda/{options.Name}";
        environment["AWS_LAMBDA_LOG_STREAM_NAME"] = string.Create(CultureInfo.InvariantCulture, $"{time.GetUtcNow():yyyy/MM/dd}/[$LATEST]{Guid.NewGuid():N}");
        environment["AWS_REGION"] = environment["AWS_DEFAULT_REGION"] = emulator.Region;
        environment["LAMBDA_TASK_ROOT"] = Environment.CurrentDirectory;
        environment["LAMBDA_RUNTIME_DIR"] = Environment.CurrentDirectory;
        environment["_HANDLER"] = options.Handler;
        environment["TZ"] = ":UTC";
        foreach (var (key, value) in options.Environment)
            environment[key] = value;
    }
}
