using System.Globalization;
using ChatPlatform.LambdaEmulator.Functions;
using ChatPlatform.LambdaEmulator.Protocol;
using ChatPlatform.LambdaEmulator.RuntimeApi;

namespace ChatPlatform.LambdaEmulator;

/// <summary>The Lambda Runtime API (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) on the runtime ports, and nothing else there.</summary>
internal static class RuntimeApiMiddleware
{
    private const string Prefix = "/2018-06-01/runtime/";

    public static void UseRuntimeApi(this WebApplication app) => app.Use((context, next) =>
        context.Features.Get<RuntimePort>() is { } port ? HandleAsync(context, port) : next());

    private static Task HandleAsync(HttpContext context, RuntimePort port)
    {
        var path = context.Request.Path.Value ?? "";
        if (port.Tenant is not { } environment || !path.StartsWith(Prefix, StringComparison.Ordinal))
            return ErrorAsync(context, 404, "NotFound", $"{path} is no path of the Runtime API.");

        string[] parts = path[Prefix.Length..].Split('/');
        return (context.Request.Method, parts) switch
        {
            ("GET", ["invocation", "next"]) => NextAsync(context, environment),
            ("POST", ["invocation", var id, "response"]) => ResponseAsync(context, environment, id),
            ("POST", ["invocation", var id, "error"]) => FunctionErrorAsync(context, environment, id),
            ("POST", ["init", "error"]) => InitErrorAsync(context, environment),
            _ => ErrorAsync(context, 404, "NotFound", $"{context.Request.Method} {path} is no operation of the Runtime API."),
        };
    }

    private static async Task NextAsync(HttpContext context, ExecutionEnvironment environment)
    {
        Invocation invocation;
        try
        {
            invocation = await environment.NextAsync(context.RequestAborted);
        }
        catch (OperationCanceledException)
        {
            // The process is gone, or is being ended: nobody is there to answer.
            context.Abort();
            return;
        }

        var headers = context.Response.Headers;
        headers["Lambda-Runtime-Aws-Request-Id"] = invocation.RequestId;
        headers["Lambda-Runtime-Deadline-Ms"] = invocation.Deadline.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture);
        headers["Lambda-Runtime-Invoked-Function-Arn"] = invocation.FunctionArn;
        headers["Lambda-Runtime-Trace-Id"] = invocation.TraceId;
        if (invocation.ClientContext is not null)
            headers["Lambda-Runtime-Client-Context"] = invocation.ClientContext;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = invocation.Payload.Length;
        await context.Response.Body.WriteAsync(invocation.Payload, context.RequestAborted);
    }

    private static async Task ResponseAsync(HttpContext context, ExecutionEnvironment environment, string id)
    {
        if (await Payloads.ReadAsync(context.Request, Payloads.SynchronousLimit) is not { } payload)
        {
            environment.Answer(id, InvocationResult.ResponseTooLarge(id));
            await ErrorAsync(context, 413, "Function.ResponseSizeTooLarge", $"Exceeded maximum allowed payload size ({Payloads.SynchronousLimit} bytes).");
        }
        else if (environment.Answer(id, InvocationResult.Success(payload)))
        {
            await AcceptAsync(context);
        }
        else
        {
            await ErrorAsync(context, 400, "InvalidRequestID", "Invalid request ID");
        }
    }

    private static async Task FunctionErrorAsync(HttpContext context, ExecutionEnvironment environment, string id)
    {
        var payload = await Payloads.ReadAsync(context.Request, Payloads.SynchronousLimit);
        if (payload is null)
            await ErrorAsync(context, 413, "RequestEntityTooLarge", "The error is too large.");
        else if (environment.Answer(id, InvocationResult.Error(payload)))
            await AcceptAsync(context);
        else
            await ErrorAsync(context, 400, "InvalidRequestID", "Invalid request ID");
    }

    private static async Task InitErrorAsync(HttpContext context, ExecutionEnvironment environment)
    {
        var payload = await Payloads.ReadAsync(context.Request, Payloads.SynchronousLimit);
        if (payload is null)
            await ErrorAsync(context, 413, "RequestEntityTooLarge", "The error is too large.");
        else if (environment.FailInit(payload))
            await AcceptAsync(context);
        else
            await ErrorAsync(context, 403, "InvalidStateTransition", "The function has started already.");
    }

    private static Task AcceptAsync(HttpContext context)
    {
        context.Response.StatusCode = 202;
        return context.Response.WriteAsJsonAsync(new Dictionary<string, string> { ["status"] = "OK" });
    }

    private static Task ErrorAsync(HttpContext context, int status, string type, string message)
    {
        context.Response.StatusCode = status;
        return context.Response.WriteAsJsonAsync(new Dictionary<string, string> { ["errorType"] = type, ["errorMessage"] = message });
    }
}
