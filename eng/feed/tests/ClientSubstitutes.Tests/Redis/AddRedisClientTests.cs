using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using StackExchange.Redis;

namespace ClientSubstitutes.Tests.Redis;

public sealed class AddRedisClientTests : IDisposable
{
    private readonly RedisServer _server = new();

    public void Dispose() => _server.Dispose();

    [Fact]
    public async Task The_client_of_a_connection_name_reads_and_writes()
    {
        await _server.StartAsync();
        using var host = Build(new() { ["ConnectionStrings:redis"] = _server.ConnectionString }, builder => builder.AddRedisClient("redis"));
        var redis = host.Services.GetRequiredService<IConnectionMultiplexer>();

        await redis.GetDatabase().StringSetAsync("k", "안녕 👋");

        ((string?)await redis.GetDatabase().StringGetAsync("k")).ShouldBe("안녕 👋");
        redis.ShouldBeSameAs(host.Services.GetRequiredService<IConnectionMultiplexer>());
    }

    [Fact]
    public async Task A_restarted_server_is_found_again_and_the_health_check_follows()
    {
        await _server.StartAsync();
        using var host = Build(
            new() { ["ConnectionStrings:redis"] = _server.ConnectionString },
            builder => builder.AddRedisClient("redis", configureOptions: options =>
            {
                options.ReconnectRetryPolicy = new LinearRetry(100);
                options.HeartbeatInterval = TimeSpan.FromMilliseconds(100);
                options.AsyncTimeout = 500;
            }));
        var redis = host.Services.GetRequiredService<IConnectionMultiplexer>();
        var messages = 0;
        await redis.GetSubscriber().SubscribeAsync(RedisChannel.Literal("c"), (_, _) => Interlocked.Increment(ref messages));
        (await HealthAsync(host)).Status.ShouldBe(HealthStatus.Healthy);

        _server.Kill();
        await Eventually.HoldsAsync("unhealthy without the server", async () => (await HealthAsync(host)).Status == HealthStatus.Unhealthy);

        await _server.StartAsync();
        await Eventually.HoldsAsync("healthy again", async () => (await HealthAsync(host)).Status == HealthStatus.Healthy);
        await redis.GetDatabase().StringSetAsync("k", "v");
        // A subscription made before the server went away must be there again without being made anew.
        await Eventually.HoldsAsync("the subscription is back", async () =>
        {
            await redis.GetDatabase().PublishAsync(RedisChannel.Literal("c"), "x");
            return Volatile.Read(ref messages) > 0;
        });
    }

    [Fact]
    public async Task A_client_made_before_its_server_is_up_connects_later()
    {
        using var host = Build(
            new() { ["ConnectionStrings:redis"] = _server.ConnectionString + ",connectTimeout=200,connectRetry=1" },
            builder => builder.AddRedisClient("redis", configureOptions: options => options.ReconnectRetryPolicy = new LinearRetry(100)));
        var redis = host.Services.GetRequiredService<IConnectionMultiplexer>();
        redis.IsConnected.ShouldBeFalse();

        await _server.StartAsync();

        await Eventually.HoldsAsync("connected", () => Task.FromResult(redis.IsConnected));
    }

    [Fact]
    public void Without_a_connection_string_the_error_names_both_places_to_put_one()
    {
        using var host = Build([], builder => builder.AddRedisClient("redis"));

        var thrown = Should.Throw<InvalidOperationException>(() => host.Services.GetRequiredService<IConnectionMultiplexer>());

        thrown.Message.ShouldContain("'ConnectionStrings:redis'");
        thrown.Message.ShouldContain("'Aspire:StackExchange:Redis:ConnectionString'");
    }

    [Fact]
    public async Task A_missing_connection_string_is_unhealthy_and_not_a_crash()
    {
        using var host = Build([], builder => builder.AddRedisClient("redis"));

        (await HealthAsync(host)).Status.ShouldBe(HealthStatus.Unhealthy);
    }

    [Fact]
    public async Task Keyed_clients_stand_beside_each_other_with_settings_of_their_own()
    {
        await _server.StartAsync();
        using var host = Build(
            new()
            {
                ["ConnectionStrings:one"] = _server.ConnectionString,
                ["Aspire:StackExchange:Redis:two:ConnectionString"] = _server.ConnectionString,
                ["Aspire:StackExchange:Redis:ConfigurationOptions:ConnectTimeout"] = "4001",
                ["Aspire:StackExchange:Redis:two:ConfigurationOptions:ConnectTimeout"] = "4002",
                ["Aspire:StackExchange:Redis:two:DisableHealthChecks"] = "true",
            },
            builder =>
            {
                builder.AddKeyedRedisClient("one");
                builder.AddKeyedRedisClient("two", configureOptions: options => options.ClientName = "second");
            });

        var one = host.Services.GetRequiredKeyedService<IConnectionMultiplexer>("one");
        var two = host.Services.GetRequiredKeyedService<IConnectionMultiplexer>("two");

        one.ShouldNotBeSameAs(two);
        one.TimeoutMilliseconds.ShouldBe(5000);
        ConfigurationOptions.Parse(one.Configuration).ConnectTimeout.ShouldBe(4001);
        ConfigurationOptions.Parse(two.Configuration).ConnectTimeout.ShouldBe(4002);
        two.ClientName.ShouldBe("second");
        (await HealthAsync(host)).Entries.Keys.ShouldBe(["StackExchange.Redis_one"]);
        host.Services.GetService<IConnectionMultiplexer>().ShouldBeNull();
    }

    [Fact]
    public async Task Auto_activation_connects_while_the_host_starts()
    {
        await _server.StartAsync();
        using var host = Build(
            new() { ["ConnectionStrings:redis"] = _server.ConnectionString },
            builder => builder.AddRedisClient("redis", settings => settings.DisableAutoActivation = false, options => options.ClientName = "activated"));

        await host.StartAsync();

        using var other = await ConnectionMultiplexer.ConnectAsync(_server.ConnectionString + ",allowAdmin=true");
        (await other.GetServers().Single().ClientListAsync()).ShouldContain(client => client.Name == "activated");
        await host.StopAsync();
    }

    private static Task<HealthReport> HealthAsync(IHost host) => host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync();

    private static IHost Build(Dictionary<string, string?> configuration, Action<HostApplicationBuilder> add)
    {
        var builder = TestHost.CreateBuilder(configuration);
        add(builder);
        builder.Services.AddHealthChecks();
        return builder.Build();
    }
}
