using System.Globalization;
using ChatPlatform.Api.Access;
using ChatPlatform.Api.Limits;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace ChatPlatform.Api.Grpc;

/// <summary>Gives refusals as gRPC statuses; the REST code and status travel in trailers.</summary>
internal sealed partial class ChatErrorInterceptor(ILogger<ChatErrorInterceptor> logger) : Interceptor
{
    public const string CodeTrailer = "chat-error-code";
    public const string StatusTrailer = "chat-http-status";

    /// <summary>Seconds after which the call may be tried again, where REST says <c>Retry-After</c>.</summary>
    public const string RetryTrailer = "chat-retry-after";

    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            RefuseIfLimited(context);
            return await continuation(request, context);
        }
        catch (Exception error) when (error is not RpcException && !context.CancellationToken.IsCancellationRequested)
        {
            throw ToRpc(error);
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            RefuseIfLimited(context);
            await continuation(request, responseStream, context);
        }
        catch (Exception error) when (error is not RpcException && !context.CancellationToken.IsCancellationRequested)
        {
            throw ToRpc(error);
        }
    }

    private static void RefuseIfLimited(ServerCallContext context)
    {
        if (context.GetHttpContext().Items[RateLimiting.RefusalItem] is ChatException refusal)
            throw refusal;
    }

    private RpcException ToRpc(Exception error)
    {
        var refusal = ProblemExceptionHandler.ToRefusal(error);
        if (refusal.Status == 500)
            Log.CallFailed(logger, error);
        var code = refusal.Status switch
        {
            400 or 413 => StatusCode.InvalidArgument,
            401 => StatusCode.Unauthenticated,
            403 => StatusCode.PermissionDenied,
            404 => StatusCode.NotFound,
            409 => StatusCode.FailedPrecondition,
            429 => StatusCode.ResourceExhausted,
            503 => StatusCode.Unavailable,
            _ => StatusCode.Internal,
        };
        var trailers = new Metadata { { CodeTrailer, refusal.Code }, { StatusTrailer, refusal.Status.ToString(CultureInfo.InvariantCulture) } };
        if (refusal.RetryAfter is { } wait)
            trailers.Add(RetryTrailer, ((int)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture));
        return new RpcException(new Status(code, refusal.Message), trailers);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Error, "A gRPC call failed.")]
        public static partial void CallFailed(ILogger logger, Exception error);
    }
}
