namespace ChatPlatform.LocalAws.DynamoDb;

internal static class DynamoDbSetup
{
    public static IServiceCollection AddDynamoDb(this IServiceCollection services) => services;
}
