using Amazon.S3;
using ChatPlatform.ServiceDefaults.Authentication;
using Microsoft.Extensions.Options;

namespace ChatPlatform.Api.Attachments;

internal static class AttachmentEndpoints
{
    public static void AddAttachments(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton<IValidateOptions<AttachmentOptions>, AttachmentOptionsValidator>();
        services.AddOptions<AttachmentOptions>().BindConfiguration(AttachmentOptions.Section).ValidateOnStart();
        services.AddSingleton<IAmazonS3>(_ =>
        {
            var config = new AmazonS3Config();
            // The SDK takes these two for requests, but not for the URLs it presigns.
            if ((builder.Configuration["AWS_ENDPOINT_URL_S3"] ?? builder.Configuration["AWS_ENDPOINT_URL"]) is { Length: > 0 } endpoint)
            {
                config.ServiceURL = endpoint;
                config.AuthenticationRegion = builder.Configuration["AWS_REGION"];
                config.ForcePathStyle = true;
            }

            return new AmazonS3Client(config);
        });
        services.AddSingleton<ChatAttachments>();
    }

    /// <summary>REST of attachments (contracts §3).</summary>
    public static void MapAttachments(this IEndpointRouteBuilder routes) =>
        routes.MapPost("/v1/attachments", async (CreateAttachmentRequest request, ChatAttachments attachments, HttpContext http) =>
            TypedResults.Ok(await attachments.CreateAsync(http.CallerId(), request, http.RequestAborted)))
            .WithTags("Attachments");
}
