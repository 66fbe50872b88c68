using System.Collections.Concurrent;
using System.Net;
using ChatPlatform.LambdaEmulator.Functions;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace ChatPlatform.LambdaEmulator.RuntimeApi;

/// <summary>One loopback port that serves the Runtime API to at most one process at a time.</summary>
internal sealed class RuntimePort
{
    private volatile ExecutionEnvironment? _tenant;

    public ListenOptions? Listening { get; set; }

    /// <summary>The port's number, known once the server listens.</summary>
    public int Number => Listening?.IPEndPoint?.Port ?? throw new InvalidOperationException("The Runtime API does not listen yet.");

    /// <summary>Whose requests arrive here; null between two processes.</summary>
    public ExecutionEnvironment? Tenant
    {
        get => _tenant;
        set => _tenant = value;
    }
}

/// <summary>
/// A fixed number of ports, bound once at start. <c>AWS_LAMBDA_RUNTIME_API</c> must be <c>host:port</c>, so the port is all that can tell one process from another.
/// Thread-safe.
/// </summary>
internal sealed class RuntimePorts(IEnumerable<RuntimePort> ports)
{
    private readonly ConcurrentQueue<RuntimePort> _free = new(ports);

    /// <summary>A free port, the one unused for longest, or null.</summary>
    public RuntimePort? Lease() => _free.TryDequeue(out var port) ? port : null;

    public void Return(RuntimePort port)
    {
        port.Tenant = null;
        _free.Enqueue(port);
    }
}

internal static class RuntimePortsExtensions
{
    /// <summary>Listens on <paramref name="count"/> free loopback ports for the Runtime API, beside the control API's <c>ASPNETCORE_URLS</c>.</summary>
    public static RuntimePorts AddRuntimePorts(this WebApplicationBuilder builder, int count)
    {
        var ports = Enumerable.Range(0, count).Select(_ => new RuntimePort()).ToArray();

        // Ports opened in code replace ASPNETCORE_URLS, so those urls become endpoints in configuration, which add up.
        var urls = (builder.Configuration["urls"] ?? "http://127.0.0.1:9001").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        builder.Configuration.AddInMemoryCollection(urls.Select((url, i) => KeyValuePair.Create($"Kestrel:Endpoints:control{i}:Url", (string?)url)));
        builder.Configuration["urls"] = null;

        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // The API's own limits answer with the API's own errors.
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            foreach (var port in ports)
            {
                kestrel.Listen(IPAddress.Loopback, 0, listen =>
                {
                    port.Listening = listen;
                    listen.Use(next => connection =>
                    {
                        connection.Features.Set(port);
                        return next(connection);
                    });
                });
            }
        });
        return new RuntimePorts(ports);
    }
}
