using Microsoft.Extensions.Hosting;
using StackExchange.Redis;

namespace Aspire.StackExchange.Redis;

/// <summary>Makes the connection while the host starts, so that no request thread waits for it.</summary>
internal sealed class RedisActivation(Func<IConnectionMultiplexer> connection) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        connection();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
