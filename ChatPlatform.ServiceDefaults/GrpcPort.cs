using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;

namespace ChatPlatform.ServiceDefaults;

/// <summary>
/// A second, HTTP/2-only port for gRPC beside the HTTP/1.1 one of <c>ASPNETCORE_URLS</c>: without TLS there is no ALPN, so that one cleartext port cannot speak both
/// (https://learn.microsoft.com/aspnet/core/grpc/aspnetcore#protocol-negotiation).
/// </summary>
public static class GrpcPort
{
    /// <summary>The environment variable that names the port.</summary>
    public const string Variable = "GRPC_PORT";

    /// <summary>
    /// Listens for gRPC on <c>GRPC_PORT</c>, on the host that the first of <c>ASPNETCORE_URLS</c> names, beside those urls. Without the variable nothing changes.
    /// </summary>
    /// <exception cref="InvalidOperationException"><c>GRPC_PORT</c> is no port, or <c>ASPNETCORE_URLS</c> is not set or not a list of http urls.</exception>
    public static WebApplicationBuilder AddGrpcPort(this WebApplicationBuilder builder)
    {
        var value = builder.Configuration[Variable];
        if (string.IsNullOrEmpty(value))
            return builder;
        if (!ushort.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var port))
            throw new InvalidOperationException($"{Variable} is '{value}'; it must be a port number from 0 to 65535.");

        var urls = (builder.Configuration["urls"] ?? builder.Configuration["ASPNETCORE_URLS"] ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (urls.Length == 0 || !Uri.TryCreate(urls[0].Replace("//*", "//0.0.0.0").Replace("//+", "//0.0.0.0"), UriKind.Absolute, out var first))
            throw new InvalidOperationException($"ASPNETCORE_URLS is '{string.Join(';', urls)}'; with {Variable} set it must hold at least one http url.");

        // Endpoints in configuration replace ASPNETCORE_URLS, so both kinds are listed there.
        var endpoints = urls.Select((url, i) => KeyValuePair.Create($"Kestrel:Endpoints:http{i}:Url", (string?)url))
            .Append(new("Kestrel:Endpoints:grpc:Url", $"http://{first.Host}:{port}"))
            .Append(new("Kestrel:Endpoints:grpc:Protocols", nameof(HttpProtocols.Http2)));
        builder.Configuration.AddInMemoryCollection(endpoints);
        // Kestrel warns that urls are overridden when both are set.
        builder.Configuration["urls"] = null;
        return builder;
    }
}
