using Microsoft.Extensions.Options;

namespace ChatPlatform.Notifier.Push;

/// <summary>
/// Where the bearer token comes from. On FCM itself that is OAuth 2.0 with a service account: a JWT signed with its key (scope
/// <c>https://www.googleapis.com/auth/firebase.messaging</c>) is exchanged at Google's token endpoint for a token of an hour. That source does not exist yet; what does is
/// <see cref="ConfiguredAccessToken"/>.
/// </summary>
internal interface IAccessTokenSource
{
    /// <summary>A token that is valid now. Thread-safe.</summary>
    ValueTask<string> GetAsync(CancellationToken cancellationToken);
}

/// <summary>The token of <c>Fcm:AccessToken</c>, for ever.</summary>
internal sealed class ConfiguredAccessToken(IOptions<FcmOptions> options) : IAccessTokenSource
{
    public ValueTask<string> GetAsync(CancellationToken cancellationToken) => ValueTask.FromResult(options.Value.AccessToken);
}
