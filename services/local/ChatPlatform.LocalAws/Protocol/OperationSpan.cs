using System.Diagnostics;
using Microsoft.AspNetCore.Http.Features;

namespace ChatPlatform.LocalAws.Protocol;

/// <summary>
/// Makes the span that ASP.NET Core has for a request the span of its operation, with the names and attributes of the semantic conventions
/// (https://opentelemetry.io/docs/specs/semconv/cloud-providers/aws-sdk/ and, for DynamoDB, https://opentelemetry.io/docs/specs/semconv/db/dynamodb/).
/// </summary>
internal static class OperationSpan
{
    /// <summary>The span of a request; null when nobody records it.</summary>
    public static Activity? Of(HttpContext context) => context.Features.Get<IHttpActivityFeature>()?.Activity is { IsAllDataRequested: true } span ? span : null;

    /// <param name="service">Null for a request to a service that is not there.</param>
    /// <param name="error">The error's type; null when there was none.</param>
    public static void Describe(this Activity span, IAwsService? service, string operation, string? error, string requestId)
    {
        if (service is not null)
            span.DisplayName = $"{service.Title}.{operation}";
        span.SetTag("rpc.system", "aws-api").SetTag("rpc.service", service?.Title).SetTag("rpc.method", operation).SetTag("aws.request_id", requestId);
        if (service?.ResourceKind == "table")
            span.SetTag("db.system.name", "aws.dynamodb").SetTag("db.operation.name", operation);
        if (error is not null)
            span.SetTag("error.type", error);
    }
}
