using Confluent.Kafka;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Aspire.Confluent.Kafka;

/// <summary>Carries the client library's log into the application's, under the category <c>Aspire.Confluent.Kafka</c>.</summary>
internal static partial class KafkaLog
{
    public static ILogger GetKafkaLogger(this IServiceProvider services) =>
        services.GetRequiredService<ILoggerFactory>().CreateLogger("Aspire.Confluent.Kafka");

    public static void LogClient(this ILogger logger, LogMessage message) =>
        Client(logger, (LogLevel)message.LevelAs(LogLevelType.MicrosoftExtensionsLogging), message.Facility, message.Message);

    [LoggerMessage(EventId = 1, Message = "{Facility}: {Text}")]
    private static partial void Client(ILogger logger, LogLevel level, string facility, string text);
}
