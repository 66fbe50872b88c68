using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>A line of a resource's console, numbered from 1, starting with its UTC time in ISO form.</summary>
public readonly record struct LogLine(int LineNumber, string Content, bool IsErrorMessage);

/// <summary>The console of each resource: what its program prints and what is logged on its behalf. The last 10,000 lines of each are kept.</summary>
public class ResourceLoggerService : IDisposable
{
    private readonly ConcurrentDictionary<string, ResourceLog> _logs = new(StringComparer.OrdinalIgnoreCase);

    internal Action<string, string, bool>? LineWritten { get; set; }

    public ILogger GetLogger(IResource resource) => new Fanout([.. resource.InstanceIds().Select(Log)]);

    public ILogger GetLogger(string resourceName) => new Fanout([Log(resourceName)]);

    public IAsyncEnumerable<IReadOnlyList<LogLine>> WatchAsync(IResource resource) => WatchAsync(resource.InstanceIds()[0]);

    /// <summary>The kept lines, then new ones, until the resource's log is completed or the enumeration is cancelled.</summary>
    public IAsyncEnumerable<IReadOnlyList<LogLine>> WatchAsync(string resourceName) => Log(resourceName).WatchAsync();

    public IAsyncEnumerable<IReadOnlyList<LogLine>> GetAllAsync(IResource resource) => GetAllAsync(resource.InstanceIds()[0]);

    /// <summary>The kept lines only.</summary>
    public async IAsyncEnumerable<IReadOnlyList<LogLine>> GetAllAsync(string resourceName)
    {
        await Task.CompletedTask.ConfigureAwait(false);
        yield return Log(resourceName).Backlog();
    }

    public void Complete(IResource resource)
    {
        foreach (var id in resource.InstanceIds())
        {
            Complete(id);
        }
    }

    public void Complete(string name) => Log(name).Complete();

    public void ClearBacklog(string resourceName) => Log(resourceName).Clear();

    public void Dispose()
    {
        foreach (var log in _logs.Values)
        {
            log.Complete();
        }

        GC.SuppressFinalize(this);
    }

    internal void Write(string resourceId, string line, bool isError) => Log(resourceId).Write(line, isError);

    private ResourceLog Log(string name) => _logs.GetOrAdd(name, id => new ResourceLog(this, id));

    /// <summary>Thread-safe. A watcher that does not keep up loses its oldest lines, never the program its speed.</summary>
    private sealed class ResourceLog(ResourceLoggerService service, string id)
    {
        private const int Kept = 10_000;
        private readonly Lock _gate = new();
        private readonly Queue<LogLine> _lines = new();
        private readonly List<Channel<LogLine>> _watchers = [];
        private int _count;

        public void Write(string line, bool isError)
        {
            lock (_gate)
            {
                var entry = new LogLine(
                    ++_count, $"{DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ss.fffffffK", CultureInfo.InvariantCulture)} {line}", isError);
                _lines.Enqueue(entry);
                if (_lines.Count > Kept)
                {
                    _lines.Dequeue();
                }

                foreach (var watcher in _watchers)
                {
                    watcher.Writer.TryWrite(entry);
                }
            }

            service.LineWritten?.Invoke(id, line, isError);
        }

        public LogLine[] Backlog()
        {
            lock (_gate)
            {
                return [.. _lines];
            }
        }

        public void Clear()
        {
            lock (_gate)
            {
                _lines.Clear();
                _count = 0;
            }
        }

        public void Complete()
        {
            lock (_gate)
            {
                _watchers.ForEach(w => w.Writer.TryComplete());
            }
        }

        public async IAsyncEnumerable<IReadOnlyList<LogLine>> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            var channel = Channel.CreateBounded<LogLine>(new BoundedChannelOptions(Kept) { FullMode = BoundedChannelFullMode.DropOldest });
            LogLine[] backlog;
            lock (_gate)
            {
                backlog = [.. _lines];
                _watchers.Add(channel);
            }

            try
            {
                if (backlog.Length > 0)
                {
                    yield return backlog;
                }

                while (await channel.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    var lines = new List<LogLine>();
                    while (lines.Count < 1000 && channel.Reader.TryRead(out var line))
                    {
                        lines.Add(line);
                    }

                    yield return lines;
                }
            }
            finally
            {
                lock (_gate)
                {
                    _watchers.Remove(channel);
                }
            }
        }
    }

    private sealed class Fanout(ResourceLog[] logs) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information && logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
            {
                return;
            }

            var text = formatter(state, exception) + (exception is null ? "" : Environment.NewLine + exception);
            foreach (var log in logs)
            {
                foreach (var line in text.Split('\n'))
                {
                    log.Write(line.TrimEnd('\r'), logLevel >= LogLevel.Error);
                }
            }
        }
    }
}
