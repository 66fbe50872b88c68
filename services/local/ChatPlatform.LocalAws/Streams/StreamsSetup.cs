using ChatPlatform.LocalAws.Protocol;

namespace ChatPlatform.LocalAws.Streams;

internal static class StreamsSetup
{
    /// <summary>Adds DynamoDB Streams, which reads what the DynamoDB store keeps.</summary>
    public static IServiceCollection AddStreams(this IServiceCollection services) => services.AddSingleton<IAwsJsonService, StreamsService>();
}
