using System.Text;

namespace ChatPlatform.LambdaEmulator.Functions;

/// <summary>A process's log: what it writes and the platform's own lines, each as one log message. Keeps the last 4 KB of an invocation for <c>X-Amz-Log-Result</c>. Thread-safe.</summary>
internal sealed partial class FunctionLog(ILogger logger, string function)
{
    /// <summary>CloudWatch's longest event; a longer line is cut into several.</summary>
    private const int LongestLine = 256 * 1024;

    private const int TailLength = 4 * 1024;

    private readonly StringBuilder _tail = new();

    public void BeginTail()
    {
        lock (_tail)
            _tail.Clear();
    }

    public string EndTail()
    {
        lock (_tail)
            return _tail.ToString();
    }

    /// <summary>A line of the platform: START, END, REPORT.</summary>
    public void Platform(string line) => Write(line);

    /// <summary>Logs lines until the stream ends.</summary>
    public async Task PumpAsync(StreamReader reader)
    {
        var buffer = new char[8 * 1024];
        var line = new StringBuilder();
        int read;
        while ((read = await reader.ReadAsync(buffer)) > 0)
        {
            for (var rest = buffer.AsSpan(0, read); !rest.IsEmpty;)
            {
                var end = rest.IndexOf('\n');
                line.Append(end < 0 ? rest : rest[..end]);
                rest = end < 0 ? default : rest[(end + 1)..];
                if (end >= 0 || line.Length > LongestLine)
                    Flush();
            }
        }

        if (line.Length > 0)
            Flush();

        void Flush()
        {
            Write(line.ToString().TrimEnd('\r'));
            line.Clear();
        }
    }

    private void Write(string line)
    {
        FunctionLine(function, line);
        lock (_tail)
        {
            _tail.Append(line).Append('\n');
            if (_tail.Length > TailLength)
                _tail.Remove(0, _tail.Length - TailLength);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "[{Function}] {Line}")]
    private partial void FunctionLine(string function, string line);
}
