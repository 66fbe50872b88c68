using System.Diagnostics;
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
        builder.Logging.AddOpenTelemetry(logging =>
        {
            logging.IncludeFormattedMessage = true;
            logging.IncludeScopes = true;
        });

        var telemetry = builder.Services.AddOpenTelemetry()
            .WithMetrics(metrics => metrics
                .AddMeter("Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Net.Http", "System.Runtime", "ChatPlatform.*"))
            .WithTracing(tracing => tracing
                .AddSource("Microsoft.AspNetCore", "System.Net.Http", "ChatPlatform.*")
                .AddProcessor(new ProbeFilter()));

        if (!string.IsNullOrWhiteSpace(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
            telemetry.UseOtlpExporter();
    }

    /// <summary>Drops the spans of health probes: a probe every few seconds would bury the messages.</summary>
    private sealed class ProbeFilter : BaseProcessor<Activity>
    {
        public override void OnEnd(Activity activity)
        {
            if (activity.GetTagItem("url.path") is HealthPaths.Ready or HealthPaths.Alive)
                activity.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
        }
    }
}
