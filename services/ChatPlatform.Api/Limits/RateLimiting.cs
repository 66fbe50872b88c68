using System.Globalization;
using ChatPlatform.Api.Access;
using ChatPlatform.Api.Rooms.Owners;
using ChatPlatform.Contracts.Protos.Chat.V1;
using ChatPlatform.ServiceDefaults;
using ChatPlatform.ServiceDefaults.Authentication;
using Grpc.AspNetCore.Server;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Api.Limits;

/// <summary>Marks an endpoint that sends a message.</summary>
internal sealed record SendsMessage;

/// <summary>
/// Counts every call against its user and its address, once, on the server where it enters. REST is refused here with 429; a gRPC call is refused by its interceptor, which words all
/// refusals, with what stands in <see cref="RefusalItem"/>.
/// </summary>
internal sealed class RateLimiting(RateLimiter limiter, CallerAddress addresses) : IMiddleware
{
    /// <summary>The key in <see cref="HttpContext.Items"/> of the <see cref="ChatException"/> that a gRPC call is to be answered with.</summary>
    public static readonly object RefusalItem = new();

    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        var endpoint = context.GetEndpoint();
        // Probes, the OpenAPI document and development's tokens; and what another API server has counted already.
        if (endpoint?.Metadata.GetMetadata<IAllowAnonymous>() is not null || (context.Request.Headers.ContainsKey(RoomHop.Marker) && addresses.IsFromProxy(context)))
        {
            await next(context);
            return;
        }

        // Other services answer for what they post.
        var user = context.User.Identity?.IsAuthenticated == true && !context.User.HasClaim(AccessTokens.ScopeClaim, AccessTokens.ServiceScope) ? context.CallerId() : null;
        var grpc = endpoint?.Metadata.GetMetadata<GrpcMethodMetadata>();
        var isSend = endpoint?.Metadata.GetMetadata<SendsMessage>() is not null || grpc?.Method.Name == nameof(ChatService.ChatServiceBase.SendMessage);
        if (await limiter.TakeAsync(user, addresses.Find(context), isSend) is not { } verdict)
        {
            await next(context);
            return;
        }

        var headers = context.Response.Headers;
        headers["RateLimit-Limit"] = verdict.Limit.ToString(CultureInfo.InvariantCulture);
        headers["RateLimit-Remaining"] = verdict.Remaining.ToString(CultureInfo.InvariantCulture);
        headers["RateLimit-Reset"] = Seconds(verdict.Reset);
        if (!verdict.IsRefused)
        {
            await next(context);
            return;
        }

        ApiTelemetry.Limited.Add(1);
        var refusal = Refusals.RateLimited(verdict.Wait);
        if (grpc is null)
        {
            await ProblemExceptionHandler.WriteAsync(context, refusal);
            return;
        }

        context.Items[RefusalItem] = refusal;
        await next(context);
    }

    private static string Seconds(TimeSpan span) => ((long)Math.Ceiling(span.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
}

internal static class RateLimitingSetup
{
    public static void AddRateLimits(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton<IValidateOptions<RateLimitOptions>, RateLimitOptionsValidator>();
        services.AddOptions<RateLimitOptions>().BindConfiguration(RateLimitOptions.Section).ValidateOnStart();
        services.AddSingleton(provider => new CallerAddress(provider.GetRequiredService<IOptions<RateLimitOptions>>().Value.TrustedProxies));
        services.AddSingleton<RateLimiter>().AddSingleton<RateLimiting>();
    }
}
