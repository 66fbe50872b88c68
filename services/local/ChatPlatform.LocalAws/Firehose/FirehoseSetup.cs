using ChatPlatform.LocalAws.Firehose.Processing;
using ChatPlatform.LocalAws.Glue;
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
        services.AddSingleton(provider => new GlueCatalog(provider.GetRequiredService<DataFolder>().Subfolder("glue")));
        services.AddSingleton<IAwsJsonService, GlueService>();
        services.AddSingleton<FirehoseMetrics>(provider => new FirehoseMetrics(provider.GetRequiredService<Meters>()));
        services.AddSingleton(provider =>
        {
            var data = provider.GetRequiredService<DataFolder>();
            var configuration = provider.GetRequiredService<IConfiguration>();
            var region = configuration["AWS_REGION"] ?? configuration["AWS_DEFAULT_REGION"] ?? "us-east-1";
            var options = provider.GetRequiredService<IOptions<FirehoseOptions>>().Value;
            var time = provider.GetRequiredService<TimeProvider>();
            // A function may take 5 minutes ("Firehose supports a Lambda invocation time of up to 5 minutes").
            var lambda = options.LambdaEndpoint is { } endpoint ? new LambdaTransformation(new HttpClient { Timeout = TimeSpan.FromMinutes(5) }, endpoint, time) : null;
            var context = new DeliveryContext(
                provider.GetRequiredService<ObjectStore>(),
                provider.GetRequiredService<GlueCatalog>(),
                new RecordProcessing(lambda, region),
                region,
                time,
                provider.GetRequiredService<FirehoseMetrics>(),
                options,
                data.Fsync,
                provider.GetRequiredService<ILogger<DeliveryStream>>());
            return new DeliveryStreams(data.Subfolder("firehose"), context);
        });
        services.AddHostedService(provider => provider.GetRequiredService<DeliveryStreams>());
        services.AddSingleton<IAwsJsonService, FirehoseService>();
        return services;
    }
}
