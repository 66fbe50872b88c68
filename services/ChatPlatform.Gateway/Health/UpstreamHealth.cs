using ChatPlatform.Gateway.Routing;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Gateway.Health;

internal static class UpstreamHealth
{
    private const string Client = "upstream-health";

    /// <summary>
    /// Readiness shows whether the API and a relay answer. When they do not, the gateway is <em>degraded</em> and still ready (200): taking it out of
    /// rotation would turn
    /// its clear 502 into a refused connection and help nobody.
    /// </summary>
    public static void AddUpstreamHealth(this WebApplicationBuilder builder)
    {
        builder.Services.AddHttpClient(Client, client => client.Timeout = TimeSpan.FromSeconds(2))
            // Without a propagator no span is made: a probe every few seconds would bury the messages.
            .ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler { ActivityHeadersPropagator = null })
            .RemoveAllLoggers();
        builder.Services.AddHealthChecks()
            .AddTypeActivatedCheck<AnswersAlive>(RouteTable.Api, HealthStatus.Degraded, (GatewayOptions options) => options.Api)
            .AddTypeActivatedCheck<AnswersAlive>(RouteTable.Relay, HealthStatus.Degraded, (GatewayOptions options) => options.Relay);
    }

    /// <summary>Healthy when every address of the setting answers <c>GET /alive</c> with 2xx.</summary>
    private sealed class AnswersAlive(IHttpClientFactory clients, IOptions<GatewayOptions> options, Func<GatewayOptions, string> setting) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            var addresses = GatewayOptions.Addresses(setting(options.Value));
            var alive = await Task.WhenAll(addresses.Select(address => IsAliveAsync(address, cancellationToken)));
            var silent = alive.Count(answered => !answered);
            return silent == 0 ? HealthCheckResult.Healthy() : HealthCheckResult.Degraded($"{silent} of {addresses.Count} do not answer /alive");
        }

        private async Task<bool> IsAliveAsync(string address, CancellationToken cancellationToken)
        {
            using var client = clients.CreateClient(Client);
            try
            {
                using var answer = await client.GetAsync(new Uri(new Uri(address), "/alive"), cancellationToken);
                return answer.IsSuccessStatusCode;
            }
            catch (Exception error) when (error is HttpRequestException || (error is OperationCanceledException && !cancellationToken.IsCancellationRequested))
            {
                return false;
            }
        }
    }
}
