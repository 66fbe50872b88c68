using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace ChatPlatform.ServiceDefaults;

/// <summary>
/// Names the server span of a request and gives it the attributes of the semantic conventions, which ASP.NET Core itself leaves to an instrumentation package
/// (https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server). Probes are taken out of traces, with all they call.
/// </summary>
internal sealed class RequestSpans : IStartupFilter
{
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Use(TraceAsync);
        next(app);
    };

    private static async Task TraceAsync(HttpContext context, RequestDelegate next)
    {
        if (Activity.Current is not { } span)
        {
            await next(context);
            return;
        }

        var path = context.Request.Path;
        if (path == HealthPaths.Ready || path == HealthPaths.Alive)
        {
            // Children ask their parent's flag, and the exporter this one's.
            span.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
            span.IsAllDataRequested = false;
            await next(context);
            return;
        }

        var plainName = span.DisplayName;
        try
        {
            await next(context);
        }
        finally
        {
            var route = (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText;
            // A service that knows better has named its span already; gRPC and AWS operations do not show in a path.
            if (span.DisplayName == plainName)
                span.DisplayName = route is null ? context.Request.Method : $"{context.Request.Method} {route}";
            span.SetTag("http.request.method", context.Request.Method);
            span.SetTag("http.response.status_code", context.Response.StatusCode);
            span.SetTag("http.route", route);
            span.SetTag("url.path", path.Value);
            if (context.Response.StatusCode >= StatusCodes.Status500InternalServerError)
                span.SetStatus(ActivityStatusCode.Error);
        }
    }
}
