using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace ChatPlatform.ServiceDefaults;

/// <summary>The two paths every probe asks; they are kept out of traces.</summary>
internal static class HealthPaths
{
    public const string Ready = "/health";
    public const string Alive = "/alive";
}

/// <summary>Writes <c>{"status":"Healthy","checks":{"redis":{"status":"Healthy","description":null}}}</c>. Never an exception's text: a probe's answer may leave the cluster.</summary>
internal static class HealthReportWriter
{
    public static async Task WriteAsync(HttpContext context, HealthReport report)
    {
        context.Response.ContentType = "application/json";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteString("status", report.Status.ToString());
        json.WriteStartObject("checks");
        foreach (var (name, entry) in report.Entries)
        {
            json.WriteStartObject(name);
            json.WriteString("status", entry.Status.ToString());
            json.WriteString("description", entry.Description);
            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.WriteEndObject();
        await json.FlushAsync(context.RequestAborted);
    }
}
