using ChatPlatform.Gateway.Problems;
using Microsoft.Extensions.Options;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Transforms;

namespace ChatPlatform.Gateway.Routing;

internal static class RoutingExtensions
{
    public static void AddRouting(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<IValidateOptions<GatewayOptions>, GatewayOptionsValidator>();
        builder.Services.AddOptions<GatewayOptions>().BindConfiguration(GatewayOptions.Section).ValidateOnStart();
        builder.Services.AddSingleton<IProxyConfigProvider>(services =>
        {
            var options = services.GetRequiredService<IOptions<GatewayOptions>>().Value;
            return new InMemoryConfigProvider(RouteTable.Routes(options), RouteTable.Clusters(options));
        });
        builder.Services.AddSingleton<UpstreamMeter>();
        // Trace context and X-Forwarded-For/-Proto/-Host are YARP's defaults; what a client sends under those names is replaced.
        builder.Services.AddReverseProxy().ConfigureHttpClient((_, handler) =>
        {
            handler.ConnectTimeout = TimeSpan.FromSeconds(5);
            // A pooled connection is reopened now and then, so that a scaled-out service gets its share.
            handler.PooledConnectionLifetime = TimeSpan.FromMinutes(5);
            // Notices a dead HTTP/2 peer under an idle stream.
            handler.KeepAlivePingDelay = TimeSpan.FromSeconds(30);
            handler.KeepAlivePingTimeout = TimeSpan.FromSeconds(10);
        })
        // Between API servers this header says that a write was passed on once already; from outside it means nothing.
        .AddTransforms(transforms => transforms.AddRequestHeaderRemove("x-chat-passed-on"));
    }

    public static void MapUpstreams(this WebApplication app) => app.MapReverseProxy(proxy =>
    {
        proxy.UseUpstreamProblems();
        proxy.UseLoadBalancing();
        proxy.UsePassiveHealthChecks();
    });
}
