using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace Aspire.StackExchange.Redis;

/// <summary>The connection string of one registered client, read when its options are made.</summary>
internal sealed record RedisConnectionString(Func<string?> Value);

/// <summary>
/// Begins each client's options from its connection string, since that can only be parsed into a new object; every Configure step then runs on it.
/// A client waits for a server that is not there yet (AbortOnConnectFail is off) unless its connection string says otherwise.
/// </summary>
internal sealed class RedisOptionsFactory(
    IServiceProvider services,
    IEnumerable<IConfigureOptions<ConfigurationOptions>> setups,
    IEnumerable<IPostConfigureOptions<ConfigurationOptions>> postConfigures,
    IEnumerable<IValidateOptions<ConfigurationOptions>> validations)
    : OptionsFactory<ConfigurationOptions>(setups, postConfigures, validations)
{
    protected override ConfigurationOptions CreateInstance(string name)
    {
        var options = services.GetKeyedService<RedisConnectionString>(name)?.Value() is { } connectionString
            ? ConfigurationOptions.Parse(connectionString)
            : base.CreateInstance(name);
        if (options.Defaults.GetType() == typeof(DefaultOptionsProvider))
            options.Defaults = new WaitingDefaults();
        return options;
    }

    private sealed class WaitingDefaults : DefaultOptionsProvider
    {
        public override bool AbortOnConnectFail => false;
    }
}
