using Microsoft.Extensions.Options;

namespace ChatPlatform.Notifier.Push;

internal static class FcmRegistration
{
    /// <summary>Adds <see cref="FcmClient"/> from the section <c>Fcm</c>; a wrong setting stops the service at start.</summary>
    public static void AddFcm(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<FcmOptions>().BindConfiguration(FcmOptions.Section).ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<FcmOptions>, FcmOptionsValidator>();
        builder.Services.AddSingleton<IAccessTokenSource, ConfiguredAccessToken>();
        builder.Services.AddHttpClient<FcmClient>((provider, http) =>
        {
            http.BaseAddress = provider.GetRequiredService<IOptions<FcmOptions>>().Value.Endpoint;
            http.Timeout = TimeSpan.FromSeconds(10);
        });
    }
}
