using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Model;

namespace ChatPlatform.Gateway.Problems;

internal static class ProblemExtensions
{
    /// <summary>Gives the gateway's own 404s and refusals of a body their problem document; the answers of the services behind are left as they are.</summary>
    public static void UseGatewayProblems(this IApplicationBuilder app) => app.Use(async (context, next) =>
    {
        await next(context);
        // An endpoint means that a service behind, or the proxy pipeline below, has answered.
        if (context.GetEndpoint() is null && context.Response is { HasStarted: false, StatusCode: StatusCodes.Status404NotFound })
            await GatewayProblem.NotFound.WriteAsync(context);
    });

    /// <summary>
    /// In the proxy pipeline: turns a failure to get an answer into a problem document, and refuses a declared body that is over the limit before a byte
    /// is read.
    /// </summary>
    public static void UseUpstreamProblems(this IReverseProxyApplicationBuilder proxy) => proxy.Use(async (context, next) =>
    {
        var route = context.GetReverseProxyFeature().Route;
        if (route.Config.MaxRequestBodySize is >= 0 and var limit && context.Request.ContentLength > limit)
        {
            await GatewayProblem.BodyTooLarge.WriteAsync(context);
            return;
        }

        await next(context);

        if (context.Features.Get<IForwarderErrorFeature>() is not { } failure || context.RequestAborted.IsCancellationRequested)
            return;
        context.RequestServices.GetRequiredService<UpstreamMeter>().Failed(route.Config.ClusterId!, failure.Error.ToString());
        // A gRPC client reads a bare 502, 503 or 504 as UNAVAILABLE (https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md).
        if (context.Response.HasStarted || context.Request.ContentType?.StartsWith("application/grpc", StringComparison.Ordinal) == true)
            return;
        await For(context.Response.StatusCode).WriteAsync(context);
    });

    private static GatewayProblem For(int status) => status switch
    {
        StatusCodes.Status413PayloadTooLarge => GatewayProblem.BodyTooLarge,
        StatusCodes.Status504GatewayTimeout => GatewayProblem.Timeout,
        >= 400 and < 500 => GatewayProblem.BadRequest with { Status = status },
        StatusCodes.Status503ServiceUnavailable => GatewayProblem.Unavailable(status),
        _ => GatewayProblem.Unavailable(StatusCodes.Status502BadGateway),
    };
}
