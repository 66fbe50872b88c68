using Confluent.Kafka;

namespace Aspire.Confluent.Kafka;

/// <summary>
/// Settings of a Kafka producer, read from <c>Aspire:Confluent:Kafka:Producer</c> and then from <c>Aspire:Confluent:Kafka:Producer:{name}</c>.
/// </summary>
public sealed class KafkaProducerSettings
{
    /// <summary>Bootstrap servers, such as <c>127.0.0.1:9092</c>. <c>ConnectionStrings:{name}</c> goes before it.</summary>
    public string? ConnectionString { get; set; }

    /// <summary>The client library's own settings; the section is <c>Config</c>.</summary>
    public ProducerConfig Config { get; } = new();

    /// <summary>Has no effect here: this substitute emits no metrics. Present because callers set it.</summary>
    public bool DisableMetrics { get; set; }

    public bool DisableHealthChecks { get; set; }

    /// <summary>Has no effect here: this substitute makes no spans. Present because callers set it.</summary>
    public bool DisableTracing { get; set; }

    internal void Validate()
    {
        if (string.IsNullOrEmpty(Config.BootstrapServers))
            throw new InvalidOperationException("No bootstrap servers configured.");
    }
}
