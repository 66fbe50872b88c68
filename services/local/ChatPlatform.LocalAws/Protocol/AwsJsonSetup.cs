using System.Text.Json;
using ChatPlatform.LocalAws.Faults;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace ChatPlatform.LocalAws.Protocol;

internal static class AwsJsonSetup
{
    /// <summary>Adds what the AWS JSON protocol needs. Kestrel's own body limit is lifted: each protocol has its own (24 MiB for JSON, S3's for objects).</summary>
    public static WebApplicationBuilder AddAwsJson(this WebApplicationBuilder builder)
    {
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = null;
            // A paused client is no attack on a laptop.
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
        });
        // This category's scope and activity are made for every request when it may log; spans for an exporter do not need it, and Kestrel itself logs what nobody caught.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<Meters>();
        builder.Services.AddSingleton<RunningServices>();
        builder.Services.AddSingleton<FaultRules>();
        return builder;
    }

    /// <summary>Answers every registered <see cref="IAwsJsonService"/>. Requests that are not AWS JSON go on to the endpoints.</summary>
    public static WebApplication MapAwsJson(this WebApplication app)
    {
        app.UseMiddleware<AwsJsonEndpoint>();
        return app;
    }

    /// <summary>
    /// Maps <c>GET /_localstack/health</c> (as LocalStack's, so that its clients find theirs) and <c>GET /_localaws/health</c>, which lists the operations of each service too.
    /// </summary>
    public static WebApplication MapServiceList(this WebApplication app)
    {
        app.MapGet("/_localstack/health", (HttpContext context, RunningServices services) => WriteAsync(context, services, operations: false));
        app.MapGet("/_localaws/health", (HttpContext context, RunningServices services) => WriteAsync(context, services, operations: true));
        return app;
    }

    private static async Task WriteAsync(HttpContext context, RunningServices services, bool operations)
    {
        context.Response.ContentType = "application/json";
        await using var writer = new Utf8JsonWriter(context.Response.BodyWriter);
        writer.WriteStartObject();
        writer.WriteStartObject("services");
        foreach (var service in services.All)
            writer.WriteString(service.Name, "running");
        writer.WriteEndObject();
        writer.WriteString("edition", "localaws");
        if (operations)
        {
            writer.WriteStartObject("operations");
            foreach (var service in services.All)
            {
                writer.WriteStartArray(service.Name);
                foreach (var operation in service.Operations)
                    writer.WriteStringValue(operation.Name);
                writer.WriteEndArray();
            }

            writer.WriteEndObject();
        }

        writer.WriteEndObject();
        await writer.FlushAsync(context.RequestAborted);
    }
}
