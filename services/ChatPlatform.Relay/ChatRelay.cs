using ChatPlatform.Relay.Delivery;
using ChatPlatform.Relay.Resume;
using ChatPlatform.Relay.Sessions;
using ChatPlatform.Relay.Sockets;
using ChatPlatform.ServiceDefaults;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Relay;

/// <summary>What the service is made of.</summary>
internal static class ChatRelay
{
    public static void AddRelay(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        var grpcPort = builder.Configuration[GrpcPort.Variable];
        var instanceId = InstanceId(builder.Configuration["OTEL_RESOURCE_ATTRIBUTES"]);
        services.AddSingleton<IValidateOptions<RelayOptions>, RelayOptionsValidator>();
        services.AddOptions<RelayOptions>().BindConfiguration(RelayOptions.Section).PostConfigure(options =>
        {
            if (options.NodeId.Length == 0)
                options.NodeId = instanceId ?? "relay-" + Guid.CreateVersion7().ToString("N");
            options.TrustedProxies = builder.Configuration[CallerAddress.TrustedProxiesKey] ?? options.TrustedProxies;
            if (options.AdvertisedGrpcAddress.Length == 0 && !string.IsNullOrEmpty(grpcPort))
                options.AdvertisedGrpcAddress = $"http://127.0.0.1:{grpcPort}";
        }).ValidateOnStart();
        services.AddSingleton<IValidateOptions<ApiOptions>, ApiOptionsValidator>();
        services.AddOptions<ApiOptions>().BindConfiguration(ApiOptions.Section).ValidateOnStart();

        services.AddSingleton(provider => new CallerAddress(provider.GetRequiredService<IOptions<RelayOptions>>().Value.TrustedProxies)).AddSingleton<AddressLimit>();
        services.AddSingleton<SessionRegistry>().AddSingleton<SessionDirectory>();
        services.AddSingleton<ChatCalls>().AddSingleton<RoomReplay>().AddSingleton<FramePush>().AddSingleton<SocketEndpoint>().AddSingleton<SocketUpgrade>();
        services.AddSingleton(provider => new RoomTails(
            async (token, roomId, after, limit) => (await provider.GetRequiredService<ChatCalls>().GetSharedLogAsync(token, roomId, after, limit)).Items,
            provider.GetRequiredService<TimeProvider>()));
        services.AddHostedService<NodeLease>().AddHostedService<SocketWatch>().AddHostedService<WaveCollection>();
        services.AddSingleton<Drain>().AddHostedService(provider => provider.GetRequiredService<Drain>());

        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.ConfigureEndpointDefaults(listen => listen.Use(http => listen.ApplicationServices.GetRequiredService<SocketUpgrade>().Before(http)));
        });
        services.AddGrpc();
        services.AddGrpcHealthChecks();
    }

    /// <summary>The value of <c>service.instance.id</c> in <c>key=value,key=value</c> (OpenTelemetry resource specification), or null.</summary>
    internal static string? InstanceId(string? attributes)
    {
        const string Key = "service.instance.id=";
        foreach (var attribute in (attributes ?? "").Split(',', StringSplitOptions.TrimEntries))
        {
            if (attribute.StartsWith(Key, StringComparison.Ordinal) && attribute.Length > Key.Length)
                return Uri.UnescapeDataString(attribute[Key.Length..]);
        }

        return null;
    }
}
