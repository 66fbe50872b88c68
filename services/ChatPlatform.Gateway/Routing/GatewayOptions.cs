using Microsoft.Extensions.Options;

namespace ChatPlatform.Gateway.Routing;

/// <summary>
/// Where the gateway sends what it accepts; bound from the section <c>Gateway</c> (environment <c>Gateway__Api</c>, …). A wrong value stops the service
/// at start.
/// </summary>
public sealed class GatewayOptions
{
    public const string Section = "Gateway";

    /// <summary>The API's HTTP/1.1 address, an absolute http or https url without a path. Several, separated by commas, share the load.</summary>
    public string Api { get; set; } = "";

    /// <summary>The relays' HTTP/1.1 address, same form.</summary>
    public string Relay { get; set; } = "";

    /// <summary>The API's gRPC address (cleartext HTTP/2 when http), same form. Without it, gRPC calls answer 404.</summary>
    public string? ApiGrpc { get; set; }

    /// <summary>The addresses in one of the settings above, in order.</summary>
    internal static IReadOnlyList<string> Addresses(string? setting) =>
        (setting ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}

/// <summary>Names the key, the value and what is allowed.</summary>
internal sealed class GatewayOptionsValidator : IValidateOptions<GatewayOptions>
{
    public ValidateOptionsResult Validate(string? name, GatewayOptions options)
    {
        var failures = new List<string>();
        Check(nameof(options.Api), options.Api, required: true, failures);
        Check(nameof(options.Relay), options.Relay, required: true, failures);
        Check(nameof(options.ApiGrpc), options.ApiGrpc, required: false, failures);
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }

    private static void Check(string key, string? value, bool required, List<string> failures)
    {
        var addresses = GatewayOptions.Addresses(value);
        if (addresses.Count == 0 && !required && string.IsNullOrWhiteSpace(value))
            return;
        if (addresses.Count == 0 || !addresses.All(IsRootUrl))
            failures.Add($"{GatewayOptions.Section}:{key} is '{value}'; it must be an absolute http or https url without a path, e.g. http://127.0.0.1:5001, or several separated by commas.");
        else if (addresses.Distinct(StringComparer.OrdinalIgnoreCase).Count() != addresses.Count)
            failures.Add($"{GatewayOptions.Section}:{key} is '{value}'; each url may be named once.");
    }

    private static bool IsRootUrl(string address) =>
        Uri.TryCreate(address, UriKind.Absolute, out var url)
        && (url.Scheme == Uri.UriSchemeHttp || url.Scheme == Uri.UriSchemeHttps)
        && url is { PathAndQuery: "/", Fragment: "", UserInfo: "" };
}
