using System.Globalization;

namespace ChatPlatform.LocalKafka;

/// <summary>The process cannot do what its settings ask; the message is for the person who started it.</summary>
internal sealed class LocalKafkaException(string message) : Exception(message);

/// <param name="Port"><c>KAFKA_PORT</c>: the bootstrap port on 127.0.0.1.</param>
/// <param name="Topic"><c>KAFKA_TOPIC</c>, by default <c>chat.events</c>; other topics come into being when a client names them.</param>
/// <param name="Partitions"><c>KAFKA_PARTITIONS</c>, by default 6: a multiple of the two and three consumers that a laptop runs.</param>
internal sealed record LocalKafkaOptions(int Port, string Topic, int Partitions)
{
    /// <exception cref="LocalKafkaException">A setting is missing or out of range.</exception>
    public static LocalKafkaOptions Read(IConfiguration configuration) => new(
        Number(configuration, "KAFKA_PORT", null, 1, 65_535),
        configuration["KAFKA_TOPIC"] is { Length: > 0 } topic ? topic : "chat.events",
        Number(configuration, "KAFKA_PARTITIONS", 6, 1, 128));

    private static int Number(IConfiguration configuration, string key, int? otherwise, int least, int most)
    {
        var text = configuration[key];
        if (string.IsNullOrEmpty(text) && otherwise is { } value)
            return value;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
            ? number
            : throw new LocalKafkaException($"{key} is '{text}'; it must be a number from {least} to {most}.");
    }
}
