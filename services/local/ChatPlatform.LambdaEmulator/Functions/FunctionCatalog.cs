using ChatPlatform.LambdaEmulator.Protocol;
using ChatPlatform.LambdaEmulator.RuntimeApi;

namespace ChatPlatform.LambdaEmulator.Functions;

/// <summary>The configured functions by name, and the loop that ends idle processes. Thread-safe.</summary>
internal sealed class FunctionCatalog : IDisposable
{
    private static readonly TimeSpan ReapInterval = TimeSpan.FromSeconds(1);

    private readonly Dictionary<string, LambdaFunction> _functions;
    private readonly CancellationTokenSource _stop = new();
    private readonly TimeProvider _time;
    private readonly EmulatorOptions _options;
    private Task _reaping = Task.CompletedTask;

    public FunctionCatalog(EmulatorOptions options, RuntimePorts ports, ProcessStarter starter, ILoggerFactory loggers, TimeProvider time)
    {
        (_options, _time) = (options, time);
        _functions = options.Functions.Values.ToDictionary(f => f.Name, f => new LambdaFunction(f, options, ports, starter, loggers, time, ReclaimAsync), StringComparer.Ordinal);
    }

    public IEnumerable<LambdaFunction> All => _functions.Values.OrderBy(f => f.Options.Name, StringComparer.Ordinal);

    /// <summary>Finds a function by name, partial ARN (<c>123456789012:function:NAME</c>) or ARN, with or without <c>:$LATEST</c>.</summary>
    /// <exception cref="LambdaException">404 when there is none.</exception>
    public LambdaFunction Get(string nameOrArn)
    {
        var name = nameOrArn;
        var marker = name.IndexOf(":function:", StringComparison.Ordinal);
        if (marker >= 0)
            name = name[(marker + ":function:".Length)..];
        if (name.EndsWith(":$LATEST", StringComparison.Ordinal))
            name = name[..^":$LATEST".Length];
        return _functions.TryGetValue(name, out var function)
            ? function
            : throw LambdaException.NotFound($"Function not found: arn:aws:lambda:{_options.Region}:{_options.AccountId}:function:{name}");
    }

    public void Start() => _reaping = ReapAsync();

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _reaping;
        await Task.WhenAll(_functions.Values.Select(f => f.StopAsync()));
    }

    public void Dispose() => _stop.Dispose();

    private async Task ReclaimAsync()
    {
        foreach (var function in _functions.Values)
        {
            if (await function.EndOneIdleAsync())
                return;
        }
    }

    private async Task ReapAsync()
    {
        using var timer = new PeriodicTimer(ReapInterval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
            {
                foreach (var function in _functions.Values)
                    await function.ReapAsync();
            }
        }
        catch (OperationCanceledException)
        {
            return;
        }
    }
}
