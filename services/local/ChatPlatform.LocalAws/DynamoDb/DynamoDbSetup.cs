using ChatPlatform.LocalAws.DynamoDb.Operations;
using ChatPlatform.LocalAws.Protocol;
using Microsoft.Extensions.Options;

namespace ChatPlatform.LocalAws.DynamoDb;

internal static class DynamoDbSetup
{
    /// <summary>Adds DynamoDB. Settings: section <c>DynamoDb</c> (<see cref="DynamoDbOptions"/>), <c>AWS_REGION</c>, and the data folder's.</summary>
    public static IServiceCollection AddDynamoDb(this IServiceCollection services)
    {
        services.AddOptions<DynamoDbOptions>()
            .BindConfiguration("DynamoDb")
            .Configure<IConfiguration>((options, configuration) => options.Region = configuration["AWS_REGION"] is { Length: > 0 } region ? region : options.Region);
        services.AddSingleton<IValidateOptions<DynamoDbOptions>, Validation>();
        services.AddOptions<DynamoDbOptions>().ValidateOnStart();
        services.AddSingleton<DynamoStore>();
        services.AddSingleton<IAwsJsonService, DynamoDbService>();
        services.AddHostedService<TimeToLiveSweeper>();
        return services;
    }

    private sealed class Validation : IValidateOptions<DynamoDbOptions>
    {
        public ValidateOptionsResult Validate(string? name, DynamoDbOptions options) =>
            options.Problem() is { } problem ? ValidateOptionsResult.Fail(problem) : ValidateOptionsResult.Success;
    }
}
