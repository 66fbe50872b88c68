using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace ChatPlatform.ServiceDefaults;

/// <summary>What every service has in common: telemetry over OTLP, <c>/health</c> and <c>/alive</c>, and a shutdown that finishes what was accepted.</summary>
public static class ServiceDefaultsExtensions
{
    /// <summary>
    /// Adds telemetry and health checks. The OTLP exporter is on only where <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> is set, so that a service runs alone as well.
    /// Activity sources and meters whose names begin with <c>ChatPlatform.</c> are exported without being named here.
    /// </summary>
    public static TBuilder AddServiceDefaults<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        builder.AddTelemetry();
        builder.Services.AddHealthChecks().AddCheck("self", () => HealthCheckResult.Healthy(), [LiveTag]);
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(20));
        return builder;
    }

    /// <summary>Maps <c>GET /health</c> (readiness: every check, 200 or 503 with one line of JSON per check) and <c>GET /alive</c> (the process answers).</summary>
    public static WebApplication MapDefaultEndpoints(this WebApplication app)
    {
        app.MapHealthChecks(HealthPaths.Ready, new HealthCheckOptions { ResponseWriter = HealthReportWriter.WriteAsync }).AllowAnonymous();
        app.MapHealthChecks(HealthPaths.Alive, new HealthCheckOptions
        {
            Predicate = check => check.Tags.Contains(LiveTag),
            ResponseWriter = HealthReportWriter.WriteAsync,
        }).AllowAnonymous();
        return app;
    }

    private const string LiveTag = "live";
}
