namespace ChatPlatform.LocalAws.Streams;

internal static class StreamsSetup
{
    public static IServiceCollection AddStreams(this IServiceCollection services) => services;
}
