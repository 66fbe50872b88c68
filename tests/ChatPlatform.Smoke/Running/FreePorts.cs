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
                // Below the ephemeral range, so that no outgoing connection is given the port before its owner binds it.
                var listener = new TcpListener(IPAddress.Loopback, Random.Shared.Next(10_000, 20_000));
                try
                {
                    listener.Start();
                    held.Add(listener);
                }
                catch (SocketException)
                {
                    // Something listens there: try another.
                    listener.Dispose();
                }
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
