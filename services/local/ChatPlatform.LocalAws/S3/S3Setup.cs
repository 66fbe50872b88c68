using ChatPlatform.LocalAws.Protocol;
using ChatPlatform.LocalAws.S3.Objects;
using ChatPlatform.LocalAws.S3.Wire;
using ChatPlatform.LocalAws.Storage;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace ChatPlatform.LocalAws.S3;

internal static class S3Setup
{
    /// <summary>
    /// Adds the object store and S3's operations. Objects lie under <c>DataPath</c>/s3, or in memory without one. Presigned URLs must be signed with
    /// <c>AWS_ACCESS_KEY_ID</c> and <c>AWS_SECRET_ACCESS_KEY</c> of this process; without a secret only their form and expiry are checked.
    /// </summary>
    public static IServiceCollection AddObjectStore(this IServiceCollection services)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<S3Service>();
        services.AddSingleton<IAwsService>(provider => provider.GetRequiredService<S3Service>());
        services.AddSingleton<IObjectMedium>(provider =>
        {
            var data = provider.GetRequiredService<DataFolder>();
            return data.Subfolder("s3") is { } folder
                ? new FileMedium(folder, data.Fsync, provider.GetRequiredService<ILogger<FileMedium>>())
                : new MemoryMedium();
        });
        services.AddSingleton<ObjectStore>();
        services.AddSingleton(provider =>
        {
            var configuration = provider.GetRequiredService<IConfiguration>();
            return new SigningCredentials(configuration["AWS_ACCESS_KEY_ID"], configuration["AWS_SECRET_ACCESS_KEY"]);
        });
        services.AddSingleton<BucketOperations>();
        services.AddSingleton<ObjectOperations>();
        services.AddSingleton<MultipartOperations>();
        services.AddSingleton<IReadOnlyList<S3Operation>>(provider =>
        [
            .. provider.GetRequiredService<BucketOperations>().All,
            .. provider.GetRequiredService<ObjectOperations>().All,
            .. provider.GetRequiredService<MultipartOperations>().All,
        ]);
        services.AddSingleton<S3Endpoint>();
        return services;
    }

    /// <summary>Answers as S3 whatever no other endpoint takes; loads the store now, so that a folder that cannot be read stops the start.</summary>
    public static WebApplication MapS3(this WebApplication app)
    {
        var endpoint = app.Services.GetRequiredService<S3Endpoint>();
        app.MapFallback("{**path}", endpoint.HandleAsync);
        return app;
    }
}
