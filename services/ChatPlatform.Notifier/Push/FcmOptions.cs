using Microsoft.Extensions.Options;

namespace ChatPlatform.Notifier.Push;

/// <summary>The section <c>Fcm</c>.</summary>
internal sealed class FcmOptions
{
    public const string Section = "Fcm";

    /// <summary>The host of the HTTP v1 API.</summary>
    public Uri Endpoint { get; set; } = new("https://fcm.googleapis.com");

    public string ProjectId { get; set; } = "";

    /// <summary>The key file of a service account that may send (<see cref="ServiceAccount"/>); null takes <see cref="AccessToken"/>.</summary>
    public string? CredentialsFile { get; set; }

    /// <summary>A bearer token as it is, from someone who renews it. See <see cref="IAccessTokenSource"/>.</summary>
    public string AccessToken { get; set; } = "local";

    /// <summary>Seconds before the first repetition of a send that met a 5xx or no answer; doubled each time.</summary>
    public double RetryBaseSeconds { get; set; } = 1;

    /// <summary>The longest such pause, in seconds.</summary>
    public double RetryCapSeconds { get; set; } = 60;

    /// <summary>Seconds to wait after a 429 without <c>Retry-After</c>; FCM asks for 60.</summary>
    public double QuotaPauseSeconds { get; set; } = 60;
}

internal sealed class FcmOptionsValidator : IValidateOptions<FcmOptions>
{
    public ValidateOptionsResult Validate(string? name, FcmOptions options)
    {
        var wrong = new List<string>();
        if (!options.Endpoint.IsAbsoluteUri || options.Endpoint.Scheme is not ("http" or "https"))
            wrong.Add($"Fcm:Endpoint is '{options.Endpoint}'; it must be an http or https url.");
        else if (options.Endpoint is { Scheme: "http", IsLoopback: false })
            wrong.Add($"Fcm:Endpoint is '{options.Endpoint}'; a bearer token goes over plain http to this machine only.");
        else if (!options.Endpoint.IsLoopback && options.AccessToken == "local" && string.IsNullOrEmpty(options.CredentialsFile))
            wrong.Add("Fcm:CredentialsFile is not set; FCM itself needs the key file of a service account.");
        if (options.CredentialsFile is { Length: > 0 } path && Unreadable(path) is { } reason)
            wrong.Add($"Fcm:CredentialsFile is '{path}'; {reason}.");
        if (options.ProjectId.Length == 0 || options.ProjectId.Any(c => !char.IsAsciiLetterOrDigit(c) && c != '-'))
            wrong.Add($"Fcm:ProjectId is '{options.ProjectId}'; it must be a Firebase project id.");
        if (options.RetryBaseSeconds is not (> 0 and <= 3600) || !(options.RetryCapSeconds >= options.RetryBaseSeconds) || options.RetryCapSeconds > 3600)
            wrong.Add($"Fcm:RetryBaseSeconds is {options.RetryBaseSeconds} and Fcm:RetryCapSeconds {options.RetryCapSeconds}; they must be above 0, at most 3600, and in this order.");
        if (options.QuotaPauseSeconds is not (> 0 and <= 3600))
            wrong.Add($"Fcm:QuotaPauseSeconds is {options.QuotaPauseSeconds}; it must be above 0 and at most 3600.");
        return wrong.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(wrong);
    }

    private static string? Unreadable(string path)
    {
        try
        {
            ServiceAccount.Load(path).Key.Dispose();
            return null;
        }
        catch (Exception error) when (error is FormatException or IOException or UnauthorizedAccessException)
        {
            return error.Message;
        }
    }
}
