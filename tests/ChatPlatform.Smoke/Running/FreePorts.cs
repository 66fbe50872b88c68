using System.Net;
using System.Net.Sockets;

namespace ChatPlatform.Smoke.Running;

/// <summary>Ports on loopback that were free a moment ago.</summary>
public static class FreePorts
{
    /// <summary>Different ones: all are held until the last is found. Kept out of the Redis Cluster bus's way, which is the port + 10000.</summary>
    public static IReadOnlyList<int> Take(int count)
    {
        var held = new List<TcpListener>();
        try
        {
            while (held.Count(Usable) < count)
            {
                var listener = new TcpListener(IPAddress.Loopback, 0);
                listener.Start();
                held.Add(listener);
            }

            return [.. held.Where(Usable).Select(Port)];
        }
        finally
        {
            foreach (var listener in held)
                listener.Dispose();
        }

        static int Port(TcpListener listener) => ((IPEndPoint)listener.LocalEndpoint).Port;
        static bool Usable(TcpListener listener) => Port(listener) + 10_000 <= ushort.MaxValue;
    }
}
