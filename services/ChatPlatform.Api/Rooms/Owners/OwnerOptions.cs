using Microsoft.Extensions.Options;

namespace ChatPlatform.Api.Rooms.Owners;

/// <summary>The part of section <c>Api</c> that says where the other API servers reach this one.</summary>
internal sealed class OwnerOptions
{
    public const string Section = "Api";

    /// <summary>Default: the first address that REST is bound to, on <c>POD_IP</c> or else 127.0.0.1.</summary>
    public string? AdvertisedAddress { get; set; }

    /// <summary>Default: <c>GRPC_PORT</c> on <c>POD_IP</c> or else 127.0.0.1; without a port none.</summary>
    public string? AdvertisedGrpcAddress { get; set; }
}

internal sealed class OwnerOptionsValidator : IValidateOptions<OwnerOptions>
{
    public ValidateOptionsResult Validate(string? name, OwnerOptions options)
    {
        List<string> failures = [];
        Check(nameof(options.AdvertisedAddress), options.AdvertisedAddress);
        Check(nameof(options.AdvertisedGrpcAddress), options.AdvertisedGrpcAddress);
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);

        void Check(string key, string? value)
        {
            if (!string.IsNullOrEmpty(value) && (!ApiNode.IsUrl(value) || value.Contains(' ')))
                failures.Add($"Api:{key} is '{value}'; it must be an http url that the other API servers reach, or not set.");
        }
    }
}
