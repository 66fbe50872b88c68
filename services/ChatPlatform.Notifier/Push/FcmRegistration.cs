using Microsoft.Extensions.Options;

namespace ChatPlatform.Notifier.Push;

internal static class FcmRegistration
{
    private static readonly TimeSpan AnswerTime = TimeSpan.FromSeconds(10);

    /// <summary>Adds <see cref="FcmClient"/> from the section <c>Fcm</c>; a wrong setting stops the service at start.</summary>
    public static void AddFcm(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<FcmOptions>().BindConfiguration(FcmOptions.Section).ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<FcmOptions>, FcmOptionsValidator>();
        builder.Services.AddHttpClient(nameof(ServiceAccountToken), http => http.Timeout = AnswerTime);
        builder.Services.AddSingleton<IAccessTokenSource>(provider =>
        {
            var options = provider.GetRequiredService<IOptions<FcmOptions>>();
            return options.Value.CredentialsFile is { Length: > 0 } path
                ? ActivatorUtilities.CreateInstance<ServiceAccountToken>(
                    provider, ServiceAccount.Load(path), provider.GetRequiredService<IHttpClientFactory>().CreateClient(nameof(ServiceAccountToken)))
                : new ConfiguredAccessToken(options);
        });
        builder.Services.AddHttpClient<FcmClient>((provider, http) =>
        {
            http.BaseAddress = provider.GetRequiredService<IOptions<FcmOptions>>().Value.Endpoint;
            http.Timeout = AnswerTime;
        });
    }
}
