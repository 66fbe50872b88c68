using System.Net;
using System.Net.Sockets;

namespace ChatPlatform.Smoke.Running;

/// <summary>Ports on loopback that were free a moment ago.</summary>
public static class FreePorts
{
    /// <summary>Different ones: all are held until the last is found.</summary>
    public static IReadOnlyList<int> Take(int count)
    {
        var held = new List<TcpListener>();
        try
        {
            while (held.Count < count)
            {
                var listener = new TcpListener(IPAddress.Loopback, 0);
                listener.Start();
                held.Add(listener);
            }

            return [.. held.Select(listener => ((IPEndPoint)listener.LocalEndpoint).Port)];
        }
        finally
        {
            foreach (var listener in held)
                listener.Dispose();
        }
    }
}
