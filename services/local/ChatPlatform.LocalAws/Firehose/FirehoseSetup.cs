using ChatPlatform.LocalAws.Protocol;
using ChatPlatform.LocalAws.S3.Objects;
using ChatPlatform.LocalAws.Storage;
using Microsoft.Extensions.Options;

namespace ChatPlatform.LocalAws.Firehose;

internal static class FirehoseSetup
{
    /// <summary>Adds Firehose, whose objects go into the object store of this process. Buffers lie under <c>DataPath</c>/firehose, or in memory without one.</summary>
    public static IServiceCollection AddFirehose(this IServiceCollection services)
    {
        services.AddOptions<FirehoseOptions>()
            .BindConfiguration(FirehoseOptions.Section)
            .Validate(
                options => options.MaxBacklogBytes >= FirehoseOptions.LeastBacklogBytes,
                $"{FirehoseOptions.Section}:{nameof(FirehoseOptions.MaxBacklogBytes)} must be at least {FirehoseOptions.LeastBacklogBytes}.")
            .ValidateOnStart();
        services.AddSingleton<FirehoseMetrics>(provider => new FirehoseMetrics(provider.GetRequiredService<Meters>()));
        services.AddSingleton(provider =>
        {
            var data = provider.GetRequiredService<DataFolder>();
            var configuration = provider.GetRequiredService<IConfiguration>();
            var context = new DeliveryContext(
                provider.GetRequiredService<ObjectStore>(),
                provider.GetRequiredService<TimeProvider>(),
                provider.GetRequiredService<FirehoseMetrics>(),
                provider.GetRequiredService<IOptions<FirehoseOptions>>().Value,
                data.Fsync,
                provider.GetRequiredService<ILogger<DeliveryStream>>());
            return new DeliveryStreams(data.Subfolder("firehose"), configuration["AWS_REGION"] ?? configuration["AWS_DEFAULT_REGION"] ?? "us-east-1", context);
        });
        services.AddHostedService(provider => provider.GetRequiredService<DeliveryStreams>());
        services.AddSingleton<IAwsJsonService, FirehoseService>();
        return services;
    }
}
