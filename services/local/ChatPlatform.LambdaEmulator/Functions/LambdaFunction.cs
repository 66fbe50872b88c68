using System.ComponentModel;
using System.Diagnostics;
using ChatPlatform.LambdaEmulator.Protocol;
using ChatPlatform.LambdaEmulator.RuntimeApi;

namespace ChatPlatform.LambdaEmulator.Functions;

/// <summary>
/// A function and its processes: one per concurrent invocation, started when none is idle (a cold start), the one used last taken first. Thread-safe.
/// </summary>
internal sealed class LambdaFunction(
    FunctionOptions options, EmulatorOptions emulator, RuntimePorts ports, ProcessStarter starter, ILoggerFactory loggers, TimeProvider time,
    Func<Task> reclaim)
{
    private readonly ILogger _logger = loggers.CreateLogger($"Lambda.{options.Name}");
    private readonly Lock _gate = new();
    private readonly Stack<ExecutionEnvironment> _idle = new();
    private readonly HashSet<ExecutionEnvironment> _all = [];
    private bool _stopped;

    public FunctionOptions Options => options;

    public string Arn { get; } = $"arn:aws:lambda:{emulator.Region}:{emulator.AccountId}:function:{options.Name}";

    /// <summary>Runs one invocation. A function error is a result, not an exception.</summary>
    /// <exception cref="LambdaException">429 when no further process may be started.</exception>
    public async Task<InvocationResult> InvokeAsync(byte[] payload, string? clientContext = null)
    {
        using var activity = Telemetry.Source.StartActivity($"invoke {options.Name}", ActivityKind.Server);
        while (true)
        {
            var invocation = new Invocation(Arn, payload, clientContext);
            activity?.SetTag("faas.invocation_id", invocation.RequestId);
            ExecutionEnvironment environment;
            try
            {
                environment = TakeIdle() ?? await StartAsync();
            }
            catch (Win32Exception error)
            {
                return Failed(InvocationResult.Failed("Runtime.InvalidEntrypoint", $"RequestId: {invocation.RequestId} Error: {error.Message}"), activity);
            }

            var result = await environment.InvokeAsync(invocation);
            await GiveBackAsync(environment);
            if (result is null)
                continue;
            result = result with { RequestId = invocation.RequestId };
            return result.FunctionError is null ? result : Failed(result, activity);
        }
    }

    /// <summary>Ends processes that have been idle for too long.</summary>
    public async Task ReapAsync()
    {
        List<ExecutionEnvironment> old;
        lock (_gate)
        {
            old = [.. _idle.Where(e => !e.Alive || time.GetElapsedTime(e.IdleSince) > emulator.IdleTime)];
            if (old.Count == 0)
                return;
            var kept = _idle.Except(old).Reverse().ToArray();
            _idle.Clear();
            foreach (var environment in kept)
                _idle.Push(environment);
            _all.ExceptWith(old);
        }

        foreach (var environment in old)
            await environment.DisposeAsync();
    }

    /// <summary>Ends the process that has been idle for longest; false when none is idle.</summary>
    public async Task<bool> EndOneIdleAsync()
    {
        ExecutionEnvironment longest;
        lock (_gate)
        {
            if (_idle.Count == 0)
                return false;
            longest = _idle.Last();
            var kept = _idle.SkipLast(1).Reverse().ToArray();
            _idle.Clear();
            foreach (var environment in kept)
                _idle.Push(environment);
            _all.Remove(longest);
        }

        await longest.DisposeAsync();
        return true;
    }

    /// <summary>Ends every process; an invocation under way ends as a function error.</summary>
    public async Task StopAsync()
    {
        ExecutionEnvironment[] all;
        lock (_gate)
        {
            _stopped = true;
            all = [.. _all];
            _all.Clear();
            _idle.Clear();
        }

        foreach (var environment in all)
            await environment.DisposeAsync();
    }

    private InvocationResult Failed(InvocationResult result, Activity? activity)
    {
        activity?.SetStatus(ActivityStatusCode.Error);
        Telemetry.Errors.Add(1, new KeyValuePair<string, object?>("function", options.Name));
        return result;
    }

    private ExecutionEnvironment? TakeIdle()
    {
        lock (_gate)
            return _idle.TryPop(out var environment) ? environment : null;
    }

    private async Task<ExecutionEnvironment> StartAsync()
    {
        var port = _stopped ? null : ports.Lease();
        if (port is null && !_stopped)
        {
            // Only processes that work count as concurrency: an idle one of another function makes room.
            await reclaim();
            port = ports.Lease();
        }

        if (port is null)
        {
            Telemetry.Throttles.Add(1, new KeyValuePair<string, object?>("function", options.Name));
            throw LambdaException.Throttled("Rate Exceeded.");
        }

        ExecutionEnvironment environment;
        try
        {
            environment = await ExecutionEnvironment.StartAsync(options, emulator, port, ports, starter, new FunctionLog(_logger, options.Name), time);
        }
        catch
        {
            ports.Return(port);
            throw;
        }

        lock (_gate)
        {
            if (!_stopped)
            {
                _all.Add(environment);
                return environment;
            }
        }

        await environment.DisposeAsync();
        throw LambdaException.Throttled("The emulator is stopping.");
    }

    private async Task GiveBackAsync(ExecutionEnvironment environment)
    {
        lock (_gate)
        {
            if (environment.Alive && !_stopped)
            {
                _idle.Push(environment);
                return;
            }

            _all.Remove(environment);
        }

        await environment.DisposeAsync();
    }
}
