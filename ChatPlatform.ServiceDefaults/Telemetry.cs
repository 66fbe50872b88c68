using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace ChatPlatform.ServiceDefaults;

internal static class Telemetry
{
    /// <summary>
    /// Traces, metrics and logs from the sources and meters that .NET itself ships
    /// (https://learn.microsoft.com/dotnet/core/diagnostics/built-in-metrics) and from every one of ours.
    /// </summary>
    public static void AddTelemetry(this IHostApplicationBuilder builder)
    {
        // Two records a request, probes included, would bury what a service has to say; spans and metrics hold the requests. Configuration (Logging:LogLevel) overrides.
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning).AddFilter("System.Net.Http", LogLevel.Warning).AddFilter("Yarp", LogLevel.Warning);
        builder.Logging.AddOpenTelemetry(logging =>
        {
            logging.IncludeFormattedMessage = true;
            logging.IncludeScopes = true;
        });

        var telemetry = builder.Services.AddOpenTelemetry()
            .WithMetrics(metrics => metrics
                .AddMeter("Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Net.Http", "System.Runtime", "ChatPlatform.*"));
        builder.Services.AddSingleton<IStartupFilter, RequestSpans>();
        if (string.IsNullOrWhiteSpace(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
            return;

        // Where nobody takes them, no span is recorded: a request must not pay for it.
        telemetry.WithTracing(tracing => tracing.AddSource("Microsoft.AspNetCore", "System.Net.Http", "ChatPlatform.*")).UseOtlpExporter();
    }
}
