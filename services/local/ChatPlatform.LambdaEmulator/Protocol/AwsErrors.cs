using ChatPlatform.LambdaEmulator.Protocol;

namespace ChatPlatform.LambdaEmulator;

/// <summary>Answers errors in the AWS REST JSON shape: <c>{"Type":"User","Message":"…"}</c> and <c>x-amzn-ErrorType</c> (https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html).</summary>
internal static class AwsErrors
{
    public static void UseAwsErrors(this WebApplication app) => app.Use(async (context, next) =>
    {
        context.Response.Headers["x-amzn-RequestId"] = Guid.NewGuid().ToString();
        try
        {
            await next();
            if (context.Response is { StatusCode: 404 or 405, HasStarted: false } && context.GetEndpoint() is null)
                throw new LambdaException("UnknownOperationException", $"{context.Request.Method} {context.Request.Path} is no operation of this emulator.", 404);
        }
        catch (LambdaException error) when (!context.Response.HasStarted)
        {
            context.Response.StatusCode = error.Status;
            context.Response.Headers["x-amzn-ErrorType"] = error.Type;
            await context.Response.WriteAsJsonAsync(new Dictionary<string, string> { ["Type"] = error.Status < 500 ? "User" : "Service", ["Message"] = error.Message });
        }
    });
}
