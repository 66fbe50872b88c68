using Aspire.Confluent.Kafka;
using Confluent.Kafka;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.Extensions.Hosting;

/// <summary>
/// Registers <see cref="IProducer{TKey,TValue}"/> as a singleton with configuration by name, logs and a health check.
/// It is made when it is first asked for; a missing bootstrap address is an <see cref="InvalidOperationException"/> then.
/// </summary>
public static class AspireKafkaProducerExtensions
{
    private const string SectionName = "Aspire:Confluent:Kafka:Producer";

    /// <inheritdoc cref="AspireKafkaProducerExtensions"/>
    public static void AddKafkaProducer<TKey, TValue>(
        this IHostApplicationBuilder builder, string connectionName) =>
        Register<TKey, TValue>(builder, connectionName, serviceKey: null, null, null);

    /// <inheritdoc cref="AspireKafkaProducerExtensions"/>
    public static void AddKafkaProducer<TKey, TValue>(
        this IHostApplicationBuilder builder, string connectionName, Action<KafkaProducerSettings>? configureSettings) =>
        Register<TKey, TValue>(builder, connectionName, serviceKey: null, configureSettings, null);

    /// <inheritdoc cref="AspireKafkaProducerExtensions"/>
    public static void AddKafkaProducer<TKey, TValue>(
        this IHostApplicationBuilder builder, string connectionName, Action<ProducerBuilder<TKey, TValue>>? configureBuilder) =>
        Register<TKey, TValue>(builder, connectionName, serviceKey: null, null, Wrap(configureBuilder));

    /// <inheritdoc cref="AspireKafkaProducerExtensions"/>
    public static void AddKafkaProducer<TKey, TValue>(
        this IHostApplicationBuilder builder, string connectionName, Action<IServiceProvider, ProducerBuilder<TKey, TValue>>? configureBuilder) =>
        Register<TKey, TValue>(builder, connectionName, serviceKey: null, null, configureBuilder);

    /// <inheritdoc cref="AspireKafkaProducerExtensions"/>
    public static void AddKafkaProducer<TKey, TValue>(
        this IHostApplicationBuilder builder, string connectionName, Action<KafkaProducerSettings>? configureSettings, Action<ProducerBuilder<TKey, TValue>>? configureBuilder) =>
        Register<TKey, TValue>(builder, connectionName, serviceKey: null, configureSettings, Wrap(configureBuilder));

    /// <inheritdoc cref="AspireKafkaProducerExtensions"/>
    public static void AddKafkaProducer<TKey, TValue>(
        this IHostApplicationBuilder builder, string connectionName, Action<KafkaProducerSettings>? configureSettings, Action<IServiceProvider, ProducerBuilder<TKey, TValue>>? configureBuilder) =>
        Register<TKey, TValue>(builder, connectionName, serviceKey: null, configureSettings, configureBuilder);

    /// <inheritdoc cref="AspireKafkaProducerExtensions"/>
    public static void AddKeyedKafkaProducer<TKey, TValue>(
        this IHostApplicationBuilder builder, string name) =>
        Register<TKey, TValue>(builder, name, serviceKey: name, null, null);

    /// <inheritdoc cref="AspireKafkaProducerExtensions"/>
    public static void AddKeyedKafkaProducer<TKey, TValue>(
        this IHostApplicationBuilder builder, string name, Action<KafkaProducerSettings>? configureSettings) =>
        Register<TKey, TValue>(builder, name, serviceKey: name, configureSettings, null);

    /// <inheritdoc cref="AspireKafkaProducerExtensions"/>
    public static void AddKeyedKafkaProducer<TKey, TValue>(
        this IHostApplicationBuilder builder, string name, Action<ProducerBuilder<TKey, TValue>>? configureBuilder) =>
        Register<TKey, TValue>(builder, name, serviceKey: name, null, Wrap(configureBuilder));

    /// <inheritdoc cref="AspireKafkaProducerExtensions"/>
    public static void AddKeyedKafkaProducer<TKey, TValue>(
        this IHostApplicationBuilder builder, string name, Action<IServiceProvider, ProducerBuilder<TKey, TValue>>? configureBuilder) =>
        Register<TKey, TValue>(builder, name, serviceKey: name, null, configureBuilder);

    /// <inheritdoc cref="AspireKafkaProducerExtensions"/>
    public static void AddKeyedKafkaProducer<TKey, TValue>(
        this IHostApplicationBuilder builder, string name, Action<KafkaProducerSettings>? configureSettings, Action<ProducerBuilder<TKey, TValue>>? configureBuilder) =>
        Register<TKey, TValue>(builder, name, serviceKey: name, configureSettings, Wrap(configureBuilder));

    /// <inheritdoc cref="AspireKafkaProducerExtensions"/>
    public static void AddKeyedKafkaProducer<TKey, TValue>(
        this IHostApplicationBuilder builder, string name, Action<KafkaProducerSettings>? configureSettings, Action<IServiceProvider, ProducerBuilder<TKey, TValue>>? configureBuilder) =>
        Register<TKey, TValue>(builder, name, serviceKey: name, configureSettings, configureBuilder);

    private static void Register<TKey, TValue>(
        IHostApplicationBuilder builder,
        string connectionName,
        string? serviceKey,
        Action<KafkaProducerSettings>? configureSettings,
        Action<IServiceProvider, ProducerBuilder<TKey, TValue>>? configureBuilder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(connectionName);

        var settings = Read(builder.Configuration, connectionName);
        configureSettings?.Invoke(settings);
        if (settings.ConnectionString is { } connectionString)
            settings.Config.BootstrapServers = connectionString;

        if (serviceKey is null)
            builder.Services.AddSingleton<IProducer<TKey, TValue>>(services => Build(services, settings, configureBuilder));
        else
            builder.Services.AddKeyedSingleton<IProducer<TKey, TValue>>(serviceKey, (services, _) => Build(services, settings, configureBuilder));

        if (!settings.DisableHealthChecks)
        {
            builder.AddKafkaHealthCheck(
                serviceKey is null ? "Aspire.Confluent.Kafka.Producer" : $"Aspire.Confluent.Kafka.Producer_{connectionName}",
                () =>
                {
                    settings.Validate();
                    return settings.Config;
                });
        }
    }

    private static KafkaProducerSettings Read(IConfiguration configuration, string connectionName)
    {
        var section = configuration.GetSection(SectionName);
        var named = section.GetSection(connectionName);
        var settings = new KafkaProducerSettings();
        section.Bind(settings);
        named.Bind(settings);
        // The client's settings object is a collection to the binder, which would skip its properties: bind it by itself.
        section.GetSection(nameof(settings.Config)).Bind(settings.Config);
        named.GetSection(nameof(settings.Config)).Bind(settings.Config);
        if (configuration.GetConnectionString(connectionName) is { } connectionString)
            settings.ConnectionString = connectionString;
        return settings;
    }

    private static IProducer<TKey, TValue> Build<TKey, TValue>(
        IServiceProvider services, KafkaProducerSettings settings, Action<IServiceProvider, ProducerBuilder<TKey, TValue>>? configureBuilder)
    {
        settings.Validate();
        var builder = new LoggedBuilder<TKey, TValue>(settings.Config);
        configureBuilder?.Invoke(services, builder);
        builder.LogTo(services.GetKafkaLogger());
        return builder.Build();
    }

    private static Action<IServiceProvider, ProducerBuilder<TKey, TValue>>? Wrap<TKey, TValue>(Action<ProducerBuilder<TKey, TValue>>? configureBuilder) =>
        configureBuilder is null ? null : (_, builder) => configureBuilder(builder);

    /// <summary>Sends the client's log to the application's, unless the caller has set a handler of its own.</summary>
    private sealed class LoggedBuilder<TKey, TValue>(ProducerConfig config) : ProducerBuilder<TKey, TValue>(config)
    {
        public void LogTo(Logging.ILogger logger)
        {
            if (LogHandler is null)
                SetLogHandler((_, message) => logger.LogClient(message));
        }
    }
}
