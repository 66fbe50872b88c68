using Microsoft.Extensions.Options;

namespace ChatPlatform.Notifier.Push;

/// <summary>Where the bearer token for FCM comes from. Thread-safe.</summary>
internal interface IAccessTokenSource
{
    /// <summary>A token that should be valid now.</summary>
    /// <exception cref="HttpRequestException">There is none to be had at the moment.</exception>
    ValueTask<string> GetAsync(CancellationToken cancellationToken);

    /// <summary>FCM did not accept <paramref name="token"/>: the next one must be another.</summary>
    void Refused(string token);
}

/// <summary>The token of <c>Fcm:AccessToken</c>, for ever.</summary>
internal sealed class ConfiguredAccessToken(IOptions<FcmOptions> options) : IAccessTokenSource
{
    public ValueTask<string> GetAsync(CancellationToken cancellationToken) => ValueTask.FromResult(options.Value.AccessToken);

    public void Refused(string token)
    {
        // Whoever set it renews it; there is no other.
    }
}
