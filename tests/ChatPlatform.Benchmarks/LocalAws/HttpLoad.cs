using System.Buffers.Text;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace ChatPlatform.Benchmarks.LocalAws;

/// <summary>What one load came to.</summary>
/// <param name="Latency">From a request's first byte sent to its answer's last byte read.</param>
/// <param name="Elapsed">The time of the load.</param>
/// <param name="Refused">Answers with a 5xx status, which are no part of the latencies; each of them ended its connection's load.</param>
internal sealed record LoadResult(LatencyHistogram Latency, TimeSpan Elapsed, int Refused)
{
    public double PerSecond => Latency.Count / Elapsed.TotalSeconds;
}

/// <summary>
/// The same light client for every server: one thread, one <c>poll</c> over non-blocking keep-alive connections, the next request on a connection when its answer is
/// there. No HTTP library, so that it is the server that is measured, also where both share two cores.
/// </summary>
internal sealed class HttpLoad : IDisposable
{
    private readonly Connection[] _connections;
    private readonly PollEntry[] _polled;

    public HttpLoad(int port, int connections)
    {
        _connections = [.. Enumerable.Range(0, connections).Select(_ => new Connection(port))];
        _polled = [.. _connections.Select(c => new PollEntry { Handle = (int)c.Socket.Handle, Wanted = PollEntry.Readable })];
    }

    /// <summary>Sends what <paramref name="next"/> gives for a connection's number, as long as the time lasts or until it gives null; then waits for what is on its way.</summary>
    /// <exception cref="InvalidOperationException">An answer other than 200 and 5xx, or none in 60 s.</exception>
    public LoadResult Run(TimeSpan time, Func<int, RequestTemplate?> next)
    {
        var latency = new LatencyHistogram();
        var watch = Stopwatch.StartNew();
        var (waiting, refused) = (0, 0);
        for (var i = 0; i < _connections.Length; i++)
            waiting += Send(i, next) ? 1 : 0;
        while (waiting > 0)
        {
            if (PollEntry.Poll(_polled, _polled.Length, 60_000) <= 0)
                throw new InvalidOperationException("No answer within 60 s.");
            for (var i = 0; i < _connections.Length; i++)
            {
                if (_polled[i].Happened == 0)
                    continue;
                var connection = _connections[i];
                if (!connection.Receive())
                    continue;
                if (connection.IsRefused)
                {
                    // What it did is unknown, and with it what may come next.
                    refused++;
                    waiting--;
                    continue;
                }

                latency.Add(Stopwatch.GetElapsedTime(connection.SentAt));
                if (watch.Elapsed >= time || !Send(i, next))
                    waiting--;
            }
        }

        return new LoadResult(latency, watch.Elapsed, refused);
    }

    /// <summary>One request on the first connection; gives the answer's body.</summary>
    public string Ask(RequestTemplate request)
    {
        Run(TimeSpan.Zero, i => i == 0 ? request : null);
        return _connections[0].Body;
    }

    public void Dispose()
    {
        foreach (var connection in _connections)
            connection.Socket.Dispose();
    }

    private bool Send(int connection, Func<int, RequestTemplate?> next)
    {
        if (next(connection) is not { } request)
            return false;
        _connections[connection].Send(request.Bytes);
        return true;
    }

    /// <summary>One <c>struct pollfd</c> (poll(2)).</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct PollEntry
    {
        public const short Readable = 1;

        public int Handle;
        public short Wanted;
        public short Happened;

        [DllImport("libc", EntryPoint = "poll", SetLastError = true)]
        public static extern int Poll([In, Out] PollEntry[] entries, nint count, int milliseconds);
    }

    private sealed class Connection
    {
        private byte[] _received = new byte[64 * 1024];
        private int _length;
        private int _bodyAt;
        private int _total;

        public Connection(int port)
        {
            Socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            Socket.Connect(IPAddress.Loopback, port);
            Socket.Blocking = false;
        }

        public Socket Socket { get; }

        public long SentAt { get; private set; }

        /// <summary>Whether the answer that was read has a 5xx status.</summary>
        public bool IsRefused { get; private set; }

        /// <summary>The body of the answer that was read whole.</summary>
        public string Body => Encoding.UTF8.GetString(_received.AsSpan(_bodyAt, _total - _bodyAt));

        public void Send(ReadOnlySpan<byte> request)
        {
            (_length, _total) = (0, 0);
            SentAt = Stopwatch.GetTimestamp();
            while (request.Length > 0)
            {
                var sent = Socket.Send(request, SocketFlags.None, out var error);
                if (error is not (SocketError.Success or SocketError.WouldBlock))
                    throw new InvalidOperationException($"A request could not be sent: {error}.");
                request = request[sent..];
            }
        }

        /// <summary>Reads what is there; true when the answer is whole.</summary>
        public bool Receive()
        {
            while (true)
            {
                var read = Socket.Receive(_received.AsSpan(_length), SocketFlags.None, out var error);
                if (error == SocketError.WouldBlock)
                    return false;
                if (error != SocketError.Success || read == 0)
                    throw new InvalidOperationException($"The server closed a connection: {error}.");
                _length += read;
                if (_total == 0)
                    ReadHead();
                if (_total > 0 && _length >= _total)
                    return true;
                if (_length == _received.Length)
                    Array.Resize(ref _received, _length * 2);
            }
        }

        private void ReadHead()
        {
            var received = _received.AsSpan(0, _length);
            var end = received.IndexOf("\r\n\r\n"u8);
            if (end < 0)
                return;
            // Every name of a header may be in either case; the first letter is where servers differ.
            var at = received[..end].IndexOf("ontent-Length: "u8);
            if (at < 0)
                at = received[..end].IndexOf("ontent-length: "u8);
            if (at < 0 || !Utf8Parser.TryParse(received[(at + 15)..], out int length, out _))
                throw new InvalidOperationException($"An answer has no Content-Length: {Encoding.UTF8.GetString(received)}");
            _bodyAt = end + 4;
            _total = _bodyAt + length;
            IsRefused = received.StartsWith("HTTP/1.1 5"u8);
            if (!IsRefused && !received.StartsWith("HTTP/1.1 200"u8))
                throw new InvalidOperationException($"An answer is not 200: {Encoding.UTF8.GetString(received)}");
        }
    }
}
