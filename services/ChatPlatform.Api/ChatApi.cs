using ChatPlatform.Api.Access;
using ChatPlatform.Api.Delivery;
using ChatPlatform.Api.Events;
using ChatPlatform.Api.Grpc;
using ChatPlatform.Api.Messages;
using ChatPlatform.Api.Rooms;
using ChatPlatform.Api.Rooms.Log;
using ChatPlatform.Api.Rooms.Owners;
using ChatPlatform.Api.Sessions;
using ChatPlatform.Api.Users;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Api;

/// <summary>What the service is made of.</summary>
internal static class ChatApi
{
    /// <summary>The largest body of a call (contracts §1).</summary>
    public const int MaxBodyBytes = 64 * 1024;

    /// <summary>The operations, the room log and delivery.</summary>
    public static void AddChat(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton<IValidateOptions<SequencerOptions>, SequencerOptionsValidator>();
        services.AddOptions<SequencerOptions>().BindConfiguration(SequencerOptions.Section).ValidateOnStart();
        services.AddSingleton<RoomOutbox>().AddSingleton<RoomStore>().AddSingleton<RoomLogStore>().AddSingleton<RoomActivity>().AddSingleton<ChatRooms>().AddSingleton<ChatMessages>();
        services.AddSingleton<BlockList>().AddSingleton<Devices>().AddSingleton<Presence>().AddSingleton<SessionDirectory>().AddSingleton<RoomPositions>();
        services.AddSingleton<MemberLists>().AddSingleton<FrameDelivery>().AddSingleton<ChatEvents>();
        services.AddSingleton<RoomFeeds>().AddHostedService(provider => provider.GetRequiredService<RoomFeeds>());
        services.AddSingleton<IEntryEvents>(provider => provider.GetRequiredService<ChatEvents>());
        services.AddSingleton<IRoomLogStore>(provider => provider.GetRequiredService<RoomLogStore>());

        // Hosted services stop in reverse order: first the sequencers commit what they accepted, then delivery tells about it, then the links close.
        services.AddSingleton<RelayLinks>().AddHostedService(provider => provider.GetRequiredService<RelayLinks>());
        services.AddSingleton<CommitDelivery>().AddHostedService(provider => provider.GetRequiredService<CommitDelivery>());
        services.AddSingleton<IRoomCommitObserver>(provider => provider.GetRequiredService<CommitDelivery>());
        services.AddSingleton<RoomSequencers>().AddHostedService(provider => provider.GetRequiredService<RoomSequencers>());
    }

    /// <summary>Which server a room's changes go through, and the way there.</summary>
    public static void AddRoomOwners(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton<IValidateOptions<OwnerOptions>, OwnerOptionsValidator>();
        services.AddOptions<OwnerOptions>().BindConfiguration(OwnerOptions.Section).ValidateOnStart();
        services.AddSingleton<RoomOwners>().AddSingleton<RoomHop>().AddSingleton<RoomHopInterceptor>();
        services.AddHostedService<ApiNodeLease>();
        services.AddHostedService<OutboxSweep>();
        services.AddHttpForwarder();
    }

    /// <summary>REST and gRPC: limits, JSON, errors, OpenAPI.</summary>
    public static void AddProtocols(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = MaxBodyBytes;
        });
        services.ConfigureHttpJsonOptions(ApiJson.Configure);
        // In every environment alike, so that the exception handler words all refusals.
        services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        services.AddExceptionHandler<ProblemExceptionHandler>();
        services.AddProblemDetails();
        services.AddOpenApi();
        services.AddGrpc(grpc =>
        {
            grpc.Interceptors.Add<ChatErrorInterceptor>();
            grpc.Interceptors.Add<RoomHopInterceptor>();
            grpc.MaxReceiveMessageSize = MaxBodyBytes;
            // Its catch-all of two segments would turn the 405 and 415 of REST paths such as /v1/rooms into 404.
            grpc.IgnoreUnknownServices = true;
        });
        services.AddGrpcHealthChecks();
    }

    /// <summary>
    /// Client errors that no endpoint words (an unknown path, a wrong method) as problem+json as well.
    /// </summary>
    public static void UseProblems(this WebApplication app)
    {
        app.UseExceptionHandler(new ExceptionHandlerOptions
        {
            // Refusals are answers, not failures of the service.
            SuppressDiagnosticsCallback = context => ProblemExceptionHandler.ToRefusal(context.Exception).Status < 500,
        });
        app.UseStatusCodePages(context =>
        {
            var response = context.HttpContext.Response;
            var code = response.StatusCode switch
            {
                404 => "not_found",
                405 => "method_not_allowed",
                413 => "body_too_large",
                415 => "not_json",
                _ => "refused",
            };
            return ProblemExceptionHandler.WriteAsync(context.HttpContext, new ChatException(response.StatusCode, code, "The call is not one that is served here."));
        });
    }
}
