using System.Text;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace ChatPlatform.Forwarder.Delivery;

/// <summary>The paths of Fluent Bit's own HTTP server (https://docs.fluentbit.io/manual/administration/monitoring), so that probes and scrapers need not know which of the two answers.</summary>
internal static class FluentBitEndpoints
{
    /// <summary><c>/api/v1/health</c> (200 <c>ok</c>, 500 <c>error</c>), <c>/api/v1/metrics</c> and <c>/api/v1/metrics/prometheus</c>.</summary>
    public static void MapFluentBitEndpoints(this IEndpointRouteBuilder app)
    {
        app.MapHealthChecks("/api/v1/health", new()
        {
            ResultStatusCodes = { [HealthStatus.Unhealthy] = StatusCodes.Status500InternalServerError },
            ResponseWriter = (context, report) => context.Response.WriteAsync(report.Status == HealthStatus.Unhealthy ? "error\n" : "ok\n"),
        });
        app.MapGet("/api/v1/metrics", (ForwarderMetrics metrics) => Results.Json(new
        {
            input = metrics.Inputs.ToDictionary(i => i.Key, i => new { records = i.Value.Records, bytes = i.Value.Bytes }),
            filter = metrics.Filters.ToDictionary(f => f.Key, f => new { drop_records = f.Value.Dropped, add_records = 0 }),
            output = metrics.Outputs.ToDictionary(o => o.Key, o => new
            {
                proc_records = o.Value.Records,
                proc_bytes = o.Value.Bytes,
                // Put aside, or tried again: nothing is ever given up, so that there are no failed retries.
                errors = o.Value.DeadLetters,
                retries = o.Value.Retries,
                retries_failed = 0,
                dropped_records = 0,
                retried_records = o.Value.RetriedRecords,
            }),
        }));
        app.MapGet("/api/v1/metrics/prometheus", (ForwarderMetrics metrics) => Results.Text(Prometheus(metrics), "text/plain; version=0.0.4"));
    }

    private static string Prometheus(ForwarderMetrics metrics)
    {
        var text = new StringBuilder();
        Write("fluentbit_input_records_total", metrics.Inputs, i => i.Records);
        Write("fluentbit_input_bytes_total", metrics.Inputs, i => i.Bytes);
        Write("fluentbit_filter_drop_records_total", metrics.Filters, f => f.Dropped);
        Write("fluentbit_output_proc_records_total", metrics.Outputs, o => o.Records);
        Write("fluentbit_output_proc_bytes_total", metrics.Outputs, o => o.Bytes);
        Write("fluentbit_output_errors_total", metrics.Outputs, o => o.DeadLetters);
        Write("fluentbit_output_retries_total", metrics.Outputs, o => o.Retries);
        return text.ToString();

        void Write<T>(string name, IReadOnlyDictionary<string, T> counts, Func<T, long> value)
        {
            text.Append($"# TYPE {name} counter\n");
            foreach (var (instance, count) in counts)
                text.Append($"{name}{{name=\"{instance}\"}} {value(count)}\n");
        }
    }
}
