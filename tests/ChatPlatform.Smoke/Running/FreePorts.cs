using System.Net;
using System.Net.Sockets;

namespace ChatPlatform.Smoke.Running;

/// <summary>Ports on loopback that were free a moment ago. One process gives a port once only, so that two servers that start side by side never want the same. Thread-safe.</summary>
public static class FreePorts
{
    // Below the ephemeral range, so that no outgoing connection is given a port before its owner binds it.
    private const int First = 10_000;
    private const int Count = 22_000;
    private static int _next = Random.Shared.Next(Count);

    /// <summary>Different ones, also from those of earlier calls until all were given.</summary>
    public static IReadOnlyList<int> Take(int count)
    {
        var ports = new List<int>(count);
        while (ports.Count < count)
        {
            var port = First + (int)((uint)Interlocked.Increment(ref _next) % Count);
            using var listener = new TcpListener(IPAddress.Loopback, port);
            try
            {
                listener.Start();
                ports.Add(port);
            }
            catch (SocketException)
            {
                // Something listens there: the next one.
                continue;
            }
        }

        return ports;
    }
}
