using ChatPlatform.Forwarder.Configuration;
using Confluent.Kafka;

namespace ChatPlatform.Forwarder.Outputs;

/// <param name="RawLogKey">With <c>format: raw</c>: the record's field whose text is the Kafka value, byte for byte.</param>
/// <param name="MessageKeyField">The record's field whose text is the Kafka key; where a record lacks it, <paramref name="MessageKey"/>.</param>
/// <param name="Client">For librdkafka.</param>
internal sealed record KafkaOutputSettings(
    string Alias,
    TagPattern Match,
    long TotalLimitBytes,
    string Topic,
    string? RawLogKey,
    string? MessageKeyField,
    string? MessageKey,
    string TimestampKey,
    RecordTime TimestampFormat,
    IReadOnlyDictionary<string, string> Client) : OutputSettings(Alias, Match, TotalLimitBytes)
{
    /// <summary>Keys of the same librdkafka setting.</summary>
    private static readonly Dictionary<string, string> Synonyms = new() { ["request.required.acks"] = "acks", ["metadata.broker.list"] = "bootstrap.servers", ["queue.buffering.max.ms"] = "linger.ms" };

    public static KafkaOutputSettings From(FileSection section, string alias, TagPattern match, long limit)
    {
        var brokers = section.RequiredText("brokers");
        var topic = section.Text("topics") ?? "fluent-bit";
        if (topic.Contains(','))
            throw section.Invalid("topics", topic, "one topic");
        var format = section.Choice("format", "json", "json", "raw");
        var rawLogKey = section.Text("raw_log_key");
        if (format == "raw" != rawLogKey is not null)
            throw section.Wrong("raw_log_key", "'raw_log_key' and 'format: raw' belong together");
        // Fluent Bit gives up a full client queue after this many tries; 0 is forever, and the only thing this forwarder does.
        if (section.Text("queue_full_retries") is { } retries and not ("0" or "false"))
            throw section.Invalid("queue_full_retries", retries, "0");

        var client = new Dictionary<string, string>
        {
            ["acks"] = "all",
            ["enable.idempotence"] = "true",
            // The record stays here, on disk, until the broker has it: there is no age at which to give up.
            ["message.timeout.ms"] = "0",
            ["linger.ms"] = "5",
            ["reconnect.backoff.max.ms"] = "2000",
            ["socket.keepalive.enable"] = "true",
            ["partitioner"] = "consistent_random",
            // A report's status is all that is looked at; the rest would be copied out of librdkafka for each record.
            ["dotnet.producer.delivery.report.fields"] = "status",
        };
        if (section.Text("client_id") is { } id)
            client["client.id"] = id;
        foreach (var (key, value) in section.Prefixed("rdkafka."))
            client[Synonyms.GetValueOrDefault(key, key)] = value;
        if (client["acks"] is not ("all" or "-1"))
            throw section.Wrong("rdkafka.request.required.acks", "acknowledgements of all in-sync replicas (-1) are what lets this forwarder delete a record");
        if (client["enable.idempotence"] != "true")
            throw section.Wrong("rdkafka.enable.idempotence", "'rdkafka.enable.idempotence' must be true: order per key rests on it");
        client["bootstrap.servers"] = brokers;
        RefuseUnknown(section, client);

        return new KafkaOutputSettings(
            alias, match, limit, topic, rawLogKey, section.Text("message_key_field"), section.Text("message_key"),
            section.Text("timestamp_key") ?? "@timestamp",
            section.Choice("timestamp_format", "double", "double", "iso8601", "iso8601_ns") switch
            {
                "iso8601" => RecordTime.Iso8601,
                "iso8601_ns" => RecordTime.Iso8601Nanoseconds,
                _ => RecordTime.Double,
            },
            client);
    }

    /// <summary>librdkafka checks names and values when a client is made, and makes no connection before it has something to send.</summary>
    private static void RefuseUnknown(FileSection section, Dictionary<string, string> client)
    {
        try
        {
            using var trial = new ProducerBuilder<byte[], byte[]>(client).SetLogHandler((_, _) => { }).Build();
        }
        catch (Exception error) when (error is InvalidOperationException or ArgumentException or KafkaException)
        {
            throw section.Wrong($"librdkafka refuses the settings: {error.Message}");
        }
    }
}
