using Aspire.Confluent.Kafka;
using Confluent.Kafka;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.Extensions.Hosting;

/// <summary>
/// Registers <see cref="IConsumer{TKey,TValue}"/> as a singleton with configuration by name, logs and a health check.
/// It is made when it is first asked for; a missing bootstrap address or group id is an <see cref="InvalidOperationException"/> then.
/// </summary>
public static class AspireKafkaConsumerExtensions
{
    private const string SectionName = "Aspire:Confluent:Kafka:Consumer";

    /// <inheritdoc cref="AspireKafkaConsumerExtensions"/>
    public static void AddKafkaConsumer<TKey, TValue>(
        this IHostApplicationBuilder builder, string connectionName) =>
        Register<TKey, TValue>(builder, connectionName, serviceKey: null, null, null);

    /// <inheritdoc cref="AspireKafkaConsumerExtensions"/>
    public static void AddKafkaConsumer<TKey, TValue>(
        this IHostApplicationBuilder builder, string connectionName, Action<KafkaConsumerSettings>? configureSettings) =>
        Register<TKey, TValue>(builder, connectionName, serviceKey: null, configureSettings, null);

    /// <inheritdoc cref="AspireKafkaConsumerExtensions"/>
    public static void AddKafkaConsumer<TKey, TValue>(
        this IHostApplicationBuilder builder, string connectionName, Action<ConsumerBuilder<TKey, TValue>>? configureBuilder) =>
        Register<TKey, TValue>(builder, connectionName, serviceKey: null, null, Wrap(configureBuilder));

    /// <inheritdoc cref="AspireKafkaConsumerExtensions"/>
    public static void AddKafkaConsumer<TKey, TValue>(
        this IHostApplicationBuilder builder, string connectionName, Action<IServiceProvider, ConsumerBuilder<TKey, TValue>>? configureBuilder) =>
        Register<TKey, TValue>(builder, connectionName, serviceKey: null, null, configureBuilder);

    /// <inheritdoc cref="AspireKafkaConsumerExtensions"/>
    public static void AddKafkaConsumer<TKey, TValue>(
        this IHostApplicationBuilder builder, string connectionName, Action<KafkaConsumerSettings>? configureSettings, Action<ConsumerBuilder<TKey, TValue>>? configureBuilder) =>
        Register<TKey, TValue>(builder, connectionName, serviceKey: null, configureSettings, Wrap(configureBuilder));

    /// <inheritdoc cref="AspireKafkaConsumerExtensions"/>
    public static void AddKafkaConsumer<TKey, TValue>(
        this IHostApplicationBuilder builder, string connectionName, Action<KafkaConsumerSettings>? configureSettings, Action<IServiceProvider, ConsumerBuilder<TKey, TValue>>? configureBuilder) =>
        Register<TKey, TValue>(builder, connectionName, serviceKey: null, configureSettings, configureBuilder);

    /// <inheritdoc cref="AspireKafkaConsumerExtensions"/>
    public static void AddKeyedKafkaConsumer<TKey, TValue>(
        this IHostApplicationBuilder builder, string name) =>
        Register<TKey, TValue>(builder, name, serviceKey: name, null, null);

    /// <inheritdoc cref="AspireKafkaConsumerExtensions"/>
    public static void AddKeyedKafkaConsumer<TKey, TValue>(
        this IHostApplicationBuilder builder, string name, Action<KafkaConsumerSettings>? configureSettings) =>
        Register<TKey, TValue>(builder, name, serviceKey: name, configureSettings, null);

    /// <inheritdoc cref="AspireKafkaConsumerExtensions"/>
    public static void AddKeyedKafkaConsumer<TKey, TValue>(
        this IHostApplicationBuilder builder, string name, Action<ConsumerBuilder<TKey, TValue>>? configureBuilder) =>
        Register<TKey, TValue>(builder, name, serviceKey: name, null, Wrap(configureBuilder));

    /// <inheritdoc cref="AspireKafkaConsumerExtensions"/>
    public static void AddKeyedKafkaConsumer<TKey, TValue>(
        this IHostApplicationBuilder builder, string name, Action<IServiceProvider, ConsumerBuilder<TKey, TValue>>? configureBuilder) =>
        Register<TKey, TValue>(builder, name, serviceKey: name, null, configureBuilder);

    /// <inheritdoc cref="AspireKafkaConsumerExtensions"/>
    public static void AddKeyedKafkaConsumer<TKey, TValue>(
        this IHostApplicationBuilder builder, string name, Action<KafkaConsumerSettings>? configureSettings, Action<ConsumerBuilder<TKey, TValue>>? configureBuilder) =>
        Register<TKey, TValue>(builder, name, serviceKey: name, configureSettings, Wrap(configureBuilder));

    /// <inheritdoc cref="AspireKafkaConsumerExtensions"/>
    public static void AddKeyedKafkaConsumer<TKey, TValue>(
        this IHostApplicationBuilder builder, string name, Action<KafkaConsumerSettings>? configureSettings, Action<IServiceProvider, ConsumerBuilder<TKey, TValue>>? configureBuilder) =>
        Register<TKey, TValue>(builder, name, serviceKey: name, configureSettings, configureBuilder);

    private static void Register<TKey, TValue>(
        IHostApplicationBuilder builder,
        string connectionName,
        string? serviceKey,
        Action<KafkaConsumerSettings>? configureSettings,
        Action<IServiceProvider, ConsumerBuilder<TKey, TValue>>? configureBuilder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(connectionName);

        var settings = Read(builder.Configuration, connectionName);
        configureSettings?.Invoke(settings);
        if (settings.ConnectionString is { } connectionString)
            settings.Config.BootstrapServers = connectionString;

        if (serviceKey is null)
            builder.Services.AddSingleton<IConsumer<TKey, TValue>>(services => Build(services, settings, configureBuilder));
        else
            builder.Services.AddKeyedSingleton<IConsumer<TKey, TValue>>(serviceKey, (services, _) => Build(services, settings, configureBuilder));

        if (!settings.DisableHealthChecks)
        {
            builder.AddKafkaHealthCheck(
                serviceKey is null ? "Aspire.Confluent.Kafka.Consumer" : $"Aspire.Confluent.Kafka.Consumer_{connectionName}",
                () =>
                {
                    settings.Validate();
                    return settings.Config;
                });
        }
    }

    private static KafkaConsumerSettings Read(IConfiguration configuration, string connectionName)
    {
        var section = configuration.GetSection(SectionName);
        var named = section.GetSection(connectionName);
        var settings = new KafkaConsumerSettings();
        section.Bind(settings);
        named.Bind(settings);
        // The client's settings object is a collection to the binder, which would skip its properties: bind it by itself.
        section.GetSection(nameof(settings.Config)).Bind(settings.Config);
        named.GetSection(nameof(settings.Config)).Bind(settings.Config);
        if (configuration.GetConnectionString(connectionName) is { } connectionString)
            settings.ConnectionString = connectionString;
        return settings;
    }

    private static IConsumer<TKey, TValue> Build<TKey, TValue>(
        IServiceProvider services, KafkaConsumerSettings settings, Action<IServiceProvider, ConsumerBuilder<TKey, TValue>>? configureBuilder)
    {
        settings.Validate();
        var builder = new LoggedBuilder<TKey, TValue>(settings.Config);
        configureBuilder?.Invoke(services, builder);
        builder.LogTo(services.GetKafkaLogger());
        return builder.Build();
    }

    private static Action<IServiceProvider, ConsumerBuilder<TKey, TValue>>? Wrap<TKey, TValue>(Action<ConsumerBuilder<TKey, TValue>>? configureBuilder) =>
        configureBuilder is null ? null : (_, builder) => configureBuilder(builder);

    /// <summary>Sends the client's log to the application's, unless the caller has set a handler of its own.</summary>
    private sealed class LoggedBuilder<TKey, TValue>(ConsumerConfig config) : ConsumerBuilder<TKey, TValue>(config)
    {
        public void LogTo(Logging.ILogger logger)
        {
            if (LogHandler is null)
                SetLogHandler((_, message) => logger.LogClient(message));
        }
    }
}
