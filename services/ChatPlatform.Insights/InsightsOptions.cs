using Microsoft.Extensions.Options;

namespace ChatPlatform.Insights;

/// <summary>The section <c>Insights</c>.</summary>
internal sealed class InsightsOptions
{
    public const string Section = "Insights";

    /// <summary>The folder of the journal: this service's own storage.</summary>
    public string? DataPath { get; set; }

    /// <summary>The journal is rewritten as one snapshot when it has grown by this many bytes.</summary>
    public long CompactBytes { get; set; } = 16 * 1024 * 1024;
}

/// <summary>Stops the service at start with the key, the value and what is allowed.</summary>
internal sealed class InsightsOptionsValidator : IValidateOptions<InsightsOptions>
{
    public ValidateOptionsResult Validate(string? name, InsightsOptions options)
    {
        var wrong = new List<string>();
        if (string.IsNullOrWhiteSpace(options.DataPath))
            wrong.Add("Insights:DataPath is not set; it must be a folder that this process may write.");
        if (options.CompactBytes < 1_024)
            wrong.Add($"Insights:CompactBytes is {options.CompactBytes}; it must be at least 1024.");
        return wrong.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(wrong);
    }
}
