using ChatPlatform.LambdaEmulator.Functions;
using ChatPlatform.LambdaEmulator.Protocol;

namespace ChatPlatform.LambdaEmulator.Invocations;

/// <summary>
/// The queue behind <c>InvocationType=Event</c> (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html): an error is tried twice more, after one
/// minute and after two; a throttled invocation goes on for six hours with a pause of 1 s doubling to 5 minutes. The queue is in memory, of 10,000 events; a full one throttles.
/// Thread-safe.
/// </summary>
internal sealed partial class AsynchronousInvocations(TimeProvider time, ILogger<AsynchronousInvocations> logger) : IDisposable
{
    private const int Capacity = 10_000;
    private const int Workers = 8;
    private static readonly TimeSpan MaximumAge = TimeSpan.FromHours(6);
    private static readonly TimeSpan[] ErrorPauses = [TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(2)];

    private readonly PriorityQueue<Entry, DateTimeOffset> _queue = new();
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _slots = new(Workers);
    private readonly SemaphoreSlim _added = new(0);
    private readonly CancellationTokenSource _stop = new();
    private readonly HashSet<Task> _running = [];
    private Task _loop = Task.CompletedTask;

    private sealed record Entry(LambdaFunction Function, byte[] Payload, string? ClientContext, DateTimeOffset Accepted)
    {
        public int Errors { get; init; }

        public int Throttles { get; init; }
    }

    /// <summary>Accepts an event.</summary>
    /// <exception cref="LambdaException">429 when the queue is full.</exception>
    public void Add(LambdaFunction function, byte[] payload, string? clientContext)
    {
        lock (_gate)
        {
            if (_queue.Count >= Capacity)
                throw LambdaException.Throttled("Rate Exceeded.");
        }

        var now = time.GetUtcNow();
        Enqueue(new Entry(function, payload, clientContext, now), now);
    }

    public void Start() => _loop = RunAsync();

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        Task[] running;
        lock (_gate)
            running = [.. _running];
        await Task.WhenAll(running);
    }

    public void Dispose()
    {
        _slots.Dispose();
        _added.Dispose();
        _stop.Dispose();
    }

    private void Enqueue(Entry entry, DateTimeOffset due)
    {
        lock (_gate)
            _queue.Enqueue(entry, due);
        _added.Release();
    }

    private async Task RunAsync()
    {
        try
        {
            while (true)
            {
                TimeSpan pause;
                Entry? entry = null;
                lock (_gate)
                {
                    if (!_queue.TryPeek(out _, out var due))
                        pause = Timeout.InfiniteTimeSpan;
                    else if ((pause = due - time.GetUtcNow()) <= TimeSpan.Zero)
                        entry = _queue.Dequeue();
                }

                if (entry is null)
                {
                    // A new event, or the time of the first one, whichever is sooner.
                    using var wake = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
                    await Task.WhenAny(_added.WaitAsync(wake.Token), Task.Delay(pause, time, wake.Token));
                    await wake.CancelAsync();
                    _stop.Token.ThrowIfCancellationRequested();
                    continue;
                }

                await _slots.WaitAsync(_stop.Token);
                var run = InvokeAsync(entry);
                lock (_gate)
                {
                    _running.RemoveWhere(t => t.IsCompleted);
                    _running.Add(run);
                }
            }
        }
        catch (OperationCanceledException)
        {
            return;
        }
    }

    private async Task InvokeAsync(Entry entry)
    {
        try
        {
            var result = await entry.Function.InvokeAsync(entry.Payload, entry.ClientContext);
            if (result.FunctionError is null)
                return;
            if (entry.Errors < ErrorPauses.Length && !_stop.IsCancellationRequested)
                Enqueue(entry with { Errors = entry.Errors + 1 }, time.GetUtcNow() + ErrorPauses[entry.Errors]);
            else
                EventGivenUp(entry.Function.Options.Name, entry.Errors + 1);
        }
        catch (LambdaException error) when (error.Status == 429)
        {
            if (time.GetUtcNow() - entry.Accepted < MaximumAge && !_stop.IsCancellationRequested)
                Enqueue(entry with { Throttles = entry.Throttles + 1 }, time.GetUtcNow() + TimeSpan.FromSeconds(Math.Min(300, 1 << Math.Min(entry.Throttles, 9))));
            else
                EventGivenUp(entry.Function.Options.Name, entry.Errors);
        }
        finally
        {
            _slots.Release();
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "An asynchronous event for {Function} was given up after {Attempts} failed attempts")]
    private partial void EventGivenUp(string function, int attempts);
}
