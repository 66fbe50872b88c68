using System.Globalization;
using System.Net.Sockets;

namespace ChatPlatform.ServiceTests.Events;

/// <summary>
/// A sender that keeps at it: numbered events over seven rooms at a rate, one message and its acknowledgement at a time, sent again on a new connection when the old one ends without one.
/// Owned by one test; its counts may be read from any thread.
/// </summary>
internal sealed class RetryingSender : IAsyncDisposable
{
    public const int NumberLength = 8;
    private const int Rooms = 7;
    private const int MostPerMessage = 50;
    private readonly CancellationTokenSource _end = new();
    private readonly int _port;
    private readonly int _rate;
    private readonly string _filling;
    private readonly Task _sending;
    private int _acknowledged;
    private volatile bool _abandoned;

    public RetryingSender(int port, int rate, int eventBytes = 300)
    {
        _port = port;
        _rate = rate;
        _filling = new string('x', eventBytes - NumberLength);
        _sending = Task.Run(SendAsync);
    }

    /// <summary>Events 0 up to this one are acknowledged.</summary>
    public int Acknowledged => Volatile.Read(ref _acknowledged);

    public async Task UntilAcknowledgedAsync(int count)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(15));
        while (Acknowledged < count)
        {
            if (_sending.IsFaulted)
                await _sending;
            await Task.Delay(20, limit.Token);
        }
    }

    /// <summary>Begins no new message and returns when the last one is acknowledged.</summary>
    public async Task EndAsync()
    {
        await _end.CancelAsync();
        await _sending.WaitAsync(TimeSpan.FromMinutes(2));
    }

    public async ValueTask DisposeAsync()
    {
        _abandoned = true;
        await _end.CancelAsync();
        await _sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _end.Dispose();
    }

    private async Task SendAsync()
    {
        var started = TimeProvider.System.GetTimestamp();
        ForwardClient? client = null;
        try
        {
            while (!_end.IsCancellationRequested)
            {
                var due = (int)(TimeProvider.System.GetElapsedTime(started).TotalSeconds * _rate) - _acknowledged;
                if (due <= 0)
                {
                    await Task.Delay(10);
                    continue;
                }

                var events = Enumerable.Range(_acknowledged, Math.Min(due, MostPerMessage))
                    .Select(n => ($"room-{n % Rooms}", n.ToString("D8", CultureInfo.InvariantCulture) + _filling)).ToArray();
                var chunk = $"c{_acknowledged}";
                for (string? ack = null; ack is null;)
                {
                    try
                    {
                        client ??= new ForwardClient(_port);
                        await client.SendRawAsync(ForwardClient.Message(chunk, events));
                        ack = await client.AckAsync();
                    }
                    catch (Exception error) when (error is SocketException or IOException or OperationCanceledException)
                    {
                        ack = null;
                    }

                    if (ack is not null)
                        continue;
                    if (_abandoned)
                        return;
                    client?.Dispose();
                    client = null;
                    await Task.Delay(100);
                }

                Volatile.Write(ref _acknowledged, _acknowledged + events.Length);
            }
        }
        finally
        {
            client?.Dispose();
        }
    }
}
